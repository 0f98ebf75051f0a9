"""Uncompressed tars: WebDataset shards, or a folder per class within one tar.

A folder of shards may be laid out as CLIP_benchmark lays them out: `test/0.tar`, `test/nshards.txt`, `classnames.txt`
and `zeroshot_classification_templates.txt` (with {c} for the class name).
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from contralto.data.source import SampleError
from contralto.data.tar import Member, members
from contralto.data.webdataset import captions, grouped, label
from contralto.errors import DataError, one_line
from contralto.sets.folders import open_tar_of_folders
from contralto.sets.found import ALL, Found, check_labels, data_set, is_split, shards, split_name
from contralto.sets.items import Class, DataSet, Item

_SAID = frozenset({"json", "txt", "cls", "npy"})
_LARGEST_LABELS = 2**20
"""Bytes of a `.npy` with labels: far more than any set has classes."""

Parts: TypeAlias = dict[str, Member]
Scan: TypeAlias = Callable[[Path], Mapping[str, Parts]]


def _scan(tar: Path) -> Mapping[str, Parts]:
    return grouped(members(tar))


def open_tar(path: Path) -> Found:
    """One tar: samples if something lies beside a picture under its key, else a folder per class. Raises DataError."""
    files = members(path)
    samples = grouped(files)
    if any("picture" in parts and parts.keys() & _SAID for parts in samples.values()):
        return open_shards(path, [path], scan=lambda _: samples)
    return open_tar_of_folders(path, files)


def open_shards(path: Path, tars: Sequence[Path], scan: Scan = _scan) -> Found:
    """WebDataset shards: `path` is the folder that they lie in, the pattern that names them, or the only one itself.

    The split is the folder a shard lies in, what its name begins with, or what `split` says in each sample's JSON.
    Classes: `.cls`, an index, or `.npy`, 0 or 1 for each class; their names are the lines of classnames.txt.
    Raises DataError, also for a picture about which nothing is said, and for shards that nshards.txt counts but that
    are not there.
    """
    folder = path if path.is_dir() else Path(os.path.commonpath([tar.parent for tar in tars]))
    by_split = shards(tars, folder)
    for listed in by_split.values():
        _check_complete(listed)
    samples: dict[str, Callable[[], Iterator[tuple[str, Parts]]]]
    samples = {split: partial(_samples, listed, folder, scan) for split, listed in by_split.items()}
    if samples.keys() == {ALL} and _split(next(samples[ALL](), ("", {}))[1]):
        samples = {split: partial(iter, listed) for split, listed in _by_stated_split(samples[ALL]()).items()}

    def read(split: str) -> DataSet:
        return _data_set(path, folder, split, [_item(key, parts) for key, parts in samples[split]()])

    return Found(tuple(samples), read)


def _check_complete(tars: Sequence[Path]) -> None:
    """Whether there are as many shards as the nshards.txt beside them says."""
    counted = tars[0].parent / "nshards.txt"
    if counted.is_file() and (said := " ".join(_lines(counted))) != str(len(tars)):
        raise DataError(f"{counted} says {one_line(said, 20)} shards, but {len(tars)} are there: get the others")


def _samples(tars: Sequence[Path], folder: Path, scan: Scan) -> Iterator[tuple[str, Parts]]:
    """Key and parts of each sample. Only several shards need their names in the keys."""
    for tar in tars:
        within = f"{tar.relative_to(folder).as_posix()}/" if len(tars) > 1 else ""
        for key, parts in scan(tar).items():
            if "picture" in parts:
                yield within + key, parts
            elif parts.keys() & _SAID:
                raise DataError(f"{tar}: {one_line(key, 120)!r} has no picture, but {', '.join(sorted(parts))}")


def _by_stated_split(samples: Iterator[tuple[str, Parts]]) -> dict[str, list[tuple[str, Parts]]]:
    found: dict[str, list[tuple[str, Parts]]] = {}
    for key, parts in samples:
        if not (split := _split(parts)):
            raise SampleError(str(parts["picture"]), "states no `split` in its JSON, others do")
        found.setdefault(split_name(split), []).append((key, parts))
    return found


def _split(parts: Mapping[str, Member]) -> str:
    """What the sample's JSON says; nothing if it has none. Whether the JSON is sound shows when captions are read."""
    try:
        said = json.loads(parts["json"].read()) if "json" in parts else None
    except (ValueError, RecursionError):
        return ""
    split = said.get("split", "") if isinstance(said, dict) else ""
    return split if isinstance(split, str) else ""


def _item(key: str, parts: Mapping[str, Member]) -> Item:
    texts, number = captions(parts), label(parts)
    labels: tuple[int, ...] = ()
    if number is None and "npy" in parts:
        number, labels = _labels(parts["npy"])
    if number is None and not labels and not texts and "npy" not in parts:
        raise SampleError(str(parts["picture"]), "has no caption and no class beside it (.json, .txt, .cls or .npy)")
    return Item(key, parts["picture"], number, labels, captions=texts)


def _labels(member: Member) -> tuple[int | None, tuple[int, ...]]:
    """Class index, or the classes that are there, of an array of integers."""
    if member.size > _LARGEST_LABELS:
        raise SampleError(str(member), "is too large to be labels")
    try:
        array = np.load(io.BytesIO(member.read()), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise SampleError(str(member), f"is no array of labels: {error}") from error
    if array.dtype.kind not in "iub" or array.ndim > 1 or (array.ndim and not np.isin(array, (0, 1)).all()):
        raise SampleError(str(member), "must hold a class index, or 0 or 1 for each class")
    return (int(array), ()) if not array.ndim else (None, tuple(np.flatnonzero(array).tolist()))


def _data_set(path: Path, folder: Path, split: str, items: Sequence[Item]) -> DataSet:
    """With the class names and templates in the folder, or above it if the folder is that of a split."""
    places = [folder, folder.parent] if is_split(folder.resolve().name) else [folder]
    named = next((place / "classnames.txt" for place in places if (place / "classnames.txt").is_file()), None)
    worded = [place / "zeroshot_classification_templates.txt" for place in places]
    templates = next((_lines(file) for file in worded if file.is_file()), ())
    if named is None or not any(item.label is not None or item.labels for item in items):
        return data_set(path, split, items)
    classes = tuple(Class(name) for name in _lines(named))
    check_labels(str(named), items, len(classes), exact=True)
    return data_set(path, split, items, classes, tuple(template.replace("{c}", "{}") for template in templates))


def _lines(path: Path) -> tuple[str, ...]:
    try:
        return tuple(line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as UTF-8: {error}") from error
