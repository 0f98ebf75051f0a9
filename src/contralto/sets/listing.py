"""The data sets that can be opened by name: published ones, and ones drawn by code."""

from __future__ import annotations

from typing import NamedTuple

from contralto.sets import declaration, drawn


class SetEntry(NamedTuple):
    """A data set: its name, task, the expected files, and the page to get them from (for drawn sets, the subject)."""

    name: str
    task: str
    layout: str
    where: str


def set_entries() -> list[SetEntry]:
    """The published data sets by name, then the drawn ones."""
    published = [declaration.load_declaration(name) for name in declaration.set_names()]
    return [
        *(SetEntry(one.name, one.task, one.layout, one.where) for one in published),
        *(
            SetEntry(name, drawn.task_of(name), "nothing: drawn by the code", what)
            for name, what in drawn.DRAWN_SETS.items()
        ),
    ]
