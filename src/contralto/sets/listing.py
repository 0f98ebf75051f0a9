"""What can be measured by name: the published sets, and those that the code draws."""

from __future__ import annotations

from typing import NamedTuple

from contralto.sets import declaration, drawn


class SetEntry(NamedTuple):
    """A set: its name, task, the files expected, and where they are to be had."""

    name: str
    task: str
    layout: str
    where: str


def set_entries() -> list[SetEntry]:
    """The published sets by name, then the drawn ones."""
    published = [declaration.declared(name) for name in declaration.names()]
    return [
        *(SetEntry(one.name, one.task, one.layout, one.where) for one in published),
        *(SetEntry(name, "choice", "nothing: drawn by the code", what) for name, what in drawn.DRAWN_SETS.items()),
    ]
