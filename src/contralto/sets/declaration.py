"""The named sets: where their files are to be had, how they lie, what their classes and templates are.

A declaration is a JSON in `registry/`; the reader it names, in `layouts/`, knows the format of the files.
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
from contralto.sets.item_filter import measurable_items
from contralto.sets.layouts.locate import MissingPath
from contralto.zeroshot import prompts

Reader: TypeAlias = Callable[[Path, str, Sequence[Class]], Sequence[Item]]
"""(root folder of the set, split, declared classes) -> the items of the split. Raises DataError, MissingPath."""

SPLITS_BY_DEFAULT = ("test", "val")


class AbsentSet(DataError):
    """The files of a published set are not there. what: what is missing; title: the set's own name; where: the page to
    get it from; layout: the files expected."""

    def __init__(self, what: str, title: str, where: str, layout: str) -> None:
        super().__init__(f"{what}; get {title} from {where} and lay it out as {layout}")
        self.what, self.title, self.where, self.layout = what, title, where, layout

    def __reduce__(self) -> tuple[type[AbsentSet], tuple[str, str, str, str]]:
        return type(self), (self.what, self.title, self.where, self.layout)


@dataclass(frozen=True)
class Declaration:
    """A published set: all that is known without its files.

    metric: as in `DataSet`, the one that the paper reports. reader: `module:function` within `contralto.sets.layouts`.
    folders: what the set's folder may be called below the data folder. where: the page to get it from. layout: the
    files expected. templates: a set of templates by its name, or the templates. sizes: pictures in each split as
    published. notes: where the paper is silent, or the files differ from it. source: where the class names are from.
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

    def open(self, data: Path, split: str | None = None) -> DataSet:
        """The split below the folder `data`; none named: test, else val.

        Raises AbsentSet where files are missing; DataError for no such split, damaged files, or labels that are not
        those of the declared classes.
        """
        split = self._split(split)
        root, items = self._read(data, split)
        left_out = Omissions()
        items = self._checked(items, root, left_out)
        named = isinstance(self.templates, str)
        return DataSet(
            name=self.name,
            split=split,
            task=self.task,
            metric=self.metric,
            items=items,
            classes=self.classes,
            templates=prompts.templates(self.templates) if self.templates else (),
            template_set=str(self.templates) if named else self.name if self.templates else "",
            splits=self.splits,
            origin=str(root),
            published_items=self.sizes.get(split),
            notes=self.notes,
            left_out=left_out,
            open_split=lambda other: self.open(data, other),
        )

    def _split(self, asked: str | None) -> str:
        if asked in self.splits:
            return asked
        there = ", ".join(self.splits)
        if asked is not None:
            raise DataError(f"{self.name} has no split {one_line(asked, 80)!r} (there are: {there})")
        for split in SPLITS_BY_DEFAULT:
            if split in self.splits:
                return split
        raise DataError(
            f"{self.name} has neither test nor val: name a split ({there}), as {self.name}:{self.splits[0]}"
        )

    def _read(self, data: Path, split: str) -> tuple[Path, Sequence[Item]]:
        """The first root whose files are all there, with its items: a folder of that name below `data`, or `data`."""
        module, _, function = self.reader.partition(":")
        reader: Reader = getattr(importlib.import_module(f"contralto.sets.layouts.{module}"), function)
        missing = [f"no folder {' or '.join(self.folders)} in {data}"]
        for root in [*(data / name for name in self.folders if (data / name).is_dir()), data]:
            try:
                return root, reader(root, split, self.classes)
            except MissingPath as error:
                missing.append(str(error))
        what = missing[0] if len(missing) == 2 else missing[1]  # the folder by its name tells more than `data` itself
        raise AbsentSet(f"{self.name}: {what}", self.title, self.where, self.layout)

    def _checked(self, items: Sequence[Item], root: Path, left_out: Omissions) -> Sequence[Item]:
        """The items that can be measured. Raises DataError if there are none, and for labels that no class has."""
        # A sequence that makes its items as they are asked for has checked its labels: here it would read every pixel.
        if not isinstance(items, list) and len(items):
            return items
        items = measurable_items(items, self.task, 0, left_out)
        if not items:
            raise DataError(f"{self.name}: no pictures in {root}; {self.layout} is expected")
        used = {label for item in items for label in (item.label, *item.labels, *item.ignored) if label is not None}
        if used and not 0 <= min(used) <= max(used) < len(self.classes):
            labels = f"{root} has labels {min(used)} to {max(used)}"
            raise DataError(f"{self.name}: {labels}, but {len(self.classes)} classes are declared")
        return items


def names() -> list[str]:
    """The named sets, sorted."""
    folder = resources.files("contralto.sets") / "registry"
    return sorted(file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json"))


@functools.cache
def declared(name: str) -> Declaration:
    """The declaration of that name. Raises DataError, which names the closest ones."""
    if name not in names():
        close = difflib.get_close_matches(name, names(), n=3) or names()
        raise DataError(f"no set is called {one_line(name, 80)!r} (there are: {', '.join(close)})")
    file = resources.files("contralto.sets") / "registry" / f"{name}.json"
    return parse(json.loads(file.read_text(encoding="utf-8")))


def parse(stated: Mapping[str, Any]) -> Declaration:
    """A declaration from its JSON. Classes are names, or objects with the fields of `Class`; `classes_of` takes them
    from another set instead, in its order, and `subset` only those with these indices.

    Raises DataError for unknown, missing or contradictory keys.
    """
    given = dict(stated)
    name = given.get("name")
    given["classes"] = tuple(_class(c) for c in given.get("classes", ()))
    if (other := given.pop("classes_of", None)) is not None:
        given["classes"] = declared(other).classes
    if (subset := given.pop("subset", None)) is not None:
        given["classes"] = tuple(given["classes"][index] for index in subset)
    known = {f.name for f in dataclasses.fields(Declaration)}
    if unknown := sorted(given.keys() - known):
        raise DataError(f"declaration {name!r}: unknown key {unknown[0]!r}")
    for key in ("splits", "folders", "templates"):
        if isinstance(given.get(key), list):
            given[key] = tuple(given[key])
    try:
        declaration = Declaration(**given)
    except TypeError as error:
        raise DataError(f"declaration {name!r}: {error}") from error
    if declaration.task not in get_args(Task):
        raise DataError(f"declaration {name!r}: {declaration.task!r} is no task ({', '.join(get_args(Task))})")
    return declaration


def _class(stated: str | Mapping[str, Any]) -> Class:
    if isinstance(stated, str):
        return Class(stated)
    names = tuple(stated.get("names", ()))
    return Class(
        stated.get("name", names[0] if names else ""), names, stated.get("folder", ""), stated.get("group", "")
    )
