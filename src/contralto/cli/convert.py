"""Writes a model in another layout, weights bit for bit as they are stored: nothing is locked in.

native: contralto.json, model.safetensors, graphs and golden embeddings. open_clip and transformers: folders that those
load. What was written is read back and compared before it is called done.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from contralto.cli import options as shared
from contralto.cli.console import Console, shown
from contralto.cli.outcome import OK
from contralto.errors import ContraltoError
from contralto.files import require_folder

if TYPE_CHECKING:
    from contralto.encoder import Clip

LAYOUTS = ("native", "open_clip", "transformers")


def options(parser: argparse.ArgumentParser) -> None:
    """What `contralto convert` takes."""
    parser.add_argument("source", metavar="SOURCE", help="a name (see contralto models), a folder or a file")
    parser.add_argument("folder", metavar="FOLDER", help="where it is written; made if it is not there")
    parser.add_argument("--to", required=True, choices=LAYOUTS, help=", ".join(LAYOUTS))
    parser.add_argument("--force", action="store_true", help="write into a folder that is not empty")
    shared.foreign(parser)
    shared.common(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Loads, writes, reads back."""
    from contralto.encoder import golden, load

    args.model, target = args.source, Path(args.folder)
    require_folder(target)
    source = Path(args.source)
    source = source.parent if source.is_file() else source
    model_there = f"{shown(args.folder)} is where the model lies: name another folder"
    if source.exists() and target.exists() and source.samefile(target):
        raise ContraltoError(model_there)
    if target.is_dir() and any(target.iterdir()) and not args.force:
        raise ContraltoError(f"{shown(args.folder)} is not empty: --force writes into it")
    clip = shared.load(args, console)
    if _holds(target, clip):
        raise ContraltoError(model_there)
    console.kept = f"{args.folder} may be incomplete"
    with console.progress("converting", 3) as advance:
        clip.save(target, layout=args.to)
        advance()
        written = load(target, precision="fp32")
        if args.to == "native":
            golden.write(written, target)
        advance()
        _compare(clip, written)
        advance()
    size = sum(path.stat().st_size for path in target.iterdir() if path.is_file())
    if console.json:
        console.record({"out": args.folder, "layout": args.to, "tensors": len(written.checkpoint), "bytes": size})
    else:
        tensors = f"{len(written.checkpoint)} tensors, {size / 1e6:,.1f} MB, read back equal bit for bit"
        console.line(f"{shown(args.folder)}: {written.contract.name} in the {args.to} layout, {tensors}")
    return OK


def _holds(target: Path, clip: Clip) -> bool:
    """Whether a file of the model would be written over: it lies in the target, or a link there leads to it."""
    folder, own = clip.checkpoint.folder, clip.checkpoint.files
    there = [path for path in target.iterdir() if path.is_file()] if target.is_dir() else []
    return (target.exists() and folder.samefile(target)) or any(a.samefile(b) for a in there for b in own)


def _compare(source: Clip, written: Clip) -> None:
    """Raises ContraltoError unless every tensor has arrived as it was."""
    for name in source.checkpoint:
        before, after = source.checkpoint.stored(name), written.checkpoint.stored(name)
        if before.dtype != after.dtype or before.array.tobytes() != after.array.tobytes():
            raise ContraltoError(f"tensor {name!r} was not written as it is: the copy must not be used")
