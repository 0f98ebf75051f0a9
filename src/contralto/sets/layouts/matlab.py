"""Data sets with labels in MATLAB files: Flowers 102, Stanford Cars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from contralto.errors import DataError, MissingExtraError, one_line
from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.class_index import labelled_files
from contralto.sets.layouts.locate import first_existing
from contralto.sets.list_files import LIST_BYTES, check_size


def flowers102(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """imagelabels.mat: the classes, from 1, of jpg/image_00001.jpg and so on; setid.mat: the picture numbers by split.

    The published test split is the larger part (`tstid`), as in the CLIP paper.
    """
    where = first_existing(root, "imagelabels.mat")
    labels = _variable(where, "labels")
    numbers = _variable(first_existing(root, "setid.mat"), {"train": "trnid", "val": "valid", "test": "tstid"}[split])
    if len(numbers) and not 1 <= numbers.min() <= numbers.max() <= len(labels):
        raise DataError(f"{root}: setid.mat has numbers to {numbers.max()}, imagelabels.mat {len(labels)} labels")
    named = ((f"image_{number:05d}.jpg", str(labels[number - 1])) for number in numbers)
    return labelled_files(root, "jpg", named, classes, where)


def cars(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """devkit/cars_train_annos.mat with cars_train/, and cars_test_annos_withlabels.mat with cars_test/; or
    cars_annos.mat with car_ims/, which has both splits. Classes count from 1."""
    name = {"train": "cars_train_annos.mat", "test": "cars_test_annos_withlabels.mat"}[split]
    where = first_existing(root, f"devkit/{name}", name, "cars_annos.mat")
    cars = _variable(where, "annotations")
    together = where.name == "cars_annos.mat"
    if not {"class", *(("relative_im_path", "test") if together else ("fname",))} <= set(cars.dtype.names or ()):
        raise DataError(f"{where}: its annotations lack a field of the published file: download it again")
    if together:
        ours = (car for car in cars if bool(car["test"]) == (split == "test"))
        named = ((str(car["relative_im_path"]).removeprefix("car_ims/"), str(car["class"])) for car in ours)
    else:
        named = ((str(car["fname"]), str(car["class"])) for car in cars)
    return labelled_files(root, "car_ims" if together else f"cars_{split}", named, classes, where)


def _variable(path: Path, name: str) -> Any:
    """A vector of numbers or records in a MATLAB file up to version 7. Raises DataError, MissingExtraError."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise MissingExtraError(f"reading {path.name}", "evaluate") from error
    check_size(path, LIST_BYTES)
    try:
        return np.atleast_1d(loadmat(path, squeeze_me=True, variable_names=[name])[name])
    except KeyError:
        raise DataError(f"{path} has no variable {name!r}: it is not the expected file") from None
    except Exception as error:  # scipy may raise any exception on a damaged file
        raise DataError(f"{path} is no MATLAB file that can be read: {one_line(str(error), 120)}") from error
