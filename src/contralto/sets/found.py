"""What a reader of one's own files finds: the splits that are there, and a checked `DataSet` for each of them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contralto.data.left_out import LeftOut
from contralto.data.shards import natural
from contralto.data.splits import ALL, VALIDATION, among, is_split, split_name, split_of_shard
from contralto.errors import DataError, one_line
from contralto.filenames import is_system_name
from contralto.sets.items import Class, DataSet, Item, Task
from contralto.sets.usable import usable
from contralto.zeroshot import prompts

EMPTY_CLASSES = "classes without a picture"

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


def visible(folder: Path, pattern: str) -> Iterator[Path]:
    """What the folder has by a glob pattern, without what systems made or hid."""
    return (path for path in folder.glob(pattern) if not any(map(is_system_name, path.relative_to(folder).parts)))


def shards(files: Iterable[Path], root: Path) -> dict[str, list[Path]]:
    """Files by split, which is the folder within `root` that they lie in (`test/0.tar`), or what their own name begins
    with (`test-00000-of-00004.parquet`); ALL if neither says."""
    found: dict[str, list[Path]] = {}
    for file in sorted(files, key=natural):
        folders = [part for part in file.relative_to(root).parts[:-1] if is_split(part)]
        split = split_name(folders[-1]) if folders else split_of_shard(file.stem) or ALL
        found.setdefault(split, []).append(file)
    return found


def pick(splits: Sequence[str], asked: str | None, name: str) -> str:
    """The split that was asked for; else test, else val (or dev, or eval), else the only one. Raises DataError that
    lists them."""
    there = ", ".join(one_line(split, 40) for split in splits[:20]) or "none"
    if asked is not None:
        if (found := among(asked, splits)) is not None:
            return found
        raise DataError(f"{name} has no split {one_line(asked, 40)!r} (there are: {there})")
    for split in ("test", *VALIDATION):
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
    left_out: LeftOut | None = None,
) -> DataSet:
    """The set of these items; the task is worked out of them unless it is given.

    classes: empty if the files do not name them. templates: empty if the files have none; `photo` then. left_out: what
    the reader did not take; items that cannot be measured in this task are added to it.
    Raises DataError for a split of which nothing can be measured.
    """
    left_out = LeftOut() if left_out is None else left_out
    task = task or _task(items)
    items = usable(items, task, len(classes), left_out)
    if not items:
        why = f": {len(left_out.failed)} cannot be used, such as {left_out.first()}" if left_out.failed else ""
        raise DataError(f"{path}: the split {split!r} is empty{why}")
    if (wrong := next((template for template in templates if prompts.PLACE not in template), None)) is not None:
        raise DataError(f"{path}: its template {one_line(wrong, 80)!r} has no {{}} for the class name")
    if task == "classes":
        shown = {item.label for item in items}
        for number, known in enumerate(classes):
            if number not in shown:
                left_out.pass_over(EMPTY_CLASSES, known.folder or known.name)
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
        left_out=left_out,
    )


def check_labels(where: str, items: Iterable[Item], classes: int) -> None:
    """Whether the labels go just up to the last of that many classes, as they must where nothing but their order ties
    names to labels. Raises DataError that says both counts."""
    highest = max((label for item in items for label in (item.labels or (item.label or 0,))), default=0)
    if highest + 1 != classes:
        raise DataError(f"{where}: labels go up to {highest}, so {highest + 1} classes, but {classes} are named")


def _task(items: Sequence[Item]) -> Task:
    """What most items can be asked: those without it are the odd ones."""
    kinds = Counter[Task | None](_kind(item) for item in items)
    tasks: tuple[Task, ...] = ("classes", "labels", "retrieval")
    return max(tasks, key=lambda task: kinds[task])


def _kind(item: Item) -> Task | None:
    if item.label is not None:
        return "classes"
    return "labels" if item.labels else "retrieval" if item.captions else None
