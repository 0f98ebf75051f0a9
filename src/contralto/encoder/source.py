"""From what a user names to a Clip."""

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
from contralto.encoder.native import NANO
from contralto.encoder.samples import Samples
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
    """A model, ready for use. Its towers are read when they are first needed.

    source: "nano", the model inside the package; a name that `contralto models` lists ("ViT-B-32/openai"), downloaded
        once and from then on found without a connection, also as the field writes it ("ViT-B/32",
        "ViT-B-32::openai"); "hf:OWNER/NAME", a repository of the hub; or the path of a folder or file: native, OpenAI's
        archive, open_clip's, transformers'. (A folder called nano: "./nano".)
    engine: auto, openvino, eager (PyTorch), compiled (torch.compile; auto on a GPU). device: auto (the CPU), cpu, cuda,
        cuda:N.
    precision: auto, fp32, bf16, fp16, int8. auto is fp32 for a little work: the first 63 pictures and 255 texts. For
        much it is the fastest whose rows keep a cosine to those of fp32 (0.999 for pictures and for texts in int8, else
        0.9999), if the model was measured on this machine, or a call brings ten times the work that measuring takes.
        `clip.engine` and `clip.precision` tell what is computed with now, `clip.engine_report()` what much work takes.
    reproducible: the same bits for an item whatever stands beside it, on one machine with one number of threads, as
        items go through the engine one by one; auto is fp32 then.
    decode: "exact" gives the reference's pixels; "scaled" lets JPEGs be decoded smaller, for speed.
    alpha: what becomes of transparency, "white" or "drop"; it goes into `clip.contract`.
    architecture, activation: what a foreign file leaves open, such as "ViT-B-32" and "quickgelu". Loading stops and
        names the choices where they are needed, and where they contradict what the file states.
    image_size: pixels to whose grid the learned positions are resized (bicubic); never done unless asked for.
    revision: branch, tag or commit of a model on the hub.
    progress: called with (bytes done, bytes in all) while files are downloaded.

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
    told: dict[str, Any] = {"decode": decode, "alpha": alpha, "revision": revision, **vars(choices)}
    again = functools.partial(load, _lasting(source), **running, **told)
    words = tokenizer.load(checkpoint.contract.text, checkpoint.folder)
    # What is measured may come out otherwise in another process, and so would the bits: without samples auto is fp32.
    samples = None if reproducible and precision == "auto" else Samples(checkpoint.contract, words)
    return Clip(
        checkpoint,
        words,
        engines.start(checkpoint, samples, engine=engine, precision=precision, device=device),
        decode=decode,
        reproducible=reproducible,
        reload=again,
    )


def _checkpoint(
    source: str | os.PathLike[str],
    choices: Choices,
    revision: str | None,
    progress: Callable[[int, int], object] | None,
) -> Checkpoint:
    """A path wins over the name of a published model; "nano" is always the one inside the package."""
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
    """Whether the model inside the package is meant: always by "nano", by "Nano" where no folder is called so."""
    return name == "nano" or (name.lower() == "nano" and not Path(name).exists())


def _lasting(source: str | os.PathLike[str]) -> str | Path:
    """The same source for a process that may run in another folder."""
    name = os.fsdecode(source)
    is_name = isinstance(source, str) and (_is_nano(name) or not Path(name).exists())
    return name if is_name else Path(name).absolute()


def _with_alpha(checkpoint: Checkpoint, alpha: Literal["white", "drop"]) -> Checkpoint:
    stated = checkpoint.contract
    if stated.image.alpha == alpha:
        return checkpoint
    return checkpoint.replace(stated.replace(image=dataclasses.replace(stated.image, alpha=alpha)))
