"""Every file and module that prose names exists: in docstrings, comments, README, CONTRIBUTING, CHANGELOG and docs.

For example, `files.py`, `metrics/counting.py`, `docs/guide.md`, `tests/support` or `contralto.encoder.Clip`. A name is
looked up next to the file that names it, in the folders above that file, in the package, and in folders that the same
file names: after `benchmarks/image.py`, the name `text.py` is enough.
"""

from __future__ import annotations

import ast
import functools
import io
import re
import runpy
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import REPOSITORY

PACKAGE = REPOSITORY / "src/contralto"
CODE_FOLDERS = ("src", "tests", "benchmarks", "recipes", "docs")
CODE = sorted(path for folder in CODE_FOLDERS for path in (REPOSITORY / folder).rglob("*.py"))
MARKDOWN = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")]
MARKDOWN += sorted((REPOSITORY / "docs").glob("*.md"))

URL = re.compile(r"\w+://\S+")
FILE = re.compile(r"(?<![\w./~$-])((?:\.\./)*(?:[\w-]+/)*[\w-]+\.(?:py|md))\b(?!\.?\w)")
FOLDER = re.compile(r"(?<![\w./~$-])((?:src/contralto|tests|benchmarks|recipes|docs)(?:/[\w-]+)+)\b(?![\w./-]*\.\w)")
FOLDER_WITH_SLASH = re.compile(r"`([\w-]+(?:/[\w-]+)*)/`")
MODULE = re.compile(r"(?<![\w./~$-])(contralto(?:\.[A-Za-z_]\w*)+)\b(?!/)")

PLACEHOLDER = re.compile(r"(?:your|my)_\w+|mine|[a-z]|[A-Z_]+")  # your_recipe.py, mine.py, x.py, NAME.py
OTHER_PROJECT = re.compile(r"(?:torch|transformers|open_clip)/")  # torch/serialization.py
DATA_FILE = re.compile(r"contralto\.(?:json|svg|png)")  # not a module


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, text) of each docstring, comment or Markdown line of a file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from python_prose(text)
        return
    lines = text.splitlines()
    if path.name == "CHANGELOG.md":  # older sections may name files that are gone
        sections = [number for number, line in enumerate(lines) if line.startswith("## ")]
        lines = lines[: sections[1]] if len(sections) > 1 else lines
    yield from enumerate(lines, 1)


def python_prose(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if docstring := ast.get_docstring(node, clean=False):
            yield from enumerate(docstring.split("\n"), node.body[0].lineno)


def paths(text: str) -> list[str]:
    """The files and folders that a text names, without placeholders and files of other projects."""
    text = URL.sub(" ", text)
    files = [name for name in FILE.findall(text) if not OTHER_PROJECT.match(name)]
    return [name for name in files if not PLACEHOLDER.fullmatch(Path(name).stem)] + FOLDER.findall(text)


def search_folders(file: Path, texts: list[str]) -> list[Path]:
    """The folders in which the names in the texts of a file are looked up."""
    above = [folder for folder in file.parents if folder.is_relative_to(REPOSITORY)]
    folders = [*above, PACKAGE, PACKAGE.parent]
    named = [name for text in texts for name in [*paths(text), *FOLDER_WITH_SLASH.findall(text)]]
    there = [path for name in named for folder in folders if (path := folder / name).exists()]
    return [*folders, *(path if path.is_dir() else path.parent for path in there)]


def missing(text: str, folders: list[Path]) -> list[str]:
    """The names in a text that refer to nothing."""
    names = [name for name in paths(text) if not any((folder / name).exists() for folder in folders)]
    modules = MODULE.findall(URL.sub(" ", text))
    return names + [name for name in modules if not DATA_FILE.match(name) and not resolves(name)]


@functools.cache
def resolves(dotted: str) -> bool:
    """Whether a dotted name leads to a module, or to a name in a module; attributes of that name are not checked."""
    path = PACKAGE
    for part in dotted.split(".")[1:]:
        if (path / part).is_dir() or (path / f"{part}.py").is_file():
            path = path / part
        else:
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            return part in bound_names(file)
    return True


@functools.cache
def bound_names(file: Path) -> set[str]:
    """The names that a module binds, and the strings in it: `__all__` may list names that are resolved on first use."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            names.add(node.value)
    return names


def test_every_file_that_prose_names_exists() -> None:
    problems = {}
    for path in [*MARKDOWN, *CODE]:
        lines = list(prose(path))
        folders = search_folders(path, [text for _, text in lines])
        if wrong := [(number, names) for number, text in lines if (names := missing(text, folders))]:
            problems[str(path.relative_to(REPOSITORY))] = wrong
    assert problems == {}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Read `files.py` and filenames.py, then cli/main.py.", []),
        ("Read `made_up.py`.", ["made_up.py"]),
        ("See cli/made_up.py", ["cli/made_up.py"]),
        ("docs/guide.md and docs/made-up.md", ["docs/made-up.md"]),
        ("tests/support holds helpers, tests/made_up does not", ["tests/made_up"]),
        ("[guide](../docs/made_up.md)", ["../docs/made_up.md"]),
        ("`contralto.encoder.Clip.encode_text` and `contralto.load`", []),
        ("`contralto.made_up`, contralto.encoder.MadeUp", ["contralto.made_up", "contralto.encoder.MadeUp"]),
        ("contralto.json is a file", []),
        ("contralto train your_recipe.py", []),
        ("benchmarks/text.py, then `memory.py`", []),
        ("benchmarks/text.py, then `made_up.py`", ["made_up.py"]),
        ("`engine/`: `eager.py`", []),
        ("`engine/`: `made_up.py`", ["made_up.py"]),
        ("a check in torch/serialization.py", []),
        ("https://example.org/made_up.py", []),
        ("A cat.jpg is no source file.", []),
    ],
)
def test_a_made_up_name_is_noticed(text: str, names: list[str]) -> None:
    assert missing(text, search_folders(PACKAGE / "files.py", [text])) == names


def test_docstrings_and_comments_are_read_and_code_is_not() -> None:
    source = '"""One."""\nx = "two"  # three\ndef f():\n    """Four\n    five."""\n'
    assert [(number, text.strip()) for number, text in python_prose(source)] == [
        (2, "# three"),
        (1, "One."),
        (4, "Four"),
        (5, "five."),
    ]


def test_the_map_of_the_code_is_drawn_from_the_code() -> None:
    """docs/architecture.svg is stale if this fails: run python docs/architecture.py."""
    drawing = runpy.run_path(str(REPOSITORY / "docs/architecture.py"))
    assert drawing["svg"]() == drawing["PICTURE"].read_text(encoding="utf-8")
