"""Reads and writes open_clip's folders (open_clip_config.json and weights); also reads a state dict alone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contralto.architecture import CausalText
from contralto.architecture.codec import to_json
from contralto.contract import Contract, Provenance, Score, preset, presets
from contralto.errors import ContraltoError, WeightsError, one_line
from contralto.files import write_error_text, written_whole
from contralto.weights import container, fingerprint, tokenizer_files
from contralto.weights.checkpoint import Checkpoint, StoredTensor
from contralto.weights.choices import NO_CHOICES, PUBLISHED_ACTIVATIONS, QUICKGELU_SUFFIX, Choices, missing_choice_error
from contralto.weights.config_section import read_json
from contralto.weights.layouts import open_clip as layout
from contralto.weights.layouts.conversion import export_tensors, foreign_shapes, import_tensors
from contralto.weights.names import expected
from contralto.weights.open_clip import config, writing
from contralto.weights.openai import scale, value
from contralto.weights.tensorfile import write_tensors

OPEN_CLIP_WEIGHTS_FILE = "open_clip_model.safetensors"

# The first of these that exists in a folder is read, as in open_clip.
OPEN_CLIP_WEIGHT_FILES = (
    OPEN_CLIP_WEIGHTS_FILE, "open_clip_pytorch_model.safetensors", "open_clip_model.safetensors.index.json",
    "open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth",
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.pth", "model.pth",
)  # fmt: skip

# Architectures with published weights for both activations. open_clip calls one of the two NAME-quickgelu.
BOTH_ACTIVATIONS = (
    "RN50", "RN101", "RN50x4", "RN50x16", "RN50x64", "ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336", "ViT-H-14",
    "ViT-H-14-378", "ViT-bigG-14",
)  # fmt: skip


def read(path: str | Path, choices: Choices = NO_CHOICES) -> Checkpoint:
    """Reads a folder with open_clip_config.json and weights, or a weight file with or without that configuration.

    choices: without a configuration, the architecture is required, and the activation if both are published. With a
    configuration they may repeat it, not contradict it. Raises ContraltoError; it names an open choice.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    file = weights_in(folder) if path.is_dir() else path
    tensors = (source := container.read(file)).tensors
    stated = folder / config.OPEN_CLIP_CONFIG_FILE
    contract = _configured(stated, choices) if stated.is_file() else _named_architecture(file, tensors, choices)
    rule = "sigmoid" if "logit_bias" in tensors else contract.score.rule
    bias = value(tensors["logit_bias"]) if "logit_bias" in tensors and tensors["logit_bias"].array.size == 1 else None
    contract = contract.replace(
        score=Score(rule, scale(tensors, str(file)), bias),
        weights=fingerprint.weights(file, source.files, tensors.values()),
    )
    parts = layout.parts(contract, layout.spelling(tensors))
    native_tensors = import_tensors(tensors, parts, expected(contract), str(file), ignored=layout.ignored(tensors))
    return Checkpoint(contract, native_tensors, source.files)


