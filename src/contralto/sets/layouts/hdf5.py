"""PatchCamelyon: pictures and labels in HDF5 files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from contralto.data.sample import SampleError
from contralto.errors import DataError, MissingExtraError
from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.class_index import labels_from_ids
from contralto.sets.layouts.locate import MissingPath, first_existing


def pcam(root: Path, split: str, classes: Sequence[Class]) -> Sequence[Item]:
    """camelyonpatch_level_2_split_{train,valid,test}_x.h5 (`x`: N x 96 x 96 x 3 bytes) and _y.h5 (`y`: 0 or 1)."""
    stem = f"camelyonpatch_level_2_split_{'valid' if split == 'val' else split}"
    pictures = _dataset(_unpacked(root, f"{stem}_x.h5"), "x")
    where = _unpacked(root, f"{stem}_y.h5")
    ids = np.asarray(_dataset(where, "y")).ravel()
    if pictures.shape != (len(ids), 96, 96, 3) or pictures.dtype != np.uint8:
        raise DataError(f"{root}: {stem}_x.h5 has {pictures.shape} {pictures.dtype} for {len(ids)} labels")
    return _Patches(split, pictures, labels_from_ids(ids, ("0", "1"), classes, where))


class _Patches(Sequence[Item]):
    """Items whose pixels are read on demand: the training split has 7 GB."""

    def __init__(self, split: str, pictures: Any, labels: list[int]) -> None:
        self._split, self._pictures, self._labels = split, pictures, labels

    def __len__(self) -> int:
        return len(self._labels)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        key = f"{self._split}/{number}"
        try:
            return Item(key, self._pictures[number], self._labels[number])
        except OSError as error:
            raise SampleError(key, f"cannot be read: {error}") from error


def _unpacked(root: Path, name: str) -> Path:
    if (root / f"{name}.gz").exists() and not (root / name).exists():
        raise MissingPath(f"{root / name} is missing, only {name}.gz: unpack it with gunzip")
    return first_existing(root, name)


def _dataset(path: Path, name: str) -> Any:
    """An array in an HDF5 file, read on demand. Raises DataError, MissingExtraError."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(f"reading {path.name}", "evaluate") from error
    try:
        array = h5py.File(path, "r")[name]
    except KeyError:
        raise DataError(f"{path} has no array {name!r}: it is not the expected file") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read as HDF5: {error}") from error
    if not isinstance(array, h5py.Dataset):
        raise DataError(f"{path}: {name!r} is no array")
    return array
