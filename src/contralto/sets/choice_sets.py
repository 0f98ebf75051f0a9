"""Sets that ask which text is true of a picture: SugarCrepe's files, and Winoground's.

SugarCrepe: a JSON for each kind of foil (`add_att.json`), of entries `filename`, `caption`, `negative_caption` by
number or in a list; the pictures lie in the same folder, or in a folder within or beside it (COCO's `val2017`).
Winoground: `examples.jsonl` of `id`, `image_0`, `image_1`, `caption_0`, `caption_1`, and `images/<image>.png`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contralto.data.omissions import Omissions
from contralto.data.sample import SampleError
from contralto.data.splits import UNSPLIT
from contralto.data.table_files import captions_of, picture_path, rows
from contralto.errors import DataError, one_line
from contralto.sets.data_set import DataSet, Item
from contralto.sets.user_set import UserSet, build_data_set, visible

_FOIL = ("filename", "caption", "negative_caption")
_PAIR = ("image_0", "image_1", "caption_0", "caption_1")
_HEAD = 4096
"""Bytes of a JSON in which its first entry shows."""


def choice_files(folder: Path) -> list[Path]:
    """The files of the folder that hold true and false captions, sorted; judged by how they begin."""
    there = (path for path in sorted(visible(folder, "*.json")) if path.is_file())
    return [path for path in there if b'"negative_caption"' in _head(path)]


def open_choices(path: Path) -> UserSet:
    """One such JSON, or a folder of them. Each item has the true text first; its group `kind` is the file's name.

    Raises DataError for another layout, and if the first picture of a file is not found.
    """
    files = choice_files(path) if path.is_dir() else [path]

    def read(split: str) -> DataSet:
        left_out = Omissions()
        found = [item for file in files for item in _choices(file, left_out)]
        return build_data_set(path, split, found, task="choice", left_out=left_out)

    return UserSet((UNSPLIT,), read)


def open_pairs(path: Path) -> UserSet:
    """A folder with `examples.jsonl`: two items for each line, which share their two texts. Raises DataError."""

    def read(split: str) -> DataSet:
        left_out = Omissions()
        return build_data_set(path, split, list(_pairs(path, left_out)), task="pairs", left_out=left_out)

    return UserSet((UNSPLIT,), read)


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _choices(path: Path, left_out: Omissions) -> Iterator[Item]:
    folder: Path | None = None
    for number, entry in _numbered(path):
        where = f"{path} entry {one_line(number, 40)}"
        try:
            name, true, false = _strings(entry, _FOIL, where)
            picture_path(path.parent, name, where, anywhere=False)
        except SampleError as error:
            left_out.fail(where, error.reason)
            continue
        folder = folder or _pictures(path, name)
        yield Item(f"{path.stem}/{number}", folder / name, 0, captions=(true, false), groups={"kind": path.stem})


def _numbered(path: Path) -> list[tuple[str, Any]]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON: {one_line(str(error))}") from error
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list):
        return [(str(number), entry) for number, entry in enumerate(value)]
    raise DataError(f"{path} must be a list or an object of entries {', '.join(_FOIL)}")


def _pictures(path: Path, name: str) -> Path:
    """The folder in which the picture of that name lies."""
    here = path.resolve().parent
    places = [here, *(place for above in (here, here.parent) for place in sorted(above.iterdir()) if place.is_dir())]
    for place in places:
        if (place / name).is_file():
            return place
    raise DataError(
        f"{path}: its picture {one_line(name, 120)!r} is not in {here} nor in a folder within or beside it: "
        "put the folder of pictures there (COCO's val2017)"
    )


def _pairs(path: Path, left_out: Omissions) -> Iterator[Item]:
    """Two items a line: a line that cannot be used costs both, so that the others stay pairs."""
    for line in rows(path / "examples.jsonl"):
        where = f"{path / 'examples.jsonl'} line {line.number}"
        try:
            if line.fault:
                raise SampleError(where, line.fault)
            *images, first, second = _strings(line.cells, _PAIR, where)
            pictures = [picture_path(path / "images", f"{image}.png", where, anywhere=False) for image in images]
        except SampleError as error:
            left_out.fail(where, error.reason)
            continue
        number, tag = str(line.cells.get("id", line.number - 1)), line.cells.get("collapsed_tag")
        groups = {"tag": tag} if isinstance(tag, str) else {}
        for label, picture in enumerate(pictures):
            yield Item(f"{number}/{label}", picture, label, captions=(first, second), groups=groups)


def _strings(entry: object, keys: tuple[str, ...], where: str) -> list[str]:
    """The values of these keys. Raises SampleError unless all are texts."""
    texts = captions_of([entry.get(key) for key in keys] if isinstance(entry, Mapping) else [])
    if len(texts) != len(keys):
        raise SampleError(where, f"must be an object with the texts {', '.join(keys)}")
    return list(texts)
