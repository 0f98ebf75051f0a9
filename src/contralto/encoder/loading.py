"""Load a Clip from the name of a model or a path."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from contralto import arguments
from contralto import engine as engines
from contralto.contract import FILE_NAME
from contralto.encoder.clip import Clip
from contralto.encoder.samples import DrawnSamples
from contralto.encoder.torch_model import NANO
from contralto.errors import ContraltoError, one_line
from contralto.text import tokenizer
from contralto.weights import from_path as files
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.choices import Choices


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
    progress: Callable[[int, int], object] | None = None,
) -> Clip:
    """A model, ready for use. Each tower is loaded on first use.

    source: "nano", the model inside the package; a name that `contralto models` lists ("ViT-B-32/openai"), also in
        other libraries' spelling ("ViT-B/32", "ViT-B-32::openai"), downloaded once and then cached; "hf:OWNER/NAME", a
        repository on the hub; or the path of a folder or file in the layout of Contralto, OpenAI, open_clip or
        transformers. (A folder called nano: "./nano".)
    engine: auto, openvino, eager (PyTorch), compiled (torch.compile; auto on a GPU). device: auto (the CPU), cpu, cuda,
        cuda:N.
    precision: auto, fp32, bf16, fp16, int8. auto is fp32 for the first 63 pictures and 255 texts. After that it is the
        fastest precision whose embeddings keep a cosine to fp32 (0.999 for pictures and for texts in int8, else
        0.9999), if the model was measured on this machine, or if a call brings ten times the work of measuring.
        `clip.engine` and `clip.precision` state the current choice, `clip.engine_report()` the one for large amounts of
        work.
    reproducible: the bits of an embedding do not depend on the other items, on one machine with one number of threads:
        items go through the engine one by one, and auto is fp32.
    decode: "exact" gives the reference's pixels; "scaled" decodes large JPEGs at a smaller size, which is faster.
    alpha: how transparency is removed, "white" or "drop"; it becomes part of `clip.contract`.
    architecture, activation: facts that a foreign file may not state, such as "ViT-B-32" and "quickgelu". An error
        names the choices if one is needed, or if the given one contradicts the file.
    image_size: resizes the learned positions (bicubic) for pictures of this side in pixels.
    revision: branch, tag or commit of a model on the hub.
    progress: called with (bytes done, bytes in total) during a download.

    Raises ContraltoError.
    """
    arguments.path(source, "source", "the name of a model or a path")
    arguments.one_of(decode, "decode", ("exact", "scaled"))
    arguments.one_of(alpha, "alpha", ("white", "drop"))
    arguments.word(device, "device")
    arguments.flag(reproducible, "reproducible")
    arguments.function(progress, "progress", "bytes done, bytes in all")
    if revision is not None:
        arguments.word(revision, "revision")
    choices = Choices(architecture, activation, image_size)
    checkpoint = _with_alpha(_checkpoint(source, choices, revision, progress), alpha)
    running: dict[str, Any] = {"engine": engine, "precision": precision, "device": device, "reproducible": reproducible}
    reading: dict[str, Any] = {"decode": decode, "alpha": alpha, "revision": revision, **vars(choices)}
    reload = functools.partial(load, _lasting(source), **running, **reading)
    return _clip(checkpoint, decode, reload, **running)


def _clip(
    checkpoint: Checkpoint,
    decode: Literal["exact", "scaled"],
    reload: Callable[[], Clip],
    *,
    engine: str,
    precision: str,
    device: str,
    reproducible: bool,
) -> Clip:
    """The Clip of a checkpoint, with its tokenizer and engine."""
    words = tokenizer.load(checkpoint.contract.text, checkpoint.folder)
    # Measurements may differ between processes, and so would the bits: without samples, auto is fp32.
    samples = None if reproducible and precision == "auto" else DrawnSamples(checkpoint.contract, words)
    running = engines.start(checkpoint, samples, engine=engine, precision=precision, device=device)
    return Clip(checkpoint, words, running, decode=decode, reproducible=reproducible, reload=reload)


def _checkpoint(
    source: str | os.PathLike[str],
    choices: Choices,
    revision: str | None,
    progress: Callable[[int, int], object] | None,
) -> Checkpoint:
    """An existing path takes precedence over a published name; "nano" is always the model inside the package."""
    name = os.fsdecode(source)
    named = isinstance(source, str)
    local = NANO if named and _is_nano(name) else Path(name)
    if named and not local.exists():
        from contralto.weights import from_name

        return from_name.read(name, choices, revision=revision, progress=progress)
    if revision is not None:
        raise ContraltoError(
            f"revision={revision!r} cannot be set: {one_line(name, 200)} is on this machine, not the hub"
        )
    if local is NANO and not (NANO / FILE_NAME).is_file():
        raise ContraltoError(f"the model 'nano' is missing from this installation ({NANO}): install contralto again")
    return files.read(local, choices)


def _is_nano(name: str) -> bool:
    """Whether the name means the model inside the package: "nano" always does, "Nano" if no such path exists."""
    return name == "nano" or (name.lower() == "nano" and not Path(name).exists())


def _lasting(source: str | os.PathLike[str]) -> str | Path:
    """The source in a form that stays valid in another working folder."""
    name = os.fsdecode(source)
    is_name = isinstance(source, str) and (_is_nano(name) or not Path(name).exists())
    return name if is_name else Path(name).absolute()


def _with_alpha(checkpoint: Checkpoint, alpha: Literal["white", "drop"]) -> Checkpoint:
    stated = checkpoint.contract
    if stated.image.alpha == alpha:
        return checkpoint
    return checkpoint.replace(stated.replace(image=dataclasses.replace(stated.image, alpha=alpha)))
