"""Finds a recipe's file by its path, or by the name of a shipped recipe, and executes it.

A recipe may import the files next to it by their plain names or relatively. The recipe's folder becomes a package, and
only modules of this package can import its files in this way. `sys.path` and other modules are unchanged, and two
recipes may have files of the same name next to them.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import difflib
import hashlib
import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from contralto.errors import ContraltoError, one_line
from contralto.train.recipe import Recipe

PREFIX = "contralto_recipe_"  # of a package name; a digest of the folder follows


def folder() -> Path:
    """The folder of the shipped recipes: in the installed package, or in the checkout."""
    package = Path(__file__).parents[1]
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parents[1] / "recipes"


def shipped_recipes() -> dict[str, Path]:
    """The shipped recipes: name -> file."""
    return {path.stem: path for path in sorted(folder().glob("*.py"))}


def summary(path: Path) -> str:
    """The first line of the file's docstring."""
    return (ast.get_docstring(ast.parse(path.read_bytes())) or "").partition("\n")[0]


def find(recipe: str) -> Path:
    """The file that `recipe` names: a path, or the name of a shipped one. Raises ContraltoError."""
    path, known, named = Path(recipe), shipped_recipes(), one_line(recipe, 200)
    if recipe in known:
        return known[recipe]
    if path.is_dir():
        raise ContraltoError(f"{named}: is a folder: name the recipe's Python file")
    if path.suffix != ".py" and (path.is_file() or path.name != recipe):
        raise ContraltoError(f"{named}: a recipe is a Python file, its name ends in .py")
    if path.suffix != ".py":
        close = difflib.get_close_matches(recipe, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}; or name a Python file"
        raise ContraltoError(f"no recipe is called {named}: {hint}")
    if not path.is_file():
        hint = f"; the one that comes with Contralto is called {path.stem}" if path.stem in known else ""
        raise ContraltoError(f"{named}: there is no such recipe file{hint}")
    return path


def load(path: Path) -> Recipe:
    """Executes the file and returns the result of its recipe(). Raises ContraltoError with the file and the line."""
    function, named = getattr(execute(path), "recipe", None), one_line(str(path), 200)
    if not callable(function):
        raise ContraltoError(f"{named}: has no function recipe()")
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise ContraltoError(f"{named}: recipe() is called without arguments: {error}") from error
    with errors_located(path):
        recipe = function()
    if not isinstance(recipe, Recipe):
        raise ContraltoError(f"{named}: recipe() returned a {type(recipe).__name__}, not a Recipe")
    return recipe


def execute(path: Path) -> ModuleType:
    """Executes the file as a new module, with the files next to it. Raises ContraltoError with file and line."""
    file = Path(os.path.abspath(path))
    package = _package(file)
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{package}.")]:
        del sys.modules[name]
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    sys.modules[package] = ModuleType(package)
    sys.modules[package].__path__ = [str(file.parent)]
    name = f"{package}.{file.stem.replace('.', '_')}"
    loader = _Loader(name, str(file))
    spec = spec_from_file_location(name, file, loader=loader)
    assert spec is not None
    module = sys.modules[name] = module_from_spec(spec)
    with errors_located(path):
        loader.exec_module(module)
    return module


@contextlib.contextmanager
def errors_located(path: Path) -> Iterator[None]:
    """Turns an error from the recipe at `path`, or from a file next to it, into a ContraltoError with the file and the
    line. Other errors pass."""
    try:
        yield
    except (Exception, SystemExit) as error:
        place = _place(error, path)
        if place is None:
            raise
        message = _message(error).replace(f"{_package(path)}.", "")
        raise ContraltoError(f"{one_line(place, 200)}: {message}") from error


def _place(error: BaseException, path: Path) -> str | None:
    """FILE:LINE of the innermost line of the recipe's package in the traceback, below the folder of `path`."""
    root = Path(os.path.abspath(path)).parent
    places = [
        (Path(frame.f_code.co_filename), line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).startswith(f"{_package(path)}.")
    ]
    if isinstance(error, SyntaxError) and error.filename is not None:
        places.append((Path(error.filename), error.lineno or 1))
    within = [(file.relative_to(root), line) for file, line in places if file.is_relative_to(root)]
    if not within:
        return str(path) if isinstance(error, SyntaxError) else None  # a file with null bytes has no line
    return f"{path.parent / within[-1][0]}:{within[-1][1]}"


def _message(error: BaseException) -> str:
    """The error in one line, with the name of its type unless it is a ContraltoError."""
    said = error.msg if isinstance(error, SyntaxError) else str(error).strip().partition("\n")[0]
    named = said if isinstance(error, ContraltoError) else f"{type(error).__name__}: {said}"
    return named if said else type(error).__name__


def _package(path: Path) -> str:
    """The package name of a recipe's folder."""
    folder = os.path.dirname(os.path.abspath(path))
    return PREFIX + hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]


class _Finder:
    """Finds modules of recipes' packages only."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if path is None or not name.startswith(PREFIX):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    """Loads a module with an `__import__` that finds the files next to it by their plain names."""

    def exec_module(self, module: ModuleType) -> None:
        package = module.__name__.partition(".")[0]
        module.__dict__["__builtins__"] = vars(builtins) | {"__import__": _importer(package)}
        super().exec_module(module)

    def set_data(self, path: str, data: object, *, _mode: int = 0) -> None:
        """Writes no bytecode into the user's folder."""


def _importer(package: str) -> Callable[..., ModuleType]:
    """The `__import__` of the modules of `package`."""
    folder = sys.modules[package].__path__

    def near(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        top = name.partition(".")[0]
        if level or _installed(top, folder) or PathFinder.find_spec(f"{package}.{top}", folder) is None:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        if fromlist:
            return builtins.__import__(f"{package}.{name}", globals, locals, fromlist, 0)
        importlib.import_module(f"{package}.{name}")
        return sys.modules[f"{package}.{top}"]

    return near


def _installed(name: str, folder: Sequence[str]) -> bool:
    """Whether a module of this name exists outside the recipe's folder and the current folder."""
    if name in sys.stdlib_module_names:
        return True
    here = {os.path.abspath(folder[0]), os.getcwd()}
    spec = PathFinder.find_spec(name, [entry for entry in sys.path if os.path.abspath(entry) not in here])
    return spec is not None and spec.origin is not None  # a plain folder of this name has no origin
