"""From what a user names to a Clip."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import os
from pathlib import Path
from typing import Literal

from contralto import contract
from contralto import engine as engines
from contralto.contract import FILE_NAME
from contralto.encoder.clip import Clip
from contralto.encoder.native import NANO
from contralto.errors import ContraltoError, one_line
from contralto.text import tokenizer
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.native import read

NAMES = {"nano": NANO}


def load(
    source: str | os.PathLike[str] = "nano",
    *,
    engine: str = "auto",
    precision: str = "auto",
    device: str = "auto",
    reproducible: bool = False,
    decode: Literal["exact", "scaled"] = "exact",
    alpha: Literal["white", "drop"] = "white",
    architecture: str | None = None,
    activation: str | None = None,
    image_size: int | None = None,
    revision: str | None = None,
) -> Clip:
    """A model, ready for use. Its towers are read when they are first needed.

    source: "nano", the model inside the package, or the path of a folder in the native layout (a folder that is
        called nano: "./nano").
    engine: auto, eager (PyTorch), openvino. precision: auto, fp32, bf16. device: auto, cpu. `clip.engine` and
        `clip.precision` tell what auto chose.
    reproducible: the same bits for an item whatever stands beside it, on one machine with one number of threads.
        Items go through the engine one by one: about 0.7 of the speed for pictures, 0.25 for short texts.
    decode: "exact" gives the reference's pixels; "scaled" lets JPEGs be decoded smaller, for speed.
    alpha: what becomes of transparency, "white" or "drop"; it goes into `clip.contract`.
    architecture, activation, image_size, revision: what foreign files leave open. A native folder states it all, so
        here they are errors.

    Raises ContraltoError.
    """
    open_points = {
        "architecture": architecture, "activation": activation, "image_size": image_size, "revision": revision
    }  # fmt: skip
    for name, value in open_points.items():
        if value is not None:
            raise ContraltoError(f"{name}={value!r} cannot be set: {source} is native, its {FILE_NAME} states it all")
    for name, value, known in (("decode", decode, ("exact", "scaled")), ("alpha", alpha, ("white", "drop"))):
        if value not in known:
            raise ContraltoError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    folder = _folder(source)
    checkpoint = _with_alpha(read(folder), alpha)
    again = functools.partial(
        load,
        folder.absolute(),
        engine=engine,
        precision=precision,
        device=device,
        reproducible=reproducible,
        decode=decode,
        alpha=alpha,
    )
    return Clip(
        checkpoint,
        tokenizer.load(checkpoint.contract.text, folder),
        engines.start(checkpoint, engine=engine, precision=precision, device=device),
        decode=decode,
        reproducible=reproducible,
        reload=again,
    )


def _folder(source: str | os.PathLike[str]) -> Path:
    """The native folder that is meant, or an error that says what was found instead, and what there is."""
    name = os.fsdecode(source)
    named = isinstance(source, str) and name in NAMES
    path, shown = NAMES[name] if named else Path(name), one_line(name, 200)
    if (path / FILE_NAME).is_file():
        return path
    if named:
        raise ContraltoError(f"the model '{shown}' is missing from this installation ({path}): install contralto again")
    if path.is_dir():
        raise ContraltoError(f"{shown} has no {FILE_NAME}: this version reads only folders in the native layout")
    if path.exists():
        raise ContraltoError(f"{shown} is a file: this version reads only folders in the native layout")
    if not isinstance(source, str):
        raise ContraltoError(f"there is no folder {shown}")
    architecture = name.partition("/")[0]
    if architecture in contract.presets():
        hint = f"this version reads native folders only; contralto.create('{architecture}') makes random ones"
        raise ContraltoError(f"no weights of '{shown}' are within reach: {hint}")
    close = difflib.get_close_matches(name, NAMES, n=3, cutoff=0.3) or NAMES
    raise ContraltoError(f"no model or folder is called '{shown}': there is {', '.join(close)}")


def _with_alpha(checkpoint: Checkpoint, alpha: Literal["white", "drop"]) -> Checkpoint:
    stated = checkpoint.contract
    if stated.image.alpha == alpha:
        return checkpoint
    image = dataclasses.replace(stated.image, alpha=alpha)
    return checkpoint.replace(stated.replace(image=image))