def write(folder: str | Path, checkpoint: Checkpoint) -> None:
    """Writes open_clip_config.json, open_clip_model.safetensors and the tokenizer's files; weights bit for bit.

    Files are written whole, the configuration last. Raises ContraltoError if open_clip has no field for a fact of the
    contract.
    """
    folder, contract = Path(folder), checkpoint.contract
    stated = writing.config(contract)
    tensors = export_tensors(checkpoint.tensors, layout.parts(contract, layout.written(contract)), contract.name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if contract.text.tokenizer.file is not None:
            tokenizer_files.copy(contract.text, checkpoint.folder, folder)
        _check_round_trip(stated, contract, folder)
        weights = folder / OPEN_CLIP_WEIGHTS_FILE
        with written_whole(folder / config.OPEN_CLIP_CONFIG_FILE) as description, written_whole(weights) as file:
            write_tensors(file, tensors, {"format": "pt"})
            description.write((json.dumps(stated, indent=2, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise WeightsError(write_error_text(folder, error)) from error


def weights_in(folder: Path) -> Path:
    """The weight file of a folder. Raises WeightsError if there is none, or if several could be meant."""
    for name in OPEN_CLIP_WEIGHT_FILES:
        if (folder / name).is_file():
            return folder / name
    others = sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".pt", ".pth", ".bin"))
    if len(others) == 1:
        return others[0]
    if others:
        names = ", ".join(path.name for path in others[:8])
        raise WeightsError(f"{folder} holds several weight files ({names}): name the one that is meant")
    raise WeightsError(f"{folder} holds no weights: none of {', '.join(OPEN_CLIP_WEIGHT_FILES)} is there")


def _configured(path: Path, choices: Choices) -> Contract:
    """The contract of the configuration, which the choices must not contradict."""
    contract = config.read(read_json(path), path.parent, str(path))
    tower = contract.text.tower
    choices.agree(path, activation=tower.activation)
    if choices.architecture:
        base, quick = _architecture(choices.architecture)
        if quick and tower.activation != "quickgelu":
            choices.agree(path, architecture=base)
        if _sizes(preset(base)) != _sizes(contract):
            choices.agree(path, architecture="of other sizes")
    return contract


def _named_architecture(file: Path, tensors: Mapping[str, StoredTensor], choices: Choices) -> Contract:
    """The contract of the user's architecture, with the activation from its name or from the user."""
    if choices.architecture is None:
        fitting = _fitting(tensors)
        open_points: dict[str, tuple[str, ...]] = {"architecture": fitting}
        if choices.activation is None and (not fitting or set(fitting) & set(BOTH_ACTIVATIONS)):
            open_points["activation"] = PUBLISHED_ACTIVATIONS
        raise missing_choice_error(file, open_points)
    base, quick = _architecture(choices.architecture)
    contract = preset(base)
    activation = contract.text.tower.activation
    if quick:
        activation = "quickgelu"
    elif base in BOTH_ACTIVATIONS:
        if choices.activation is None:
            raise missing_choice_error(file, {"activation": PUBLISHED_ACTIVATIONS})
        activation = "quickgelu" if choices.activation == "quickgelu" else "gelu"
    choices.agree(choices.architecture, activation=activation)
    contract = contract.with_activation(activation) if base in BOTH_ACTIVATIONS else contract
    if contract.text.tokenizer.file is not None:
        settings = tokenizer_files.find(file.parent, f"the architecture {base}")
        contract = contract.replace(text=dataclasses.replace(contract.text, tokenizer=settings.tokenizer))
    given = ", ".join(f"{name} {chosen}" for name, chosen in choices.given().items() if name != "image_size")
    implied = "implied by it: heads, mean and std, resize rule, tokenizer"
    made_from = f"open_clip, state dict {one_line(file.name)}; given: {given}; {implied}"
    return contract.replace(name=file.stem, provenance=Provenance(converted_from=made_from), licence=None)


def _architecture(name: str) -> tuple[str, bool]:
    """(preset, whether the name says QuickGELU). Raises ContractError for an unknown name."""
    base = name.removesuffix(QUICKGELU_SUFFIX)
    quick = base != name
    if quick and base not in BOTH_ACTIVATIONS:
        raise ContraltoError(
            f"no architecture is called {one_line(name)!r}: -quickgelu goes with {', '.join(BOTH_ACTIVATIONS)}"
        )
    preset(base)
    return base, quick


def _sizes(contract: Contract) -> tuple[object, ...]:
    """The facts that contracts of one architecture share."""
    plain = contract.with_activation("gelu")
    return plain.image.tower, plain.image.size, plain.text.tower, plain.text.context, plain.embedding


def _fitting(tensors: Mapping[str, StoredTensor]) -> tuple[str, ...]:
    """The presets whose tensors have exactly these names and shapes."""
    given = {name: stored.shape for name, stored in tensors.items()}
    skipped, how = set(layout.ignored(tensors)), layout.spelling(tensors)
    given = {name: shape for name, shape in given.items() if name not in skipped}
    fitting = []
    for name in presets():
        contract = preset(name)
        if isinstance(contract.text.tower, CausalText):
            try:
                wanted = foreign_shapes(layout.parts(contract, how), expected(contract))
            except WeightsError:
                continue
            if wanted == given:
                fitting.append(name)
    return tuple(fitting)


def _check_round_trip(stated: Mapping[str, Any], contract: Contract, folder: Path) -> None:
    """Raises ContraltoError if reading the configuration would not give the same contract."""
    back = config.read(stated, folder, config.OPEN_CLIP_CONFIG_FILE)
    back = back.replace(
        score=dataclasses.replace(contract.score, rule=back.score.rule),
        weights=contract.weights,
        provenance=contract.provenance,
    )
    if lost := _differences("", to_json(contract), to_json(back)):
        raise ContraltoError(f"{contract.name} cannot be written for open_clip, which has no field for {lost[0]}")


def _differences(name: str, one: Any, other: Any) -> list[str]:
    """Dotted names of the fields in which two contracts differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [*one, *(key for key in other if key not in one)]
        pairs = ((f"{name}.{key}".lstrip("."), one.get(key), other.get(key)) for key in keys)
        return [field for pair in pairs for field in _differences(*pair)]
    return [] if one == other else [name]
