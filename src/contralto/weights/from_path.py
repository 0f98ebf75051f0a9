"""Reads the model at a path. Its files and keys decide the layout, never its name.

A folder: native (contralto.json), open_clip (open_clip_config.json) or transformers (config.json). A file: OpenAI's
archive, LongCLIP's file, an open_clip state dict, or the weight file of a folder, whose configuration is then used.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, assert_never

from contralto.contract import FILE_NAME, Contract
from contralto.errors import ContraltoError, WeightsError, one_line
from contralto.weights import container, native, open_clip, openai, positions, transformers
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.choices import NO_CHOICES, Choices
from contralto.weights.open_clip.config import OPEN_CLIP_CONFIG_FILE
from contralto.weights.open_clip.folder import weights_in
from contralto.weights.transformers.folder import TRANSFORMERS_CONFIG_FILE

Layout = Literal["openai", "open_clip", "transformers", "native"]

# The prefix of each layout's image tower, but OpenAI's, which has open_clip's.
LAYOUT_PREFIXES: dict[str, Layout] = {
    "visual.": "open_clip", "vision_model.": "transformers", "owlvit.": "transformers", "owlv2.": "transformers",
    "image.": "native",
}  # fmt: skip

# Prefixes of tensors that occur only in models that Contralto does not build.
NOT_BUILT = {
    "text_decoder.": "CoCa",
    "text.cls_emb": "CoCa",
    "text.transformer.embeddings.": "an open_clip model with a text tower of transformers",
    "visual_encoder.": "BLIP",
    "qformer.": "BLIP-2",
}


def read(path: str | Path, choices: Choices = NO_CHOICES) -> Checkpoint:
    """Reads the model at `path`, a folder or a file. No code in it is executed.

    choices: for points that the file leaves open, and image_size to resize positions. Raises ContraltoError if a
    choice is missing, contradicts the file, or is given for a native model.
    """
    path = Path(path)
    try:
        checkpoint = _folder(path, choices) if path.is_dir() else _file(path, choices)
    except OSError as error:
        raise WeightsError(f"{one_line(str(path))}: {error.strerror or error}") from error
    return positions.resized(checkpoint, choices.image_size) if choices.image_size else checkpoint


def _folder(folder: Path, choices: Choices) -> Checkpoint:
    if (folder / FILE_NAME).is_file():
        return _native(folder, choices)
    theirs = [name for name in (OPEN_CLIP_CONFIG_FILE, TRANSFORMERS_CONFIG_FILE) if (folder / name).is_file()]
    if len(theirs) == 2:  # many repositories have both, with weights in one or both layouts
        names = container.read(weights_in(folder)).tensors
        is_transformers = _layout_of(names, folder) == "transformers"
        theirs.remove(OPEN_CLIP_CONFIG_FILE if is_transformers else TRANSFORMERS_CONFIG_FILE)
    if not theirs:
        looked = f"none of {FILE_NAME}, {OPEN_CLIP_CONFIG_FILE}, {TRANSFORMERS_CONFIG_FILE} is there"
        raise WeightsError(f"{one_line(str(folder))} holds no model: {looked}; name the weight file if there is one")
    return open_clip.read(folder, choices) if theirs == [OPEN_CLIP_CONFIG_FILE] else transformers.read(folder, choices)


def _file(path: Path, choices: Choices) -> Checkpoint:
    shown, folder = one_line(str(path)), path.parent
    if not path.exists():
        raise WeightsError(f"there is no file or folder {shown}")
    if (folder / FILE_NAME).is_file() and (stated := Contract.read(folder).weights) and stated.file == path.name:
        return _native(folder, choices)
    if path.suffix == ".json" and not path.name.endswith(".index.json"):
        raise WeightsError(f"{shown} is a configuration: name its folder, or the weight file")
    tensors = container.read(path).tensors
    match _layout_of(tensors, path):
        case "openai":
            return openai.read(path, choices)
        case "open_clip":
            return open_clip.read(path, choices)
        case "native":
            raise WeightsError(f"{shown} has Contralto's tensors, but no {FILE_NAME} next to it names it: it is needed")
        case "transformers":
            return _transformers(path, choices)
        case _ as unknown:
            assert_never(unknown)


def _transformers(path: Path, choices: Choices) -> Checkpoint:
    shown, folder = one_line(str(path)), path.parent
    if not (folder / TRANSFORMERS_CONFIG_FILE).is_file():
        fault = f"has transformers' tensors, but no {TRANSFORMERS_CONFIG_FILE} is next to it: it is needed"
        raise WeightsError(f"{shown} {fault}")
    checkpoint = transformers.read(folder, choices)
    stated = checkpoint.contract.weights
    if path not in checkpoint.files and not (stated and stated.file == path.name):
        raise WeightsError(f"{shown} is not the file that is read in its folder, which is {checkpoint.files[0].name}")
    return checkpoint


def _native(folder: Path, choices: Choices) -> Checkpoint:
    for name, value in choices.given().items():
        raise ContraltoError(f"{name}={value!r} cannot be set: {folder} is native, its {FILE_NAME} states it all")
    return native.read(folder)


def _layout_of(names: Iterable[str], where: Path) -> Layout:
    """The layout of tensors with these names. Raises WeightsError if it is none of the four."""
    known = list(names)
    for beginning, what in NOT_BUILT.items():
        if any(name.startswith(beginning) for name in known):
            raise WeightsError(f"{one_line(str(where))} is {what}, which Contralto does not build")
    if openai.is_settled(known):
        return "openai"
    for prefix, layout in LAYOUT_PREFIXES.items():
        if any(name.startswith(prefix) for name in known):
            return layout
    first = ", ".join(one_line(name, 60) for name in known[:3]) or "nothing"
    looked = "visual.* (OpenAI, open_clip), vision_model.* (transformers), image.* (native)"
    raise WeightsError(f"{one_line(str(where))} is no CLIP: it holds {first} ..., where {looked} was looked for")
