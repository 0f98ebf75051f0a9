"""Trains a model with a recipe: the name of one that ships with Contralto, or a Python file with a function recipe().

Run the same command again to continue an interrupted run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from contralto.cli import options as shared
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import OK, UsageError
from contralto.errors import MissingExtraError


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto train`."""
    help = "tiny, nano, or a Python file with a function recipe(); the file is executed"
    parser.add_argument("recipe", metavar="RECIPE", nargs="?", help=help)
    parser.add_argument(
        "--out", metavar="DIR", help="folder of the run (default: runs/NAME, with the name of the recipe)"
    )
    parser.add_argument("--steps", type=shared.positive_int, metavar="N", help="stop after this total number of steps")
    parser.add_argument("--list", action="store_true", help="list the recipes that ship with Contralto")
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Runs the recipe and prints the folder of the model."""
    from contralto.train import recipe_file

    if args.list:
        return _list(console)
    if args.recipe is None:
        raise UsageError("contralto train", "give a RECIPE, or --list")
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
        saved = (out / run_checkpoint.CHECKPOINT_FILE).exists()
        console.saved_work = f"the checkpoint is in {printable(str(out))}" if saved else "no checkpoint was saved"
    console.record({"out": str(out)}) if console.json else console.line(printable(str(out)))
    return OK


def _list(console: Console) -> int:
    """Prints one line per recipe."""
    from contralto.train import recipe_file

    for name, path in recipe_file.shipped_recipes().items():
        summary = recipe_file.summary(path)
        console.record({"recipe": name, "about": summary}) if console.json else console.line(f"{name:12}  {summary}")
    return OK
