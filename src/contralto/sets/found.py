"""What a reader of one's own files finds: the splits that are there, and a checked `DataSet` for each of them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from contralto.errors import DataError, one_line
from contralto.sets.items import Class, DataSet, Item, Task
from contralto.zeroshot import prompts

ALL = "all"
"""The split of files that know of none."""

_KNOWN = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}|(train|valid|validation|val|test)(?![A-Za-z]).*", re.IGNORECASE)
_METRIC: dict[Task, str] = {
    "classes": "top1",
    "labels": "map11",
    "retrieval": "r1_image_to_text",
    "choice": "top1",
    "pairs": "top1",
}


@dataclass(frozen=True, eq=False)
class Found:
    """The splits of a set, and what reads one of them. No picture is read by that."""

    splits: tuple[str, ...]
    read: Callable[[str], DataSet]

    def open(self, split: str) -> DataSet:
        """That split, with the way to the others. Raises DataError."""
        return dataclasses.replace(self.read(split), splits=self.splits, open_split=self.open)


def split_name(name: str) -> str:
    """`valid` and `validation` are val; other names stay as they are."""
    return _KNOWN.get(name.lower(), name)


def is_split(name: str) -> bool:
    """Whether a folder of that name is taken for a split: train, val, valid, validation or test."""
    return name.lower() in _KNOWN


def shards(files: Iterable[Path], root: Path) -> dict[str, list[Path]]:
    """Files by split, which is the folder within `root` that they lie in (`test/0.tar`), or what their own name begins
    with (`test-00000-of-00004.parquet`); ALL if neither says."""
    found: dict[str, list[Path]] = {}
    for file in sorted(files, key=_natural):
        folders = [part for part in file.relative_to(root).parts[:-1] if is_split(part)]
        named = _SHARD.fullmatch(file.stem)
        split = folders[-1] if folders else (named[1] or named[2]) if named else ALL
        found.setdefault(split_name(split), []).append(file)
    return found


def pick(splits: Sequence[str], asked: str | None, name: str) -> str:
    """The split that was asked for; else test, else val, else the only one. Raises DataError that lists them."""
    there = ", ".join(one_line(split, 40) for split in splits[:20]) or "none"
    if asked is not None:
        if split_name(asked) in splits:
            return split_name(asked)
        raise DataError(f"{name} has no split {one_line(asked, 40)!r} (there are: {there})")
    for split in ("test", "val"):
        if split in splits:
            return split
    if len(splits) != 1:
        raise DataError(f"{name} has no split test or val (there are: {there}): name one, as in {name}:SPLIT")
    return splits[0]


def data_set(
    path: Path,
    split: str,
    items: Sequence[Item],
    classes: tuple[Class, ...] = (),
    templates: tuple[str, ...] = (),
    task: Task | None = None,
) -> DataSet:
    """The set of these items; the task is worked out of them unless it is given.

    classes: empty if the files do not name them. templates: empty if the files have none; `photo` then.
    Raises DataError for a split that is empty, keys that occur twice, items that are not all of one task, and labels
    outside the classes.
    """
    if not items:
        raise DataError(f"{path}: the split {split!r} is empty")
    task = task or _task(items)
    if (wrong := next((template for template in templates if prompts.PLACE not in template), None)) is not None:
        raise DataError(f"{path}: its template {one_line(wrong, 80)!r} has no {{}} for the class name")
    _check_items(path, items, task)
    if classes:
        check_labels(str(path), items, len(classes))
    named = task in ("classes", "labels")
    name = path.stem if path.is_file() else path.resolve().name
    return DataSet(
        name=name,
        split=split,
        task=task,
        metric=_METRIC[task],
        items=items,
        classes=classes,
        templates=(templates or prompts.templates("photo")) if named else (),
        template_set=(name if templates else "photo") if named else "",
        origin=str(path),
    )


def check_labels(where: str, items: Iterable[Item], classes: int, exact: bool = False) -> None:
    """Whether the labels lie within that many classes; exact: and reach the last one, as they must where nothing but
    their order ties names to labels. Raises DataError that says both counts."""
    highest = max((label for item in items for label in (item.labels or (item.label or 0,))), default=0)
    if highest >= classes or (exact and highest + 1 != classes):
        raise DataError(f"{where}: labels go up to {highest}, so {highest + 1} classes, but {classes} are named")


def _task(items: Sequence[Item]) -> Task:
    if items[0].label is not None:
        return "classes"
    return "labels" if any(item.labels for item in items) else "retrieval"


def _check_items(path: Path, items: Sequence[Item], task: Task) -> None:
    keys: set[str] = set()
    for item in items:
        if item.key in keys:
            raise DataError(f"{path}: the key {one_line(item.key, 120)!r} occurs twice")
        keys.add(item.key)
        if task == "classes" and item.label is None:
            raise DataError(f"{path}: {one_line(item.key, 120)!r} has no class, others have one")
        if task == "retrieval" and not item.captions:
            raise DataError(f"{path}: {one_line(item.key, 120)!r} has no caption")


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    """Sorts 2.tar before 10.tar."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", str(path))]
