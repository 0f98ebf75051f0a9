"""Trains a model by a recipe: one that comes with Contralto, by its name, or a Python file with a function recipe().

Run again, it goes on from where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from contralto.cli import options as shared
from contralto.cli.console import Console, shown
from contralto.cli.outcome import OK, Usage
from contralto.errors import MissingExtraError


def options(parser: argparse.ArgumentParser) -> None:
    """What `contralto train` takes."""
    help = "tiny, nano, or a Python file with a function recipe(); it is executed"
    parser.add_argument("recipe", metavar="RECIPE", nargs="?", help=help)
    parser.add_argument("--out", metavar="DIR", help="folder of the run (default: runs/ and the recipe's name)")
    parser.add_argument("--steps", type=shared.positive, metavar="N", help="stop after this many steps in all")
    parser.add_argument("--list", action="store_true", help="the recipes that come with Contralto")
    shared.common(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Runs the recipe and prints the folder that holds the model."""
    from contralto.train import recipe_file

    if args.list:
        return _list(console)
    if args.recipe is None:
        raise Usage("contralto train", "name a RECIPE, or ask for --list")
    path = recipe_file.find(args.recipe)
    try:
        from contralto.train import loop, run_checkpoint
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "contralto":
            raise
        raise MissingExtraError("training", "train") from error
    recipe = recipe_file.load(path)
    out = Path(args.out) if args.out else Path("runs") / recipe.name
    try:
        with recipe_file.errors_located(path):
            loop.run(recipe, out, progress=not args.quiet, steps=args.steps)
    finally:
        kept = (out / run_checkpoint.CHECKPOINT_FILE).exists()
        console.kept = f"what was trained is kept in {shown(str(out))}" if kept else "nothing of the run is kept"
    console.record({"out": str(out)}) if console.json else console.line(shown(str(out)))
    return OK


def _list(console: Console) -> int:
    """One line a recipe."""
    from contralto.train import recipe_file

    for name, path in recipe_file.shipped().items():
        about = recipe_file.about(path)
        console.record({"recipe": name, "about": about}) if console.json else console.line(f"{name:12}  {about}")
    return OK
