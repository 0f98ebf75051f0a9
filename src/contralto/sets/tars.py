"""Uncompressed tars: WebDataset shards, or a folder per class within one tar.

A folder of shards may have the layout of CLIP_benchmark: `test/0.tar`, `test/nshards.txt`, `classnames.txt` and
`zeroshot_classification_templates.txt` (with {c} for the class name).
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
from contralto.data.webdataset import captions, label, samples_by_key
from contralto.errors import DataError, one_line
from contralto.sets.data_set import Class, DataSet, Item
from contralto.sets.folders import open_folders
from contralto.sets.list_files import read_lines
from contralto.sets.user_set import UserSet, build_data_set, check_labels, files_by_split

_ANNOTATIONS = frozenset({"json", "txt", "cls", "npy"})
_MAX_LABEL_BYTES = 2**20
"""Limit of a `.npy` file with labels: far above the number of classes of any data set."""
_SPLIT_PROBE = 100
"""Number of samples that are searched for a stated split."""

Parts: TypeAlias = dict[str, Member]
"""The members of a sample: "picture" or a file extension -> member."""
Scan: TypeAlias = Callable[[Path, Omissions], Mapping[str, Parts]]
"""(tar, omissions to add to) -> samples by key."""
Samples: TypeAlias = Callable[[Omissions], Iterable[tuple[str, Parts]]]
"""(omissions to add to) -> key and parts of each sample."""


def _scan(tar: Path, left_out: Omissions) -> Mapping[str, Parts]:
    return samples_by_key(members(tar), left_out)


def open_tar(path: Path) -> UserSet:
    """One tar: WebDataset samples if a picture has an annotation of the same key, else a folder per class.

    Raises DataError.
    """
    tar_contents, failed = contents(path), Omissions()
    samples = samples_by_key(tar_contents.files, failed)
    if not any("picture" in parts and parts.keys() & _ANNOTATIONS for parts in samples.values()):
        return open_folders(path, tar_contents)

    def scan(_: Path, left_out: Omissions) -> Mapping[str, Parts]:
        left_out.add(failed)
        return samples

    return open_shards(path, [path], scan)


def open_shards(path: Path, tars: Sequence[Path], scan: Scan = _scan) -> UserSet:
    """WebDataset shards. path: their folder, their pattern, or the only shard.

    The split is the shard's folder, the start of its name, or `split` in each sample's JSON. Classes: `.cls` holds an
    index, `.npy` 0 or 1 for each class; the lines of classnames.txt are their names. A sample without a picture or
    without an annotation is left out.
    Raises DataError if a shard is damaged, or if nshards.txt states another number of shards.
    """
    folder = path if path.is_dir() else Path(os.path.commonpath([tar.parent for tar in tars]))
    by_split = files_by_split(tars, folder)
    for listed in by_split.values():
        _check_complete(listed)
    samples: dict[str, Samples] = {split: partial(_samples, listed, folder, scan) for split, listed in by_split.items()}
    if samples.keys() == {UNSPLIT}:
        first = islice(samples[UNSPLIT](Omissions()), _SPLIT_PROBE)
        if any(_stated_split(parts) for _, parts in first):
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
    """Raises DataError unless the number of shards is the one in their nshards.txt, if that exists."""
    file = tars[0].parent / "nshards.txt"
    if file.is_file() and (stated := " ".join(read_lines(file))) != str(len(tars)):
        raise DataError(f"{file} states {one_line(stated, 20)} shards, but {len(tars)} exist: add the missing ones")


def _samples(tars: Sequence[Path], folder: Path, scan: Scan, left_out: Omissions) -> Iterator[tuple[str, Parts]]:
    """Key and parts of each sample. Keys include the shard's name only if several shards exist."""
    for tar in tars:
        prefix = f"{tar.relative_to(folder).as_posix()}/" if len(tars) > 1 else ""
        for key, parts in scan(tar, left_out).items():
            if "picture" in parts:
                yield prefix + key, parts
            elif parts.keys() & _ANNOTATIONS:
                left_out.fail(f"{tar}: {key}", f"has no picture, but {', '.join(sorted(parts))}")


def _by_stated_split(samples: Samples) -> dict[str, Samples]:
    """The samples by the split in their JSON. Samples without a split are left out of every split."""
    failed, by_split = Omissions(), dict[str, list[tuple[str, Parts]]]()
    for key, parts in samples(failed):
        if split := _stated_split(parts):
            by_split.setdefault(split_name(split), []).append((key, parts))
        else:
            failed.fail(str(parts["picture"]), "states no `split` in its JSON, others do")

    def split_samples(of_split: list[tuple[str, Parts]], left_out: Omissions) -> list[tuple[str, Parts]]:
        left_out.add(failed)
        return of_split

    return {split: partial(split_samples, of_split) for split, of_split in by_split.items()}


def _stated_split(parts: Mapping[str, Member]) -> str:
    """The split in the sample's JSON, "" if it has none. Damaged JSON is reported later, with the captions."""
    try:
        value = json.loads(parts["json"].read()) if "json" in parts else None
    except (ValueError, RecursionError, SampleError):
        return ""
    split = value.get("split", "") if isinstance(value, dict) else ""
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
        texts = ()  # its class is enough
    if number is None and not labels and not texts and "npy" not in parts:
        raise SampleError(str(parts["picture"]), "has no caption and no class beside it (.json, .txt, .cls or .npy)")
    return Item(key, parts["picture"], number, labels, captions=texts)


def _labels(member: Member) -> tuple[int | None, tuple[int, ...]]:
    """A class index from a scalar array; else the indices of ones in a vector (CLIP_benchmark stores floats)."""
    if member.size > _MAX_LABEL_BYTES:
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
    """With class names and templates from the folder, or from the folder above a split folder."""
    folders = [folder, folder.parent] if is_split(folder.resolve().name) else [folder]
    names_file = next((place / "classnames.txt" for place in folders if (place / "classnames.txt").is_file()), None)
    template_files = [place / "zeroshot_classification_templates.txt" for place in folders]
    templates = next((read_lines(file) for file in template_files if file.is_file()), [])
    if names_file is None or not any(item.label is not None or item.labels for item in items):
        return build_data_set(path, split, items, left_out=left_out)
    classes = tuple(Class(name) for name in read_lines(names_file))
    check_labels(str(names_file), items, len(classes))
    templates = [template.replace("{c}", "{}") for template in templates]
    return build_data_set(path, split, items, classes, tuple(templates), left_out=left_out)
