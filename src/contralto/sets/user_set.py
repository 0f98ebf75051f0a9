"""A data set in user files: its splits, and a checked `DataSet` for each split."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contralto.data.omissions import Omissions
from contralto.data.shards import natural_key
from contralto.data.splits import UNSPLIT, VALIDATION, find_split, is_split, split_name, split_of_shard
from contralto.errors import DataError, one_line
from contralto.filenames import is_system_name
from contralto.sets.data_set import Class, DataSet, Item, Task
from contralto.sets.item_filter import usable_items
from contralto.zeroshot import prompts

EMPTY_CLASSES = "classes without a picture"

_METRIC: dict[Task, str] = {
    "classes": "top1",
    "labels": "map11",
    "retrieval": "r1_image_to_text",
    "choice": "top1",
    "pairs": "top1",
    "boxes": "ap50",
}


@dataclass(frozen=True, eq=False)
class UserSet:
    """The splits of a data set, and a function that reads one of them. Reading decodes no picture."""

    splits: tuple[str, ...]
    read: Callable[[str], DataSet]

    def open(self, split: str) -> DataSet:
        """The split; it can open the other splits. Raises DataError."""
        return dataclasses.replace(self.read(split), splits=self.splits, open_split=self.open)


def visible_paths(folder: Path, pattern: str) -> Iterator[Path]:
    """The paths in the folder that match a glob pattern, except hidden and system files."""
    return (path for path in folder.glob(pattern) if not any(map(is_system_name, path.relative_to(folder).parts)))


def files_by_split(files: Iterable[Path], root: Path) -> dict[str, list[Path]]:
    """Files by split: the split folder within `root` (`test/0.tar`), else the start of the file's name
    (`test-00000-of-00004.parquet`), else UNSPLIT."""
    by_split: dict[str, list[Path]] = {}
    for file in sorted(files, key=natural_key):
        folders = [part for part in file.relative_to(root).parts[:-1] if is_split(part)]
        split = split_name(folders[-1]) if folders else split_of_shard(file.stem) or UNSPLIT
        by_split.setdefault(split, []).append(file)
    return by_split


def pick_split(splits: Sequence[str], requested: str | None, name: str) -> str:
    """The requested split; by default test, else val (or dev, or eval), else the only one.

    Raises DataError, which lists the splits.
    """
    listed = ", ".join(one_line(split, 40) for split in splits[:20]) or "none"
    if requested is not None:
        if (split := find_split(requested, splits)) is not None:
            return split
        raise DataError(f"{name} has no split {one_line(requested, 40)!r} (available: {listed})")
    for split in ("test", *VALIDATION):
        if split in splits:
            return split
    if len(splits) != 1:
        raise DataError(f"{name} has no split test or val (available: {listed}): name one, as in {name}:SPLIT")
    return splits[0]


def build_data_set(
    path: Path,
    split: str,
    items: Sequence[Item],
    classes: tuple[Class, ...] = (),
    templates: tuple[str, ...] = (),
    task: Task | None = None,
    left_out: Omissions | None = None,
) -> DataSet:
    """The data set of these items. The task is derived from the items unless it is given.

    classes: empty if the files do not name them. templates: empty if the files have none; the default is `photo`.
    left_out: the reader's omissions; items that cannot be evaluated in this task are added to it.
    Raises DataError if no item of the split can be evaluated.
    """
    left_out = Omissions() if left_out is None else left_out
    task = task or _most_common_task(items)
    items = usable_items(items, task, len(classes), left_out)
    if not items:
        why = f": {len(left_out.failed)} cannot be used, such as {left_out.first()}" if left_out.failed else ""
        raise DataError(f"{path}: the split {split!r} is empty{why}")
    if (wrong := next((template for template in templates if prompts.PLACE not in template), None)) is not None:
        raise DataError(f"{path}: its template {one_line(wrong, 80)!r} has no {{}} for the class name")
    if task == "classes":
        labels = {item.label for item in items}
        for number, class_ in enumerate(classes):
            if number not in labels:
                left_out.ignore(EMPTY_CLASSES, class_.folder or class_.name)
    has_classes = task in ("classes", "labels")
    name = path.stem if path.is_file() else path.resolve().name
    return DataSet(
        name=name,
        split=split,
        task=task,
        metric=_METRIC[task],
        items=items,
        classes=classes,
        templates=(templates or prompts.templates("photo")) if has_classes else (),
        template_set=(name if templates else "photo") if has_classes else "",
        origin=str(path),
        left_out=left_out,
    )


def check_labels(where: str, items: Iterable[Item], classes: int) -> None:
    """Raises DataError, with both counts, unless the highest label is the index of the last class.

    Use it if class names are matched to labels only by their order.
    """
    highest = max((label for item in items for label in (item.labels or (item.label or 0,))), default=0)
    if highest + 1 != classes:
        raise DataError(f"{where}: labels go up to {highest}, so {highest + 1} classes, but {classes} are named")


def _most_common_task(items: Sequence[Item]) -> Task:
    """The task that most items have data for. The other items count as unusable."""
    counts = Counter[Task | None](_task_of(item) for item in items)
    tasks: tuple[Task, ...] = ("classes", "labels", "retrieval")
    return max(tasks, key=lambda task: counts[task])


def _task_of(item: Item) -> Task | None:
    if item.label is not None:
        return "classes"
    return "labels" if item.labels else "retrieval" if item.captions else None
