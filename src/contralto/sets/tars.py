"""Uncompressed tars: WebDataset shards, or a folder per class within one tar.

A folder of shards may be laid out as CLIP_benchmark lays them out: `test/0.tar`, `test/nshards.txt`, `classnames.txt`
and `zeroshot_classification_templates.txt` (with {c} for the class name).
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np

from contralto.data.omissions import Omissions
from contralto.data.sample import SampleError
from contralto.data.splits import UNSPLIT, is_split, split_name
from contralto.data.tar import Member, contents, members
from contralto.data.webdataset import captions, grouped, label
from contralto.errors import DataError, one_line
from contralto.sets.data_set import Class, DataSet, Item
from contralto.sets.folders import open_folders
from contralto.sets.user_set import UserSet, build_data_set, check_labels, files_by_split

_SAID = frozenset({"json", "txt", "cls", "npy"})
_LARGEST_LABELS = 2**20
"""Bytes of a `.npy` with labels: far more than any set has classes."""
_LOOKED_AT = 100
"""Samples among which one states its split, if any does."""

Parts: TypeAlias = dict[str, Member]
Scan: TypeAlias = Callable[[Path, Omissions], Mapping[str, Parts]]
Samples: TypeAlias = Callable[[Omissions], Iterable[tuple[str, Parts]]]


def _scan(tar: Path, left_out: Omissions) -> Mapping[str, Parts]:
    return grouped(members(tar), left_out)


def open_tar(path: Path) -> UserSet:
    """One tar: samples if something lies beside a picture under its key, else a folder per class. Raises DataError."""
    there, failed = contents(path), Omissions()
    samples = grouped(there.files, failed)
    if not any("picture" in parts and parts.keys() & _SAID for parts in samples.values()):
        return open_folders(path, there)

    def scan(_: Path, left_out: Omissions) -> Mapping[str, Parts]:
        left_out.take(failed)
        return samples

    return open_shards(path, [path], scan)


def open_shards(path: Path, tars: Sequence[Path], scan: Scan = _scan) -> UserSet:
    """WebDataset shards: `path` is the folder that they lie in, the pattern that names them, or the only one itself.

    The split is the folder a shard lies in, what its name begins with, or what `split` says in each sample's JSON.
    Classes: `.cls`, an index, or `.npy`, 0 or 1 for each class; their names are the lines of classnames.txt. A sample
    that lacks its picture, or about which nothing is said, is left out.
    Raises DataError for damaged shards, and for those that nshards.txt counts but that are not there.
    """
    folder = path if path.is_dir() else Path(os.path.commonpath([tar.parent for tar in tars]))
    by_split = files_by_split(tars, folder)
    for listed in by_split.values():
        _check_complete(listed)
    samples: dict[str, Samples] = {split: partial(_samples, listed, folder, scan) for split, listed in by_split.items()}
    if samples.keys() == {UNSPLIT} and any(_split(one) for _, one in islice(samples[UNSPLIT](Omissions()), _LOOKED_AT)):
        samples = _by_stated_split(samples[UNSPLIT])

    def read(split: str) -> DataSet:
        left_out, items = Omissions(), list[Item]()
        for key, parts in samples[split](left_out):
            try:
                items.append(_item(key, parts))
            except SampleError as error:
                left_out.fail(error.item, error.reason)
        return _data_set(path, folder, split, items, left_out)

    return UserSet(tuple(samples), read)


def _check_complete(tars: Sequence[Path]) -> None:
    """Whether there are as many shards as the nshards.txt beside them says."""
    counted = tars[0].parent / "nshards.txt"
    if counted.is_file() and (said := " ".join(_lines(counted))) != str(len(tars)):
        raise DataError(f"{counted} says {one_line(said, 20)} shards, but {len(tars)} are there: get the others")


def _samples(tars: Sequence[Path], folder: Path, scan: Scan, left_out: Omissions) -> Iterator[tuple[str, Parts]]:
    """Key and parts of each sample. Only several shards need their names in the keys."""
    for tar in tars:
        within = f"{tar.relative_to(folder).as_posix()}/" if len(tars) > 1 else ""
        for key, parts in scan(tar, left_out).items():
            if "picture" in parts:
                yield within + key, parts
            elif parts.keys() & _SAID:
                left_out.fail(f"{tar}: {key}", f"has no picture, but {', '.join(sorted(parts))}")


def _by_stated_split(samples: Samples) -> dict[str, Samples]:
    """The samples by what their own JSON says; those that say nothing are left out of every split."""
    unsaid, found = Omissions(), dict[str, list[tuple[str, Parts]]]()
    for key, parts in samples(unsaid):
        if split := _split(parts):
            found.setdefault(split_name(split), []).append((key, parts))
        else:
            unsaid.fail(str(parts["picture"]), "states no `split` in its JSON, others do")

    def listed(several: list[tuple[str, Parts]], left_out: Omissions) -> list[tuple[str, Parts]]:
        left_out.take(unsaid)
        return several

    return {split: partial(listed, several) for split, several in found.items()}


def _split(parts: Mapping[str, Member]) -> str:
    """What the sample's JSON says; nothing if it has none. Whether the JSON is sound shows when captions are read."""
    try:
        said = json.loads(parts["json"].read()) if "json" in parts else None
    except (ValueError, RecursionError, SampleError):
        return ""
    split = said.get("split", "") if isinstance(said, dict) else ""
    return split if isinstance(split, str) else ""


