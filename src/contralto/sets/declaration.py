"""Declarations of the published data sets: the source and layout of their files, their classes and templates.

A declaration is a JSON file in `registry/`. It names a reader in `layouts/`, which knows the file format.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias, get_args

from contralto.data.omissions import Omissions
from contralto.errors import DataError, one_line
from contralto.sets.data_set import Class, DataSet, Item, Task
from contralto.sets.item_filter import usable_items
from contralto.sets.layouts.locate import MissingPath
from contralto.zeroshot import prompts

Reader: TypeAlias = Callable[[Path, str, Sequence[Class]], Sequence[Item]]
"""(root folder of the data set, split, declared classes) -> items of the split. Raises DataError, MissingPath."""

DEFAULT_SPLITS = ("test", "val")


class MissingSet(DataError):
    """The files of a published data set are missing.

    what: the missing files. title: name of the data set. where: the page to get it from. layout: the expected files.
    """

    def __init__(self, what: str, title: str, where: str, layout: str) -> None:
        super().__init__(f"{what}; get {title} from {where} and lay it out as {layout}")
        self.what, self.title, self.where, self.layout = what, title, where, layout

    def __reduce__(self) -> tuple[type[MissingSet], tuple[str, str, str, str]]:
        return type(self), (self.what, self.title, self.where, self.layout)


@dataclass(frozen=True)
class Declaration:
    """A published data set, described without its files.

    metric: the metric that its paper reports, as in `DataSet`. reader: `module:function` within
    `contralto.sets.layouts`. folders: possible names of its folder below the data folder. where: the page to get it
    from. layout: the expected files. templates: the name of a template set, or the templates. sizes: number of
    pictures in each published split. notes: what the paper does not say, or where the files differ from it. source:
    the origin of the class names.
    """

    name: str
    title: str
    task: Task
    metric: str
    splits: tuple[str, ...]
    reader: str
    folders: tuple[str, ...]
    where: str
    layout: str
    templates: str | tuple[str, ...] = ()
    classes: tuple[Class, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    notes: str = ""
    source: str = ""

    def open(self, folder: Path, split: str | None = None) -> DataSet:
        """Opens a split in `folder`; by default test, else val.

        Raises MissingSet if files are missing. Raises DataError for an unknown split, damaged files, and labels
        outside the declared classes.
        """
        split = self._split(split)
        root, items = self._read(folder, split)
        left_out = Omissions()
        items = self._checked(items, root, left_out)
        has_template_set = isinstance(self.templates, str)
        return DataSet(
            name=self.name,
            split=split,
            task=self.task,
            metric=self.metric,
            items=items,
            classes=self.classes,
            templates=prompts.templates(self.templates) if self.templates else (),
            template_set=str(self.templates) if has_template_set else self.name if self.templates else "",
            splits=self.splits,
            origin=str(root),
            published_items=self.sizes.get(split),
            notes=self.notes,
            left_out=left_out,
            open_split=lambda other: self.open(folder, other),
        )

    def _split(self, requested: str | None) -> str:
        if requested in self.splits:
            return requested
        listed = ", ".join(self.splits)
        if requested is not None:
            raise DataError(f"{self.name} has no split {one_line(requested, 80)!r} (available: {listed})")
        for split in DEFAULT_SPLITS:
            if split in self.splits:
                return split
        raise DataError(
            f"{self.name} has neither test nor val: name a split ({listed}), as {self.name}:{self.splits[0]}"
        )

    def _read(self, folder: Path, split: str) -> tuple[Path, Sequence[Item]]:
        """The first root with complete files, and its items. Tries the named folders in `folder`, then `folder`."""
        module, _, function = self.reader.partition(":")
        reader: Reader = getattr(importlib.import_module(f"contralto.sets.layouts.{module}"), function)
        missing = [f"no folder {' or '.join(self.folders)} in {folder}"]
        for root in [*(folder / name for name in self.folders if (folder / name).is_dir()), folder]:
            try:
                return root, reader(root, split, self.classes)
            except MissingPath as error:
                missing.append(str(error))
        what = (
            missing[0] if len(missing) == 2 else missing[1]
        )  # an error about the named folder says more than about `folder`
        raise MissingSet(f"{self.name}: {what}", self.title, self.where, self.layout)

    def _checked(self, items: Sequence[Item], root: Path, left_out: Omissions) -> Sequence[Item]:
        """The items that can be evaluated. Raises DataError if none can, and for labels outside the classes."""
        # A lazy sequence has checked its labels already: iterating it here would read every pixel.
        if not isinstance(items, list) and len(items):
            return items
        items = usable_items(items, self.task, 0, left_out)
        if not items:
            raise DataError(f"{self.name}: no pictures in {root}; {self.layout} is expected")
        used = {label for item in items for label in (item.label, *item.labels, *item.ignored) if label is not None}
        if used and not 0 <= min(used) <= max(used) < len(self.classes):
            labels = f"{root} has labels {min(used)} to {max(used)}"
            raise DataError(f"{self.name}: {labels}, but {len(self.classes)} classes are declared")
        return items


def set_names() -> list[str]:
    """The names of the published data sets, sorted."""
    folder = resources.files("contralto.sets") / "registry"
    return sorted(file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json"))


@functools.cache
def load_declaration(name: str) -> Declaration:
    """The declaration of that name. Raises DataError, which lists the closest names."""
    if name not in set_names():
        close = difflib.get_close_matches(name, set_names(), n=3) or set_names()
        raise DataError(f"no data set is named {one_line(name, 80)!r} (available: {', '.join(close)})")
    file = resources.files("contralto.sets") / "registry" / f"{name}.json"
    return parse(json.loads(file.read_text(encoding="utf-8")))


def parse(document: Mapping[str, Any]) -> Declaration:
    """A declaration from its JSON document. Classes are names, or objects with the fields of `Class`.

    `classes_of` takes the classes of another data set instead, in its order; `subset` selects classes by index.
    Raises DataError for unknown, missing or contradictory keys.
    """
    fields = dict(document)
    name = fields.get("name")
    fields["classes"] = tuple(_class(c) for c in fields.get("classes", ()))
    if (other := fields.pop("classes_of", None)) is not None:
        fields["classes"] = load_declaration(other).classes
    if (subset := fields.pop("subset", None)) is not None:
        fields["classes"] = tuple(fields["classes"][index] for index in subset)
    known = {f.name for f in dataclasses.fields(Declaration)}
    if unknown := sorted(fields.keys() - known):
        raise DataError(f"declaration {name!r}: unknown key {unknown[0]!r}")
    for key in ("splits", "folders", "templates"):
        if isinstance(fields.get(key), list):
            fields[key] = tuple(fields[key])
    try:
        declaration = Declaration(**fields)
    except TypeError as error:
        raise DataError(f"declaration {name!r}: {error}") from error
    if declaration.task not in get_args(Task):
        raise DataError(f"declaration {name!r}: {declaration.task!r} is no task ({', '.join(get_args(Task))})")
    return declaration


def _class(entry: str | Mapping[str, Any]) -> Class:
    if isinstance(entry, str):
        return Class(entry)
    names = tuple(entry.get("names", ()))
    return Class(entry.get("name", names[0] if names else ""), names, entry.get("folder", ""), entry.get("group", ""))
