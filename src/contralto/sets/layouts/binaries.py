"""Small pictures in a few binary files: CIFAR-10, CIFAR-100, MNIST, STL-10.

Uncompressed files are memory-mapped; a picture is a view of the file.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from contralto.errors import DataError
from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.class_index import labelled_arrays, labels_from_ids
from contralto.sets.layouts.locate import first_existing
from contralto.sets.layouts.pickles import load_plain_pickle
from contralto.sets.list_files import read_lines

PIXEL_BYTES = 1 << 30
"""Limit of a decompressed file: far above MNIST's 47 MB."""


def cifar10(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """data_batch_1 ... 5 and test_batch, binary (.bin) or as Python pickles; batches.meta[.txt] names the classes.

    A binary row is the label and 3 planes of 32 x 32 bytes.
    """
    files = [f"data_batch_{n}" for n in range(1, 6)] if split == "train" else ["test_batch"]
    if (root / f"{files[0]}.bin").exists():
        names = first_existing(root, "batches.meta.txt")
        return _cifar(
            split,
            [_binary(first_existing(root, f"{name}.bin"), 1) for name in files],
            read_lines(names),
            classes,
            names,
        )
    names = first_existing(root, "batches.meta")
    batches = [_pickled(first_existing(root, name), "labels") for name in files]
    return _cifar(split, batches, _names(names, "label_names"), classes, names)


def cifar100(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """train and test, binary (.bin) or as Python pickles; fine_label_names.txt, or meta, names the classes.

    A binary row is the coarse label, the fine label (the class) and 3 planes of 32 x 32 bytes.
    """
    if (root / f"{split}.bin").exists():
        names = first_existing(root, "fine_label_names.txt")
        return _cifar(split, [_binary(root / f"{split}.bin", 2)], read_lines(names), classes, names)
    names = first_existing(root, "meta")
    batch = _pickled(first_existing(root, split), "fine_labels")
    return _cifar(split, [batch], _names(names, "fine_label_names"), classes, names)


Batch: TypeAlias = tuple[NDArray[np.uint8], NDArray[Any]]
"""Pictures (N, 3072) and ids (N,)."""


def _cifar(split: str, batches: list[Batch], names: list[str], classes: Sequence[Class], where: Path) -> list[Item]:
    ids = np.concatenate([ids for _, ids in batches])
    pictures = [row.reshape(3, 32, 32).transpose(1, 2, 0) for rows, _ in batches for row in rows]
    return labelled_arrays(split, pictures, labels_from_ids(ids, names, classes, where))


def _binary(path: Path, labels: int) -> Batch:
    rows = _rows(path, labels + 3072)
    return rows[:, labels:], rows[:, labels - 1]


def _pickled(path: Path, labels: str) -> Batch:
    batch = load_plain_pickle(path)
    pictures, ids = batch.get("data"), batch.get(labels)
    if not isinstance(pictures, np.ndarray) or pictures.shape[1:] != (3072,):
        raise DataError(f"{path} has no array `data` in rows of 3,072 bytes: it is no batch of CIFAR")
    if not isinstance(ids, list) or len(ids) != len(pictures) or not all(type(label) is int for label in ids):
        raise DataError(f"{path} has no {len(pictures)} numbers in `{labels}`: it is no batch of CIFAR")
    return pictures, np.asarray(ids)


def _names(path: Path, key: str) -> list[str]:
    names = load_plain_pickle(path).get(key)
    if not isinstance(names, list) or not all(isinstance(name, bytes) for name in names):
        raise DataError(f"{path} has no class names in `{key}`: it is not the expected file")
    return [name.decode("utf-8", "replace") for name in names]


def mnist(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """train- and t10k-images-idx3-ubyte, -labels-idx1-ubyte, gzipped or not: big-endian sizes, then bytes."""
    stem = "train" if split == "train" else "t10k"
    where, pictures = _idx(root, f"{stem}-images", 3)
    path, ids = _idx(root, f"{stem}-labels", 1)
    if len(pictures) != len(ids):
        raise DataError(f"{where} has {len(pictures)} pictures, {path} {len(ids)} labels: download both again")
    return labelled_arrays(
        split, list(pictures), labels_from_ids(ids, [str(digit) for digit in range(10)], classes, path)
    )


def _idx(root: Path, stem: str, dimensions: int) -> tuple[Path, NDArray[np.uint8]]:
    names = [f"{stem}{mark}idx{dimensions}-ubyte" for mark in "-."]
    path = first_existing(root, *names, *(f"{name}.gz" for name in names))
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            head = np.frombuffer(file.read(4 + 4 * dimensions), ">u4")
            if len(head) != 1 + dimensions or head[0] != 0x800 + dimensions:
                raise DataError(f"{path} does not begin as an IDX file of bytes with {dimensions} dimensions")
            shape = tuple(int(size) for size in head[1:])
            data = file.read(min(math.prod(shape), PIXEL_BYTES) + 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if len(data) != math.prod(shape):
        raise DataError(f"{path} states {math.prod(shape)} bytes, but has others: download the file again")
    return path, np.frombuffer(data, np.uint8).reshape(shape)


def stl10(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """{train,test}_X.bin: 3 planes of 96 x 96 bytes, column by column; _y.bin: classes from 1; class_names.txt."""
    where = first_existing(root, "class_names.txt")
    rows = _rows(first_existing(root, f"{split}_X.bin"), 3 * 96 * 96)
    ids = _rows(first_existing(root, f"{split}_y.bin"), 1).astype(np.int64).ravel() - 1
    if len(rows) != len(ids):
        raise DataError(f"{root}: {split}_X.bin has {len(rows)} pictures, {split}_y.bin {len(ids)} labels")
    pictures = [row.reshape(3, 96, 96).transpose(2, 1, 0) for row in rows]
    return labelled_arrays(split, pictures, labels_from_ids(ids, read_lines(where), classes, where))


def _rows(path: Path, width: int) -> NDArray[np.uint8]:
    size = path.stat().st_size
    if size == 0 or size % width:
        raise DataError(f"{path} has {size} bytes, which are no whole number of {width}: download the file again")
    return np.asarray(np.memmap(path, np.uint8, "r")).reshape(-1, width)
