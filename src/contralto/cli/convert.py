"""Saves a model in another layout. The weights stay the same, bit for bit.

native: contralto.json, model.safetensors, graphs and golden embeddings. open_clip and transformers: folders that these
libraries load. At the end, the command reads the new folder back and compares every tensor.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from contralto.cli import options as shared
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import OK
from contralto.errors import ContraltoError
from contralto.files import require_folder

if TYPE_CHECKING:
    from contralto.encoder import Clip

LAYOUTS = ("native", "open_clip", "transformers")


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto convert`."""
    parser.add_argument("source", metavar="SOURCE", help="name (see contralto models), folder or file of a model")
    parser.add_argument("folder", metavar="FOLDER", help="output folder; created if it does not exist")
    parser.add_argument("--to", required=True, choices=LAYOUTS, help=", ".join(LAYOUTS))
    parser.add_argument("--force", action="store_true", help="write into the folder even if it is not empty")
    shared.add_foreign_options(parser)
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Loads the model, saves it, reads it back and compares."""
    from contralto.encoder import golden, load

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
    console.saved_work = f"{args.folder} may be incomplete"
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
        console.line(f"{printable(args.folder)}: {written.contract.name} in the {args.to} layout, {tensors}")
    return OK


def _would_overwrite(target: Path, clip: Clip) -> bool:
    """Whether the target holds a file of the model, directly or through a link, that the command would overwrite."""
    folder, model_files = clip.checkpoint.folder, clip.checkpoint.files
    present = [path for path in target.iterdir() if path.is_file()] if target.is_dir() else []
    return (target.exists() and folder.samefile(target)) or any(a.samefile(b) for a in present for b in model_files)


def _compare(source: Clip, written: Clip) -> None:
    """Raises ContraltoError unless every tensor of the copy equals the source, bit for bit."""
    for name in source.checkpoint:
        before, after = source.checkpoint.stored(name), written.checkpoint.stored(name)
        if before.dtype != after.dtype or before.array.tobytes() != after.array.tobytes():
            raise ContraltoError(f"tensor {name!r} differs in the copy: do not use the copy")
