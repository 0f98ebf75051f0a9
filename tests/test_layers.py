"""The order of the layers: a module imports only from earlier layers, no two files import each other in a circle, and
torch stays in the layers that need it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support.paths import REPOSITORY

import contralto

ROOT = Path(contralto.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

ORDER = [
    {"version"},
    {"errors"},
    {"arguments", "arrays", "cache", "database", "engine_names", "filenames", "progress"},
    {"files"},
    {"metrics"},
    {"probe"},
    {"architecture"},
    {"contract"},
    {"embeddings"},
    {"inputs"},
    {"image", "text"},
    {"weights"},
    {"model"},
    {"engine"},
    {"embedding_cache"},
    {"zeroshot"},
    {"encoder"},
    {"search"},
    {"apply"},
    {"loss", "data"},
    {"train"},
    {"sets"},
    {"evaluation"},
    {"adaptation"},
    {"public_api"},  # contralto/__init__.py
    {"cli"},
    {"__main__"},
]
HEIGHT = {name: height for height, names in enumerate(ORDER) for name in names}

TORCH_LAYERS = {"model", "loss", "train"}
TORCH_FILES = {"engine/eager.py", "engine/compiled.py", "probe/on_torch.py"}


class Import(NamedTuple):
    module: str
    line: int
    when: str  # "import": as the module is imported; "call": within a function; "types": for the type checker alone


def imports(tree: ast.AST, when: str = "import") -> Iterator[Import]:
    """All imports below a node, each with every module that it could load."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, when) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from (Import(f"{node.module}.{alias.name}", node.lineno, when) for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from imports(node, "call" if when == "import" else when)
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield from imports(node, "types")
        else:
            yield from imports(node, when)


def layer(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def faults(name: str, where: str, source: str) -> list[str]:
    """What a module of layer `name` at `where` imports against the rules."""
    wrong = []
    for module, line, when in imports(ast.parse(source)):
        top, _, rest = module.partition(".")
        if top == "torch" and when != "types" and name not in TORCH_LAYERS and where not in TORCH_FILES:
            exporting = when == "call" and name in ("engine", "encoder")
            if not exporting:
                wrong.append(f"{where}:{line} imports torch")
        if top != "contralto":
            continue
        first = rest.split(".")[0]
        target = first if first in HEIGHT else "public_api" if rest in ("", *contralto.__all__) else first
        allowed = target == name or HEIGHT.get(target, 99) < HEIGHT[name]
        if not allowed:
            wrong.append(f"{where}:{line} imports contralto.{target}, which comes later")
    return wrong


def test_a_module_imports_only_from_the_layers_before_it():
    modules = [path for path in MODULES if path != ROOT / "__init__.py"]  # see test_public_api.py
    assert {layer(path) for path in modules} - {*HEIGHT} == set(), "a new layer has to be given its place in ORDER"
    wrong = [
        fault
        for path in modules
        for fault in faults(layer(path), str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "source", "count"),
    [
        ("errors", "from contralto.contract import Contract", 1),
        ("errors", "import contralto.contract", 1),
        ("image", "from contralto import text", 1),
        ("image", "def f():\n  from contralto.engine import start", 1),
        ("image", "from contralto import contract\nfrom contralto.errors import ImageError", 0),
        ("search", "from contralto.zeroshot import prompts", 0),
        ("encoder", "from contralto.zeroshot import classifier", 0),
        ("zeroshot", "def f():\n  from contralto.encoder import Clip", 1),
        ("encoder", "if TYPE_CHECKING:\n  from contralto.cli import main", 1),
        ("cli", "import contralto", 0),
        ("search", "from contralto import load", 1),
        ("weights", "import torch.nn", 1),
        ("weights", "try:\n  import torch\nexcept ImportError: pass", 1),
        ("weights", "def f():\n  import torch", 1),
        ("weights", "if TYPE_CHECKING:\n  import torch", 0),
        ("engine", "def f():\n  import torch", 0),
        ("engine", "import torch", 1),
        ("train", "from torch import nn", 0),
    ],
)
def test_the_rules_find_what_they_are_for(name, source, count):
    assert len(faults(name, f"{name}/x.py", source)) == count


def file_of(module: str, files: set[str]) -> str | None:
    """The file of a dotted name: a module, the `__init__.py` of a package, or the file that binds the name."""
    parts = module.split(".")[1:]
    for path in ("/".join(parts), "/".join(parts[:-1])):
        for file in (f"{path}.py", f"{path}/__init__.py".lstrip("/")):
            if file in files:
                return file
    return None


def circles(sources: dict[str, str]) -> list[list[str]]:
    """The groups of files that import each other in a circle. Imports in functions and for types count too.

    sources: path in the package -> content.
    """
    imported = {
        file: {target for one in ours(ast.parse(source)) if (target := file_of(one.module, {*sources}))} - {file}
        for file, source in sources.items()
    }
    reachable = {file: reach(file, imported) for file in imported}
    groups = {
        tuple(sorted(other for other in reached if file in reachable[other])) for file, reached in reachable.items()
    }
    return [list(group) for group in sorted(groups) if group]


def ours(tree: ast.AST) -> Iterator[Import]:
    return (one for one in imports(tree) if one.module.split(".")[0] == "contralto")


def reach(file: str, imported: dict[str, set[str]]) -> set[str]:
    """The files that `file` imports, directly or through others; itself only if it stands in a circle."""
    reached: set[str] = set()
    waiting = [*imported[file]]
    while waiting:
        if (other := waiting.pop()) not in reached:
            reached.add(other)
            waiting += imported[other]
    return reached


def test_no_files_import_each_other_in_a_circle():
    sources = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in MODULES}
    assert circles(sources) == []


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"a.py": "from contralto.b import x", "b.py": "import contralto.a"}, [["a.py", "b.py"]]),
        ({"a.py": "from contralto.b import x", "b.py": "def f():\n  from contralto import a"}, [["a.py", "b.py"]]),
        ({"a.py": "import contralto.b", "b.py": "if TYPE_CHECKING:\n  from contralto.a import X"}, [["a.py", "b.py"]]),
        ({"a.py": "import contralto.c.d", "c/d.py": "import contralto.e", "e.py": "from contralto import a"},
         [["a.py", "c/d.py", "e.py"]]),
        ({"__init__.py": "from contralto.a import X", "a.py": "from contralto import X"}, [["__init__.py", "a.py"]]),
        ({"c/__init__.py": "from contralto.c.d import X", "c/d.py": "from contralto.c import e", "c/e.py": ""}, []),
        ({"a.py": "from contralto.b import x", "b.py": "import numpy.a"}, []),
    ],
)  # fmt: skip
def test_a_circle_is_noticed(sources, expected):
    assert circles(sources) == expected


def test_contributing_states_this_order():
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"\n\n((?:    .*\n)*    version < .*\n(?:    .*\n)*)", text)
    stated = [set(re.findall(r"\w+", names)) for names in block[1].split("<")]
    assert stated == [names for names in ORDER if not names & {"public_api", "__main__"}]
