"""Rules for names and sizes in src: no `found`, one module per public class name, short files, short functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import contralto

ROOT = Path(contralto.__file__).parent
MODULES = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sorted(ROOT.rglob("*.py"))}

FORBIDDEN_NAMES = ("found",)
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

# A mirror states the same thing in another form: the settings of a tower, its module, its graph, its names in a file.
MIRRORED_FOLDERS = ("architecture", "model", "engine/graph", "weights")


def names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that a module binds, with its line: variables, arguments, attributes, functions, classes, imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).rpartition(".")[2], node.lineno
        elif isinstance(node, ast.MatchAs | ast.MatchStar | ast.ExceptHandler) and node.name:
            yield node.name, node.lineno
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg, node.value.lineno


def forbidden(source: str) -> list[int]:
    """The lines that bind or use a forbidden name."""
    return sorted({line for name, line in names(ast.parse(source)) if name in FORBIDDEN_NAMES})


def public_classes(source: str) -> list[str]:
    """The public classes at the top level of a module."""
    return [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name[0] != "_"]


def repeated(modules: dict[str, str]) -> dict[str, list[str]]:
    """Class name -> modules, for each public class name in several modules that are not mirrors of each other."""
    modules_by_class: dict[str, list[str]] = {}
    for module, source in modules.items():
        for name in public_classes(source):
            modules_by_class.setdefault(name, []).append(module)
    return {name: several for name, several in modules_by_class.items() if len(several) > 1 and not mirrors(several)}


def mirrors(modules: list[str]) -> bool:
    """Whether each module is in a mirrored folder, and no folder holds two of them."""
    folders = [folder for module in modules for folder in MIRRORED_FOLDERS if module.startswith(f"{folder}/")]
    return len(folders) == len(set(folders)) == len(modules)


def long_functions(source: str) -> list[str]:
    """Each function with more lines than allowed; decorators do not count."""
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))
    lengths = [(node.name, (node.end_lineno or 0) - node.lineno + 1) for node in functions]
    return [f"{name}: {length} lines" for name, length in lengths if length > MAX_FUNCTION_LINES]


def test_no_name_is_forbidden() -> None:
    lines = {module: wrong for module, source in MODULES.items() if (wrong := forbidden(source))}
    assert lines == {}, "name the thing by its content: matches, path, index, entry, ..."


def test_no_public_class_name_stands_in_two_modules() -> None:
    assert repeated(MODULES) == {}


def test_files_and_functions_are_short() -> None:
    assert [module for module, source in MODULES.items() if len(source.splitlines()) > MAX_FILE_LINES] == []
    assert {module: long for module, source in MODULES.items() if (long := long_functions(source))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "found = 1",
        "def f(found): ...",
        "lambda found: 0",
        "for found in x: ...",
        "[found for found in x]",
        "with x as found: ...",
        "x.found",
        "x.found = 1",
        "class found: ...",
        "def found(): ...",
        "import a.found",
        "from a import b as found",
        "if (found := x): ...",
        "f(found=1)",
        "match x:\n  case found: ...",
    ],
)
def test_every_way_to_bind_a_forbidden_name_is_noticed(source: str) -> None:
    assert forbidden(source)
    assert not forbidden(source.replace("found", "matches"))


def test_prose_may_use_a_forbidden_name() -> None:
    assert not forbidden('"""Not found."""\nraise KeyError("not found")  # not found')


@pytest.mark.parametrize(
    ("modules", "names"),
    [
        ({"a.py": "class X: ...", "b/c.py": "class X: ..."}, ["X"]),
        ({"a.py": "class _X: ...", "b/c.py": "class _X: ..."}, []),
        ({"a.py": "class X: ...", "b/c.py": "def f():\n  class X: ..."}, []),
        ({"architecture/vit.py": "class X: ...", "model/vit.py": "class X: ..."}, []),
        ({"architecture/vit.py": "class X: ...", "architecture/bert.py": "class X: ..."}, ["X"]),
        ({"architecture/vit.py": "class X: ...", "model/vit.py": "class X: ...", "sets/a.py": "class X: ..."}, ["X"]),
    ],
)
def test_repeated_class_names_are_noticed(modules: dict[str, str], names: list[str]) -> None:
    assert [*repeated(modules)] == names


@pytest.mark.parametrize(("lines", "count"), [(MAX_FUNCTION_LINES, 0), (MAX_FUNCTION_LINES + 1, 1)])
def test_long_functions_are_noticed(lines: int, count: int) -> None:
    source = ["def f():", *["    pass"] * (lines - 1)]
    assert len(long_functions("\n".join(source))) == count
