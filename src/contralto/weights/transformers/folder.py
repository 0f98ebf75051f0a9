"""Reads and writes folders of transformers."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, cast

import numpy as np

from contralto.architecture.codec import to_json
from contralto.contract import Contract, Detector, Image, Provenance, Score, preset
from contralto.errors import ContractError, ContraltoError, WeightsError
from contralto.files import write_error_text, written_whole
from contralto.weights import container, fingerprint
from contralto.weights.checkpoint import Checkpoint, StoredTensor
from contralto.weights.choices import NO_CHOICES, QUICKGELU_SUFFIX, Choices
from contralto.weights.config_section import Section, read_json
from contralto.weights.layouts import transformers as layout
from contralto.weights.layouts.conversion import export_tensors, import_tensors
from contralto.weights.names import expected
from contralto.weights.openai import scale, value
from contralto.weights.tensorfile import write_tensors
from contralto.weights.transformers import config, image_processor, tokenizer_config, writing

TRANSFORMERS_CONFIG_FILE = "config.json"
TRANSFORMERS_WEIGHTS_FILE = "model.safetensors"
TRANSFORMERS_WEIGHT_FILES = (
    TRANSFORMERS_WEIGHTS_FILE,
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def read(folder: str | Path, choices: Choices = NO_CHOICES) -> Checkpoint:
    """Reads a folder with config.json, weights, and the settings of an image processor.

    choices: may repeat the facts of the folder, not contradict them. Without an image processor, choices.architecture
    names a preset whose preparation of pictures is used. Raises ContraltoError.
    """
    folder = Path(folder)
    path = folder / TRANSFORMERS_CONFIG_FILE
    stated = read_json(path)
    towers = config.towers(stated, str(path))
    choices.agree(path, activation=towers.text.activation)
    if choices.architecture and not _is_of(choices.architecture, towers):
        choices.agree(path, architecture="of other towers")
    file = next((folder / name for name in TRANSFORMERS_WEIGHT_FILES if (folder / name).is_file()), None)
    if file is None:
        raise WeightsError(f"{folder} holds no weights: none of {', '.join(TRANSFORMERS_WEIGHT_FILES)} is there")
    source = container.read(file)
    tensors, ours = dict(source.tensors), Section(stated.get("contralto") or {}, f"{path}: contralto")
    text, implied = tokenizer_config.read(folder, towers, ours.take("text", dict, {}), str(path))
    image, also_implied = _image(folder, towers, choices)
    image = _as_stated(image, Section(ours.take("image", dict, {}), f"{path}: contralto.image"))
    contract = Contract(
        name=ours.take("name", str, folder.absolute().name),
        image=image,
        text=text,
        embedding=towers.embedding,
        score=_score(tensors, towers.family, str(file)),
        weights=fingerprint.weights(file, source.files, tensors.values()),
        provenance=Provenance(
            source=ours.take("source", str, None),
            trained_on=ours.take("trained_on", str, None),
            converted_from="; ".join(filter(None, (f"transformers, {path.name}", implied, also_implied))),
        ),
        licence=ours.take("licence", str, None),
        detector=Detector(objectness=towers.family == "owlv2") if towers.family in layout.OWL_FAMILIES else None,
    )
    shapes = expected(contract)
    scale_of: dict[str, StoredTensor] = {}
    if towers.family == "align":  # it stores the scale as a divisor, not as the logarithm of a factor
        del shapes["logit_scale"]
        divisor = value(tensors.pop(layout.ALIGN_TEMPERATURE))
        scale_of["logit_scale"] = StoredTensor("F32", np.array(-math.log(divisor), np.float32))
    native_tensors = import_tensors(tensors, layout.parts(contract), shapes, str(file), ignored=layout.ignored(tensors))
    return Checkpoint(contract, scale_of | native_tensors, source.files)


def write(folder: str | Path, checkpoint: Checkpoint) -> None:
    """Writes config.json, model.safetensors, the processor's settings and the tokenizer's files; weights bit for bit.

    Files are written whole, the configuration last. Raises WeightsError if transformers has no class for the model.
    """
    folder, contract = Path(folder), checkpoint.contract
    stated, processor = writing.config(contract), writing.processor(contract)
    family = layout.family(contract)
    rest = {name: stored for name, stored in checkpoint.tensors.items() if family != "align" or name != "logit_scale"}
    tensors = export_tensors(rest, layout.parts(contract), contract.name)
    if family == "align":
        tensors[layout.ALIGN_TEMPERATURE] = StoredTensor("F32", np.array(1 / contract.score.scale, np.float32))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writing.place_tokenizer(checkpoint, folder)
        with written_whole(folder / image_processor.PREPROCESSOR_FILE) as file:
            file.write(_json(processor))
        weights = folder / TRANSFORMERS_WEIGHTS_FILE
        with written_whole(folder / TRANSFORMERS_CONFIG_FILE) as description, written_whole(weights) as file:
            write_tensors(file, tensors, {"format": "pt"})
            description.write(_json(stated))
        # transformers would prefer this file, which an earlier model may have left.
        (folder / image_processor.PROCESSOR_FILES[0]).unlink(missing_ok=True)
    except OSError as error:
        raise WeightsError(write_error_text(folder, error)) from error


def _image(folder: Path, towers: config.Towers, choices: Choices) -> tuple[Image, str]:
    """The preparation of pictures, from the image processor, else from the preset that the user names."""
    settings, implied = image_processor.read(folder, towers.family), ""
    if settings is None:
        settings, implied = _chosen(folder, choices), f"the preparation of pictures as in {choices.architecture}"
    if towers.side is not None and settings.size != (towers.side, towers.side):
        made = f"{settings.size[0]} x {settings.size[1]}"
        fault = f"config.json states pictures of {towers.side} x {towers.side}, the processor makes {made}"
        raise ContractError(f"{folder}: {fault}: one of them is wrong")
    image = Image(
        towers.image,
        settings.size,
        settings.mean,
        settings.std,
        resize=cast(Any, settings.resize),
        interpolation=cast(Any, settings.interpolation),
        resized=settings.resized,
        convert=cast(Any, settings.convert),
    )
    return image, implied


def _as_stated(image: Image, ours: Section) -> Image:
    """The image settings with `convert` from `contralto.image`, as transformers has no field for it."""
    convert = ours.take("convert", str, image.convert)
    if convert not in ("last", "first"):
        raise ours.refuse("convert", "it is last or first")
    return dataclasses.replace(image, convert=cast(Any, convert))


def _chosen(folder: Path, choices: Choices) -> image_processor.ProcessorSettings:
    if choices.architecture is None:
        what = "how pictures are prepared (size, resize, mean, std): it has no preprocessor_config.json"
        asked = "Give architecture=NAME (--architecture NAME), a preset whose preparation is the model's"
        raise ContraltoError(f"{folder} leaves open: {what}. {asked}")
    image = _preset(choices.architecture).image
    rules = image.resize, image.interpolation, image.resized, image.convert
    return image_processor.ProcessorSettings(image.size, image.mean, image.std, *rules)


def _preset(architecture: str) -> Contract:
    """The preset of that name, with or without open_clip's suffix -quickgelu."""
    return preset(architecture.removesuffix(QUICKGELU_SUFFIX))


