"""Trains a model by a recipe, a Python file with a function recipe(). Run again, it goes on from where it was."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from contralto.cli import options as shared
from contralto.cli.console import Console, shown
from contralto.cli.outcome import OK
from contralto.errors import ContraltoError, MissingExtraError

if TYPE_CHECKING:
    from contralto.train.recipe import Recipe


def options(parser: argparse.ArgumentParser) -> None:
    """What `contralto train` takes."""
    parser.add_argument("recipe", metavar="RECIPE", help="a Python file with a function recipe(); it is executed")
    parser.add_argument("--out", metavar="DIR", help="folder of the run (default: runs/ and the recipe's name)")
    parser.add_argument("--steps", type=shared.positive, metavar="N", help="stop after this many steps in all")
    shared.common(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Runs the recipe and prints the folder that holds the model."""
    try:
        from contralto.train import loop
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "contralto":
            raise
        raise MissingExtraError("training", "train") from error
    recipe = _recipe(Path(args.recipe))
    out = Path(args.out) if args.out else Path("runs") / recipe.name
    console.kept = f"what was trained is kept in {shown(str(out))}"
    loop.run(recipe, out, progress=not args.quiet, steps=args.steps)
    console.record({"out": str(out)}) if console.json else console.line(shown(str(out)))
    return OK


def _recipe(path: Path) -> Recipe:
    """What the file's function recipe() returns."""
    from contralto.train.recipe import Recipe

    if not path.is_file():
        raise ContraltoError(f"{shown(str(path))}: there is no such recipe file")
    spec = importlib.util.spec_from_file_location("contralto_recipe", path)
    if path.suffix != ".py" or spec is None or spec.loader is None:
        raise ContraltoError(f"{shown(str(path))}: a recipe is a Python file, its name ends in .py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise ContraltoError(f"{shown(str(path))}: line {error.lineno}: {error.msg}") from error
    if not callable(getattr(module, "recipe", None)):
        raise ContraltoError(f"{shown(str(path))}: has no function recipe()")
    recipe = module.recipe()
    if not isinstance(recipe, Recipe):
        raise ContraltoError(f"{shown(str(path))}: recipe() returned a {type(recipe).__name__}, not a Recipe")
    return recipe
