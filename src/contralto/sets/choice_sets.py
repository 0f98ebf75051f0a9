"""Data sets with a choice of texts per picture, in the formats of SugarCrepe and Winoground.

SugarCrepe: a JSON file per kind of false text (`add_att.json`). The entries are the values of an object with numbers as
keys, or a list; each has `filename`, `caption` and `negative_caption`. The pictures are in the same folder, or in a
folder within or next to it (COCO's `val2017`).
Winoground: `examples.jsonl` with `id`, `image_0`, `image_1`, `caption_0`, `caption_1`, and `images/<image>.png`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contralto.data.omissions import Omissions
from contralto.data.sample import SampleError
from contralto.data.splits import UNSPLIT
from contralto.data.table_files import captions_of, picture_path, read_rows
from contralto.errors import DataError, one_line
from contralto.sets.data_set import DataSet, Item
from contralto.sets.picture_folder import file_head, picture_folder
from contralto.sets.user_set import UserSet, build_data_set, visible_paths

_CHOICE_KEYS = ("filename", "caption", "negative_caption")
_PAIR_KEYS = ("image_0", "image_1", "caption_0", "caption_1")


def choice_files(folder: Path) -> list[Path]:
    """The files in the folder with true and false captions, sorted. Only the start of each file is read."""
    files = (path for path in sorted(visible_paths(folder, "*.json")) if path.is_file())
    return [path for path in files if b'"negative_caption"' in file_head(path)]


def open_choices(path: Path) -> UserSet:
    """One SugarCrepe file, or a folder of them. An item's true text is its first; its group `kind` is the file's name.

    Raises DataError for another layout, and if the first picture of a file is missing.
    """
    files = choice_files(path) if path.is_dir() else [path]

    def read(split: str) -> DataSet:
        left_out = Omissions()
        items = [item for file in files for item in _choices(file, left_out)]
        return build_data_set(path, split, items, task="choice", left_out=left_out)

    return UserSet((UNSPLIT,), read)


def open_pairs(path: Path) -> UserSet:
    """A folder with `examples.jsonl`: two items per line, which share their two texts. Raises DataError."""

    def read(split: str) -> DataSet:
        left_out = Omissions()
        return build_data_set(path, split, list(_pairs(path, left_out)), task="pairs", left_out=left_out)

    return UserSet((UNSPLIT,), read)


def _choices(path: Path, left_out: Omissions) -> Iterator[Item]:
    folder: Path | None = None
    for number, entry in _numbered_entries(path):
        where = f"{path} entry {one_line(number, 40)}"
        try:
            name, true, false = _strings(entry, _CHOICE_KEYS, where)
            picture_path(path.parent, name, where, anywhere=False)
        except SampleError as error:
            left_out.fail(where, error.reason)
            continue
        folder = folder or picture_folder(path, name)
        yield Item(f"{path.stem}/{number}", folder / name, 0, captions=(true, false), groups={"kind": path.stem})


def _numbered_entries(path: Path) -> list[tuple[str, Any]]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON: {one_line(str(error))}") from error
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list):
        return [(str(number), entry) for number, entry in enumerate(value)]
    raise DataError(f"{path} must be a list or an object of entries {', '.join(_CHOICE_KEYS)}")


def _pairs(path: Path, left_out: Omissions) -> Iterator[Item]:
    """Two items per line. An unusable line yields neither, so that the remaining items stay pairs."""
    for row in read_rows(path / "examples.jsonl"):
        where = f"{path / 'examples.jsonl'} line {row.line}"
        try:
            if row.fault:
                raise SampleError(where, row.fault)
            *images, first, second = _strings(row.cells, _PAIR_KEYS, where)
            pictures = [picture_path(path / "images", f"{image}.png", where, anywhere=False) for image in images]
        except SampleError as error:
            left_out.fail(where, error.reason)
            continue
        number, tag = str(row.cells.get("id", row.line - 1)), row.cells.get("collapsed_tag")
        groups = {"tag": tag} if isinstance(tag, str) else {}
        for label, picture in enumerate(pictures):
            yield Item(f"{number}/{label}", picture, label, captions=(first, second), groups=groups)


def _strings(entry: object, keys: tuple[str, ...], where: str) -> list[str]:
    """The values of these keys. Raises SampleError if one is not a text."""
    texts = captions_of([entry.get(key) for key in keys] if isinstance(entry, Mapping) else [])
    if len(texts) != len(keys):
        raise SampleError(where, f"must be an object with the texts {', '.join(keys)}")
    return list(texts)