def _is_of(architecture: str, towers: config.Towers) -> bool:
    """Whether the towers are those of the preset. Activations are not compared, as the folder decides them."""
    named = _preset(architecture)
    pairs = ((named.image.tower, towers.image), (named.text.tower, towers.text))
    same_towers = all(to_json(one) | {"activation": ""} == to_json(other) | {"activation": ""} for one, other in pairs)
    return same_towers and named.embedding == towers.embedding and named.text.context == towers.context


def _score(tensors: dict[str, StoredTensor], family: layout.Family, where: str) -> Score:
    if family in layout.OWL_FAMILIES:
        tower = f"{family}."
        return Score(scale=scale({name.removeprefix(tower): stored for name, stored in tensors.items()}, where))
    if family != "align":
        bias = tensors.get("logit_bias")
        bias_value = value(bias) if bias is not None and bias.array.size == 1 else None
        return Score("sigmoid" if family == "siglip" else "softmax", scale(tensors, where), bias_value)
    temperature = tensors.get(layout.ALIGN_TEMPERATURE)
    if temperature is None or temperature.array.size != 1 or not 0 < value(temperature) < math.inf:
        raise WeightsError(f"{where} is no ALIGN: it has no temperature above 0")
    return Score("softmax", 1 / value(temperature))


def _json(stated: dict[str, Any]) -> bytes:
    return (json.dumps(stated, indent=2, ensure_ascii=False) + "\n").encode()
