"""A model from whatever lies at a path: what it is, is read from its files and keys, never from its name.

A folder: native (contralto.json), open_clip's (open_clip_config.json), transformers' (config.json). A file: OpenAI's
archive, LongCLIP's, an open_clip state dict, or one of a folder's, which is then read with the folder's configuration.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from contralto.contract import FILE_NAME, Contract
from contralto.errors import ContraltoError, WeightsError, one_line
from contralto.weights import container, native, open_clip, openai, positions, transformers
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.choices import NONE, Choices
from contralto.weights.open_clip.config import FILE_NAME as OPEN_CLIP
from contralto.weights.open_clip.files import weights_in

TRANSFORMERS = "config.json"

# Beginnings of names that only models have which are not built here.
NOT_BUILT = {
    "text_decoder.": "CoCa",
    "text.cls_emb": "CoCa",
    "text.transformer.embeddings.": "an open_clip model with a text tower of transformers",
    "visual_encoder.": "BLIP",
    "qformer.": "BLIP-2",
}


def read(path: str | Path, choices: Choices = NONE) -> Checkpoint:
    """The model at `path`, a folder or a file; nothing in it is executed.

    choices: what the file leaves open, and the size to which positions are to be resized. Raises ContraltoError: for
    any choice if the model is native, for one that contradicts the file, or that is missing.
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
    theirs = [name for name in (OPEN_CLIP, TRANSFORMERS) if (folder / name).is_file()]
    if len(theirs) == 2:  # many a repository has both, and weights in either layout or in both
        names = container.read(weights_in(folder)).tensors
        theirs.remove(OPEN_CLIP if _make(names, folder) == "transformers" else TRANSFORMERS)
    if not theirs:
        looked = f"none of {FILE_NAME}, {OPEN_CLIP}, {TRANSFORMERS} is there"
        raise WeightsError(f"{one_line(str(folder))} holds no model: {looked}; name the weight file if there is one")
    return open_clip.read(folder, choices) if theirs == [OPEN_CLIP] else transformers.read(folder, choices)


def _file(path: Path, choices: Choices) -> Checkpoint:
    shown, folder = one_line(str(path)), path.parent
    if not path.exists():
        raise WeightsError(f"there is no file or folder {shown}")
    if (folder / FILE_NAME).is_file() and (stated := Contract.read(folder).weights) and stated.file == path.name:
        return _native(folder, choices)
    if path.suffix == ".json" and not path.name.endswith(".index.json"):
        raise WeightsError(f"{shown} is a configuration: name its folder, or the weight file")
    tensors = container.read(path).tensors
    match _make(tensors, path):
        case "openai":
            return openai.read(path, choices)
        case "open_clip":
            return open_clip.read(path, choices)
        case "native":
            raise WeightsError(f"{shown} has Contralto's tensors, but no {FILE_NAME} beside it names it: it is needed")
    if not (folder / TRANSFORMERS).is_file():
        raise WeightsError(f"{shown} has transformers' tensors, but no {TRANSFORMERS} lies beside it: it is needed")
    checkpoint = transformers.read(folder, choices)
    stated = checkpoint.contract.weights
    if path not in checkpoint.files and not (stated and stated.file == path.name):
        raise WeightsError(f"{shown} is not the file that is read in its folder, which is {checkpoint.files[0].name}")
    return checkpoint


def _native(folder: Path, choices: Choices) -> Checkpoint:
    for name, value in choices.given().items():
        raise ContraltoError(f"{name}={value!r} cannot be set: {folder} is native, its {FILE_NAME} states it all")
    return native.read(folder)


def _make(names: Iterable[str], where: Path) -> str:
    """Whose tensors these are: openai, open_clip, transformers, native. Raises WeightsError for anyone else's."""
    known = list(names)
    for beginning, what in NOT_BUILT.items():
        if any(name.startswith(beginning) for name in known):
            raise WeightsError(f"{one_line(str(where))} is {what}, which Contralto does not build")
    if openai.is_settled(known):
        return "openai"
    for beginning, make in (("visual.", "open_clip"), ("vision_model.", "transformers"), ("image.", "native")):
        if any(name.startswith(beginning) for name in known):
            return make
    first = ", ".join(one_line(name, 60) for name in known[:3]) or "nothing"
    looked = "visual.* (OpenAI, open_clip), vision_model.* (transformers), image.* (native)"
    raise WeightsError(f"{one_line(str(where))} is no CLIP: it holds {first} ..., where {looked} was looked for")
