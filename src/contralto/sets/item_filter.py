"""Selects the items that can be evaluated. An unusable item is reported; it does not affect the others."""

from __future__ import annotations

from collections.abc import Sequence

from contralto.data.omissions import Omissions
from contralto.sets.data_set import Item, Task


def usable_items(items: Sequence[Item], task: Task, classes: int, left_out: Omissions) -> list[Item]:
    """The items with a unique key and with the data that the task needs. The others are added to `left_out`.

    classes: number of named classes, 0 if the data set names none.
    """
    items_by_key: dict[str, Item] = {}
    for item in items:
        if item.key in items_by_key:
            left_out.fail(item.key, "is there twice: the first is taken")
        elif fault := _fault(item, task, classes):
            left_out.fail(item.key, fault)
        else:
            items_by_key[item.key] = item
    return list(items_by_key.values())


def _fault(item: Item, task: Task, classes: int) -> str:
    """Why the item cannot be evaluated, "" if it can."""
    if task == "classes" and item.label is None:
        return "has no class"
    if task == "retrieval" and not item.captions:
        return "has no caption"
    labels = (*item.labels, *item.ignored, *(() if item.label is None else (item.label,)))
    if classes and task in ("classes", "labels") and labels and not 0 <= min(labels) <= max(labels) < classes:
        return f"has label {max(labels)}, but {classes} classes are named"
    return ""
