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
from contralto.encoder import base_of
from contralto.encoder.adapted import changed
from contralto.encoder.clip import Clip
from contralto.encoder.loaded_adaptation import LoadedAdaptation
from contralto.encoder.samples import DrawnSamples
from contralto.encoder.torch_model import NANO
from contralto.errors import ContraltoError, one_line
from contralto.text import tokenizer
from contralto.weights import from_path as files
from contralto.weights.adaptation import StoredAdaptation
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.choices import Choices


def load(
    source: str | os.PathLike[str] = "nano",
    *,
    base: str | os.PathLike[str] | None = None,
    mix: float = 1.0,
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
        transformers. (A folder called nano: "./nano".) Or the folder of an adaptation, as `contralto adapt` and PEFT
        (LoRA) write it.
    base: the model that the adaptation was made for, where its folder does not name it or where that moved. mix: how
        much of the adaptation counts, from 0 (the base) to 1: weights are base + mix x change; logits of a classifier
        are (1 - mix) zero-shot + mix adapted. Only for an adaptation; architecture ... revision then describe the base.
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
    running: dict[str, Any] = {"engine": engine, "precision": precision, "device": device, "reproducible": reproducible}
    choices = Choices(architecture, activation, image_size)
    reading: dict[str, Any] = {"decode": decode, "alpha": alpha, "revision": revision, **vars(choices)}
    _check(source, base, mix, progress, running | reading)

    def read(name: str | os.PathLike[str]) -> Checkpoint:
        return _with_alpha(_checkpoint(name, choices, revision, progress), alpha)

    def again(name: str | os.PathLike[str], **options: Any) -> Callable[[], Clip]:
        return functools.partial(load, _lasting(name), **options, **running, **reading)

    if base_of.is_adaptation(source):
        return _adapted(source, base, float(mix), read, again, decode=decode, **running)
    return _clip(read(source), again(source), decode=decode, **running)


def adapted_clip(clip: Clip, stored: StoredAdaptation, mix: float = 1.0) -> Clip:
    """`clip` with an adaptation that need not lie on disk; the tensors that it does not change are shared.

    It has the options of `clip`, and cannot be pickled. Raises WeightsError if the adaptation does not fit.
    """
    before, after = clip.checkpoint, changed(clip.checkpoint, stored, mix)
    options: dict[str, Any] = {"engine": clip.engine, "device": clip.device}
    options |= {"precision": _loading(clip).keywords["precision"]}
    options |= {"decode": clip.decode, "reproducible": clip.reproducible}
    adaptation = LoadedAdaptation(base_of.OnBase(stored, before, source_of(clip)), mix, lambda engine: clip)
    return _clip(after, None, **options, adaptation=adaptation)


def source_of(clip: Clip) -> str:
    """What `load` read `clip` from: a name, or an absolute path. Raises ContraltoError if `load` did not make it."""
    return os.fsdecode(_loading(clip).args[0])


def _loading(clip: Clip) -> functools.partial[Clip]:
    """The call of `load` that made the Clip, which is what its pickle holds."""
    try:
        made = clip.__reduce__()[0]
    except TypeError:
        made = None
    if not isinstance(made, functools.partial):
        raise ContraltoError(f"{clip.contract.name} was not made by contralto.load: load it from its name or path")
    return made


def _check(source: Any, base: Any, mix: Any, progress: Any, options: dict[str, Any]) -> None:
    """Raises ContraltoError for arguments that `load` does not take. Names of engines are checked where one starts."""
    arguments.path(source, "source", "the name of a model or a path")
    arguments.one_of(options["decode"], "decode", ("exact", "scaled"))
    arguments.one_of(options["alpha"], "alpha", ("white", "drop"))
    arguments.word(options["device"], "device")
    arguments.flag(options["reproducible"], "reproducible")
    arguments.function(progress, "progress", "bytes done, bytes in all")
    if options["revision"] is not None:
        arguments.word(options["revision"], "revision")
    arguments.number(mix, "mix", 0, 1)
    if base is not None:
        arguments.path(base, "base", "the name of a model or a path")
    if (base is not None or mix != 1) and not base_of.is_adaptation(source):
        shown = one_line(os.fsdecode(source), 200)
        raise ContraltoError(f"base and mix belong to an adaptation, and {shown} is none")


def _clip(
    checkpoint: Checkpoint,
    reload: Callable[[], Clip] | None,
    *,
    decode: Literal["exact", "scaled"],
    engine: str,
    precision: str,
    device: str,
    reproducible: bool,
    started: engines.Engine | None = None,
    adaptation: LoadedAdaptation | None = None,
) -> Clip:
    """The Clip of a checkpoint, with its tokenizer and engine. started: an engine of the same checkpoint, to share."""
    words = tokenizer.load(checkpoint.contract.text, checkpoint.folder)
    if started is None:
        # Measurements may differ between processes, and so would the bits: without samples, auto is fp32.
        samples = None if reproducible and precision == "auto" else DrawnSamples(checkpoint.contract, words)
        started = engines.start(checkpoint, samples, engine=engine, precision=precision, device=device)
    keeps: dict[str, Any] = {"decode": decode, "reproducible": reproducible, "reload": reload}
    pooler = None if adaptation is None else adaptation.pooler
    return Clip(checkpoint, words, started, **keeps, adaptation=adaptation, pooler=pooler)


def _adapted(
    source: str | os.PathLike[str],
    base: str | os.PathLike[str] | None,
    mix: float,
    read: base_of.Reader,
    again: Callable[..., Callable[[], Clip]],
    **options: Any,
) -> Clip:
    """The Clip of an adaptation on its base. Where the towers stay as they are, its `base` has the same engine."""
    on_base = base_of.read(source, base, read)
    before, after = on_base.checkpoint, changed(on_base.checkpoint, on_base.stored, mix)

    def make_base(engine: engines.Engine) -> Clip:
        return _clip(before, again(on_base.source), **options, started=engine if after is before else None)

    adaptation = LoadedAdaptation(on_base, mix, make_base)
    reload = again(source, base=None if base is None else _lasting(base), mix=mix)
    return _clip(after, reload, **options, adaptation=adaptation)


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