def _item(key: str, parts: Mapping[str, Member]) -> Item:
    number, labels = label(parts), tuple[int, ...]()
    if number is None and "npy" in parts:
        number, labels = _labels(parts["npy"])
    try:
        texts = captions(parts)
    except SampleError:
        if number is None and not labels:
            raise
        texts = ()  # what is asked of it is its class
    if number is None and not labels and not texts and "npy" not in parts:
        raise SampleError(str(parts["picture"]), "has no caption and no class beside it (.json, .txt, .cls or .npy)")
    return Item(key, parts["picture"], number, labels, captions=texts)


def _labels(member: Member) -> tuple[int | None, tuple[int, ...]]:
    """A class index, in an array of no dimension; else the classes that are there (CLIP_benchmark: in floats)."""
    if member.size > _LARGEST_LABELS:
        raise SampleError(str(member), "is too large to be labels")
    try:
        array = np.load(io.BytesIO(member.read()), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:  # the header may claim any size
        raise SampleError(str(member), f"is no array of labels: {one_line(str(error))}") from error
    if array.ndim == 0 and array.dtype.kind in "iu" and array >= 0:
        return int(array), ()
    if array.ndim == 1 and array.dtype.kind in "iubf" and np.isin(array, (0, 1)).all():
        return None, tuple(np.flatnonzero(array).tolist())
    raise SampleError(str(member), "must hold a class index, or 0 or 1 for each class")


def _data_set(path: Path, folder: Path, split: str, items: Sequence[Item], left_out: Omissions) -> DataSet:
    """With the class names and templates in the folder, or above it if the folder is that of a split."""
    places = [folder, folder.parent] if is_split(folder.resolve().name) else [folder]
    named = next((place / "classnames.txt" for place in places if (place / "classnames.txt").is_file()), None)
    worded = [place / "zeroshot_classification_templates.txt" for place in places]
    templates = next((_lines(file) for file in worded if file.is_file()), ())
    if named is None or not any(item.label is not None or item.labels for item in items):
        return build_data_set(path, split, items, left_out=left_out)
    classes = tuple(Class(name) for name in _lines(named))
    check_labels(str(named), items, len(classes))
    templates = tuple(template.replace("{c}", "{}") for template in templates)
    return build_data_set(path, split, items, classes, templates, left_out=left_out)


def _lines(path: Path) -> tuple[str, ...]:
    try:
        return tuple(line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as UTF-8: {error}") from error
