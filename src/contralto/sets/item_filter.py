"""Which items of a set can be measured. One that is odd is left out and told; it does not cost the others."""

from __future__ import annotations

from collections.abc import Sequence

from contralto.data.omissions import Omissions
from contralto.sets.data_set import Item, Task


def measurable_items(items: Sequence[Item], task: Task, classes: int, left_out: Omissions) -> list[Item]:
    """The items that have what their task asks for, under keys of their own; the others are added to `left_out`.

    classes: how many the set names, 0 if it names none.
    """
    found: dict[str, Item] = {}
    for item in items:
        if item.key in found:
            left_out.fail(item.key, "is there twice: the first is taken")
        elif fault := _fault(item, task, classes):
            left_out.fail(item.key, fault)
        else:
            found[item.key] = item
    return list(found.values())


def _fault(item: Item, task: Task, classes: int) -> str:
    """Why the item cannot be measured, "" if it can."""
    if task == "classes" and item.label is None:
        return "has no class"
    if task == "retrieval" and not item.captions:
        return "has no caption"
    labels = (*item.labels, *item.ignored, *(() if item.label is None else (item.label,)))
    if classes and task in ("classes", "labels") and labels and not 0 <= min(labels) <= max(labels) < classes:
        return f"has label {max(labels)}, but {classes} classes are named"
    return ""
