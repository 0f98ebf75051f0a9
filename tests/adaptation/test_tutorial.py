"""docs/adapting.md: its tutorial runs as it is written, and its other Python blocks are Python.

The tutorial's commands run in this process; their printed figures may differ between machines, the verdict may not.
"""

from __future__ import annotations

import ast
import re
import shlex

import pytest
from support.paths import REPOSITORY

from contralto.cli import main

TEXT = (REPOSITORY / "docs/adapting.md").read_text(encoding="utf-8")
TUTORIAL = TEXT[TEXT.index("\n## Tutorial") :]


def blocks(text: str) -> list[str]:
    """The runs of indented lines of a text, without the indent; an empty line ends a run."""
    return [re.sub(r"(?m)^    ", "", run).rstrip() for run in re.findall(r"(?<=\n\n)(?:    .*\n)+", text)]


def is_shell(block: str) -> bool:
    return bool(re.match(r"(?:\$ |pip |contralto )", block))


def command(block: str) -> list[str]:
    """The arguments of the one command that a block shows with its output."""
    return shlex.split(block.split("\n")[0])[2:]


def test_the_tutorial_runs_as_it_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    variables: dict[str, object] = {}
    shown = {}
    for block in blocks(TUTORIAL):
        if not is_shell(block):
            exec(compile(block, "docs/adapting.md", "exec"), variables)
            continue
        assert main.main(command(block)) == 0
        shown[block] = capsys.readouterr().out
    assert len(shown) == 3
    adapt = next(part for part in shown if "contralto adapt" in part)
    for word in ("zero-shot", "adapted", "difference", "helped", "forgotten", "on top of nano"):
        assert word in adapt
        assert word in shown[adapt]


def test_the_other_python_blocks_are_python():
    others = [block for block in blocks(TEXT[: -len(TUTORIAL)]) if not is_shell(block)]
    assert len(others) > 5
    for block in others:
        ast.parse(block)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Text:\n\n    a = 1\n\n    b = 2\n\nMore.\n", ["a = 1", "b = 2"]),
        ("Text\n    no block\n", []),
        ("One:\n\n    $ x\n    y\n\nTwo:\n\n    z\n", ["$ x\ny", "z"]),
    ],
)
def test_blocks_are_indented_runs_of_lines(text, expected):
    assert blocks(text) == expected
