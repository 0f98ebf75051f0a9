"""The order of the layers: a module imports only from those before it, and torch stays in the layers that need it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import contralto

ROOT = Path(contralto.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

ORDER = [
    {"version"},
    {"errors"},
    {"engine_names", "filenames"},
    {"arguments", "arrays", "cache", "database", "files", "progress"},
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
    {"loss", "data"},
    {"train"},
    {"sets"},
    {"evaluation"},
    {"face"},  # contralto/__init__.py
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
    found = []
    for module, line, when in imports(ast.parse(source)):
        top, _, rest = module.partition(".")
        if top == "torch" and when != "types" and name not in TORCH_LAYERS and where not in TORCH_FILES:
            exporting = when == "call" and name in ("engine", "encoder")
            if not exporting:
                found.append(f"{where}:{line} imports torch")
        if top != "contralto":
            continue
        first = rest.split(".")[0]
        target = first if first in HEIGHT else "face" if rest in ("", *contralto.__all__) else first
        allowed = target == name or HEIGHT.get(target, 99) < HEIGHT[name]
        if not allowed:
            found.append(f"{where}:{line} imports contralto.{target}, which comes later")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_the_layers_before_it(path):
    if path == ROOT / "__init__.py":  # the face, above all; test_face.py shows that it imports nothing by itself
        return
    assert layer(path) in HEIGHT, f"{path.name}: a new layer has to be given its place in ORDER"
    assert faults(layer(path), str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("name", "source", "found"),
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
def test_the_rules_find_what_they_are_for(name, source, found):
    assert len(faults(name, f"{name}/x.py", source)) == found
