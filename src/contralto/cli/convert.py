"""Saves a model in another layout. The weights stay the same, bit for bit, but for text positions with --stretch.

native: contralto.json, model.safetensors, graphs and golden embeddings. open_clip and transformers: folders that these
libraries load. An adaptation that changes weights is merged into them. peft: such a change alone, if its rank is low.
At the end, the command reads the new folder back and compares every tensor.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from contralto.cli import options as shared
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import OK, UsageError
from contralto.errors import ContraltoError
from contralto.files import require_folder

if TYPE_CHECKING:
    from contralto.encoder import Clip
    from contralto.weights.checkpoint import Checkpoint

LAYOUTS = ("native", "open_clip", "transformers", "peft")

ROUNDING = 1e-6  # of a weight in float32 that was added again, in parts of the tensor's largest


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto convert`."""
    parser.add_argument("source", metavar="SOURCE", help="name (see contralto models), folder or file of a model")
    parser.add_argument("folder", metavar="FOLDER", help="output folder; created if it does not exist")
    parser.add_argument("--to", choices=LAYOUTS, help=f"{', '.join(LAYOUTS)} (with --stretch: native by default)")
    help = "stretch the text positions to N tokens, 248 for 77: the first 20 stay, the rest is spread out fourfold"
    parser.add_argument("--stretch", metavar="N", type=shared.positive_int, help=help)
    parser.add_argument("--force", action="store_true", help="write into the folder even if it is not empty")
    shared.add_adaptation_options(parser)
    shared.add_foreign_options(parser)
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Loads the model, saves it, reads it back and compares."""
    if args.to is None and args.stretch is None:
        raise UsageError("contralto convert", f"give --to {'|'.join(LAYOUTS)}, or --stretch N")
    args.to = args.to or "native"
    from contralto.encoder import golden, saving
    from contralto.weights.stretch import stretched

    args.model, target = args.source, Path(args.folder)
    require_folder(target)
    source = Path(args.source)
    source = source.parent if source.is_file() else source
    same_folder = f"{printable(args.folder)} already holds this model: choose another folder"
    if source.exists() and target.exists() and source.samefile(target):
        raise ContraltoError(same_folder)
    if target.is_dir() and any(target.iterdir()) and not args.force:
        raise ContraltoError(f"{printable(args.folder)} is not empty: use --force to write into it")
    clip = shared.load_model(args, console)
    if _would_overwrite(target, clip):
        raise ContraltoError(same_folder)
    checkpoint = stretched(clip.checkpoint, args.stretch) if args.stretch else clip.checkpoint
    console.saved_work = f"{args.folder} may be incomplete"
    with console.progress("converting", 3) as advance:
        saving.save(checkpoint, str(target), args.to, clip.adaptation)
        advance()
        written = _read_back(clip, args, console)
        if args.to == "native":
            golden.write(written, target)
        advance()
        _compare(checkpoint, written, is_adapted=clip.adaptation is not None)
        advance()
    size = sum(path.stat().st_size for path in target.iterdir() if path.is_file())
    held = written.checkpoint if written.adaptation is None else written.adaptation.stored.tensors
    if console.json:
        console.record({"out": args.folder, "layout": args.to, "tensors": len(held), "bytes": size})
    else:
        equal = "equal bit for bit" if written.adaptation is None else f"equal within {ROUNDING:g}"
        tensors = f"{len(held)} tensors, {size / 1e6:,.1f} MB, read back {equal}"
        console.line(f"{printable(args.folder)}: {written.contract.name} in the {args.to} layout, {tensors}")
    return OK


def _read_back(clip: Clip, args: argparse.Namespace, console: Console) -> Clip:
    """The copy, in fp32. What peft holds is put on the base again."""
    from contralto.encoder import load

    if args.to != "peft" or clip.adaptation is None:
        return load(args.folder, precision="fp32")
    options = vars(args) | {"model": args.folder, "base": clip.adaptation.base_source, "mix": None}
    return shared.load_model(argparse.Namespace(**options), console)


def _would_overwrite(target: Path, clip: Clip) -> bool:
    """Whether the target holds a file of the model, directly or through a link, that the command would overwrite."""
    folder, model_files = clip.checkpoint.folder, clip.checkpoint.files
    present = [path for path in target.iterdir() if path.is_file()] if target.is_dir() else []
    return (target.exists() and folder.samefile(target)) or any(a.samefile(b) for a in present for b in model_files)


def _compare(source: Checkpoint, written: Clip, *, is_adapted: bool) -> None:
    """Raises ContraltoError unless every tensor of the copy equals the source, bit for bit.

    Merged weights may be stored in another dtype, with the same values. A change that is put on its base again may
    differ by rounding, relative to the largest number of the tensor.
    """
    for name in source:
        before, after = source.stored(name), written.checkpoint.stored(name)
        same = before.dtype == after.dtype and before.array.tobytes() == after.array.tobytes()
        if not same and is_adapted:
            values, copied = source.array(name), written.checkpoint.array(name)
            bound = 0.0 if written.adaptation is None else ROUNDING * float(abs(values).max(initial=0))
            same = bool((abs(values - copied) <= bound).all())
        if not same:
            raise ContraltoError(f"tensor {name!r} differs in the copy: do not use the copy")
