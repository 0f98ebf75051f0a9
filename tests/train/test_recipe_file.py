"""Recipes are found by path or name, see the files next to them and no others', and their errors name file and line."""

import importlib
import random
import shutil
import sys
import textwrap
from pathlib import Path

import pytest

from contralto.errors import ContraltoError, MissingExtraError
from contralto.train import recipe_file

MINIMAL = """
from contralto.train.recipe import Phase, Recipe, Task

def recipe():
    task = Task("none", 1.0, lambda step: step, lambda model, batch: model.logit_scale * 0.0)
    return Recipe({name}, lambda: None, (Phase("only", (task,), 1, lr=1e-3),))
"""


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(content), encoding="utf-8")
    return path


def minimal(name, above=""):
    """A recipe whose name is the value of the expression `name`."""
    return textwrap.dedent(above) + MINIMAL.format(name=name)


def test_shipped_recipes_are_found_by_name():
    assert list(recipe_file.shipped_recipes()) == ["nano", "tiny"]
    for name, path in recipe_file.shipped_recipes().items():
        assert recipe_file.find(name) == path
        assert recipe_file.summary(path).endswith(".")


def test_a_name_means_the_shipped_recipe_and_a_path_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "tiny.py", minimal("'mine'"))
    (tmp_path / "nano").mkdir()
    assert recipe_file.find("tiny") == recipe_file.shipped_recipes()["tiny"]
    assert recipe_file.find("nano") == recipe_file.shipped_recipes()["nano"]
    assert recipe_file.find("tiny.py") == Path("tiny.py")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("tinny", "no recipe is called tinny: did you mean tiny?"),
        ("xyz", "no recipe is called xyz: there are nano, tiny; or name a Python file"),
        ("folder", "folder: is a folder: name the recipe's Python file"),
        ("folder.py", "folder.py: is a folder"),
        ("folder/none.py", "folder/none.py: there is no such recipe file"),
        ("folder/tiny.py", "there is no such recipe file; the one that comes with Contralto is called tiny"),
        ("folder/none", "a recipe is a Python file"),
        ("notes.txt", "notes.txt: a recipe is a Python file, its name ends in .py"),
        ("plain", "plain: a recipe is a Python file, its name ends in .py"),
    ],
)
def test_what_is_no_recipe_is_told(tmp_path, monkeypatch, given, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.py").mkdir()
    for name in ("notes.txt", "plain"):
        (tmp_path / name).touch()
    with pytest.raises(ContraltoError) as caught:
        recipe_file.find(given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "above",
    [
        "from parts import NAME",
        "import parts\nNAME = parts.NAME",
        "import parts.deep as deep\nNAME = deep.NAME",
        "import parts.deep\nNAME = parts.deep.NAME",
        "from parts.deep import NAME",
        "from parts import deep\nNAME = deep.NAME",
        "from .parts import NAME",
        "from . import parts\nNAME = parts.NAME",
        "from .parts.deep import NAME",
        "from parts import *",
        "def late():\n    import parts\n    return parts.NAME\nNAME = late()",
        "import importlib\nNAME = importlib.import_module('.parts', __package__).NAME",
    ],
)
def test_a_recipe_imports_its_neighbours_in_every_way(tmp_path, above):
    """Also the neighbours each other, and nothing of it is left where others could see it."""
    write(tmp_path / "parts/__init__.py", "from parts.deep import NAME\nimport beside")
    write(tmp_path / "parts/deep.py", "import beside\nfrom parts import __name__ as above\nNAME = beside.NAME")
    write(tmp_path / "beside.py", "NAME = 'near'")
    path, searched = list(sys.path), set(sys.modules)
    assert recipe_file.load(write(tmp_path / "my.own-recipe.py", minimal("NAME", above))).name == "near"
    assert sys.path == path
    assert all(name.startswith(recipe_file.PREFIX) for name in set(sys.modules) - searched)
    assert not list(tmp_path.rglob("__pycache__"))


def test_a_plain_and_a_relative_import_give_the_same_module(tmp_path):
    write(tmp_path / "parts.py", "class Thing: pass")
    above = "import parts\nfrom . import parts as relative\nNAME = str(parts is relative)"
    assert recipe_file.load(write(tmp_path / "mine.py", minimal("NAME", above))).name == "True"


def test_neighbours_of_the_same_name_are_kept_apart(tmp_path):
    """Also when a function imports one after the other recipe was loaded."""
    above = "def late():\n    import parts\n    return parts.NAME"
    for name in ("a", "b"):
        write(tmp_path / name / "parts.py", f"NAME = {name!r}")
        write(tmp_path / name / "mine.py", above)
    a, b = (recipe_file.execute(tmp_path / name / "mine.py") for name in ("a", "b"))
    assert (a.late(), b.late()) == ("a", "b")


def test_a_changed_neighbour_is_read_anew(tmp_path):
    path = write(tmp_path / "mine.py", minimal("NAME", "from parts import NAME"))
    for name in ("old", "new"):
        write(tmp_path / "parts.py", f"NAME = {name!r}")
        assert recipe_file.load(path).name == name


@pytest.mark.parametrize("name", ["random", "json", "numpy", "contralto", "PIL"])
def test_a_neighbour_replaces_no_installed_module(tmp_path, name):
    """By its plain name the recipe gets the installed one, relatively the neighbour; others see only the former."""
    write(tmp_path / f"{name}.py", "NAME = 'near'")
    above = f"import {name}\nfrom . import {name} as near\nassert not hasattr({name}, 'NAME')\nNAME = near.NAME"
    before = importlib.import_module(name)
    assert recipe_file.load(write(tmp_path / "mine.py", minimal("NAME", above))).name == "near"
    assert sys.modules[name] is before
    assert random.Random(0).random() > 0


def test_a_module_in_the_current_folder_does_not_replace_a_neighbour(tmp_path, monkeypatch):
    write(tmp_path / "here/parts.py", "NAME = 'of the current folder'")
    write(tmp_path / "there/parts.py", "NAME = 'near'")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend("")
    path = write(tmp_path / "there/mine.py", minimal("NAME", "from parts import NAME"))
    assert recipe_file.load(path).name == "near"


ERRORS = [
    ("import no_such_module", 1, "ModuleNotFoundError: No module named 'no_such_module'"),
    ("\n\nfrom json import nothing_such", 3, "ImportError: cannot import name 'nothing_such'"),
    ("x = 1\ndef broken(:", 2, "SyntaxError: invalid syntax"),
    ("x = (1,\n  2", 1, "SyntaxError: '(' was never closed"),
    ("x = 1\n 1/0", 2, "IndentationError: unexpected indent"),
    ("def f():\n    return 1 / 0\nf()", 2, "ZeroDivisionError: division by zero"),
    ("assert False", 1, "AssertionError"),
    ("open('/no/such/file')", 1, "FileNotFoundError: [Errno 2] No such file or directory: '/no/such/file'"),
    ("raise ValueError('first line\\nsecond line')", 1, "ValueError: first line"),
    ("import sys\nsys.exit('no data')", 2, "SystemExit: no data"),
    ("from contralto.data.webdataset import WebDataset\nWebDataset([])", 2, "WebDataset was given no tar"),
    (
        "from contralto.errors import MissingExtraError\nraise MissingExtraError('Parquet', 'train')",
        2,
        "'contralto[train]'",
    ),
    ("import json\njson.loads('{')", 2, "JSONDecodeError: Expecting property name"),
]


PLACES = [
    (where, *error)
    for error in ERRORS
    for where in ("file", "function", "neighbour")
    if where != "function" or not error[2].startswith(("SyntaxError", "IndentationError"))  # those are of a file
]


@pytest.mark.parametrize(("where", "content", "line", "said"), PLACES)
def test_an_error_names_the_file_and_the_line(tmp_path, where, content, line, said):
    path = tmp_path / "mine.py"
    if where == "file":
        write(path, content)
    elif where == "neighbour":
        write(path, "import parts")
        write(tmp_path / "parts.py", content)
    else:
        write(path, "def recipe():\n" + textwrap.indent(content, "    "))
        line += 1
    with pytest.raises(ContraltoError) as caught:
        recipe_file.load(path)
    file = tmp_path / ("parts.py" if where == "neighbour" else "mine.py")
    assert str(caught.value).startswith(f"{file}:{line}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'x = "\xff"', ":1: SyntaxError: (unicode error)"),
        (b"# coding: nonsense", "SyntaxError: unknown encoding: nonsense"),
        (b'x = "a\0b"', "SyntaxError: source code string cannot contain null bytes"),
        (b"from .nothing import x", ":1: ModuleNotFoundError: No module named 'nothing'"),
        (b"from ..nothing import x", ":1: ImportError: attempted relative import beyond top-level package"),
    ],
)
def test_a_file_that_is_no_python_is_named(tmp_path, content, said):
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    with pytest.raises(ContraltoError) as caught:
        recipe_file.load(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_the_file_is_named_as_it_was_given(tmp_path, monkeypatch):
    write(tmp_path / "a/mine.py", "import parts")
    write(tmp_path / "a/parts/__init__.py", "1 / 0")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ContraltoError, match=r"^a/parts/__init__\.py:1: ZeroDivisionError"):
        recipe_file.load(Path("a/mine.py"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("x = 1", "has no function recipe()"),
        ("recipe = 3", "has no function recipe()"),
        ("def recipe(): return 3", "recipe() returned a int, not a Recipe"),
        ("def recipe(needed): pass", "recipe() is called without arguments: missing a required argument: 'needed'"),
    ],
)
def test_a_file_without_a_recipe_is_told(tmp_path, content, said):
    path = write(tmp_path / "mine.py", content)
    with pytest.raises(ContraltoError) as caught:
        recipe_file.load(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_an_error_from_elsewhere_passes(tmp_path):
    path = write(tmp_path / "mine.py", "")
    for error in (ZeroDivisionError(), MissingExtraError("x", "train"), OSError(28, "No space left", "log")):
        with pytest.raises(type(error)), recipe_file.errors_located(path):
            raise error


def test_a_recipe_that_was_copied_elsewhere_brings_its_neighbours(tmp_path):
    pytest.importorskip("torch")
    shutil.copytree(recipe_file.folder(), tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    nano = recipe_file.execute(tmp_path / "copy/nano.py")
    assert Path(nano.tasks.__file__) == tmp_path / "copy/nano_parts/tasks.py"
