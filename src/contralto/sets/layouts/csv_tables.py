"""Data sets with labels in CSV tables: FER2013, GTSRB."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contralto.errors import DataError
from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.class_index import check_classes, index_by_folder, index_of, labelled_arrays, labelled_files
from contralto.sets.layouts.documents import csv_columns
from contralto.sets.layouts.locate import first_existing, folder_names, picture_files


def fer2013(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """fer2013.csv, or icml_face_data.csv: emotion 0 ... 6, usage, and 48 x 48 grey pixels as numbers in one cell."""
    where, index_by_name = first_existing(root, "fer2013.csv", "icml_face_data.csv"), index_by_folder(classes)
    usage = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}[split]
    labels, faces = [], []
    for emotion, pixels, used_for in csv_columns(where, "emotion", "pixels", "Usage"):
        if used_for == usage:
            labels.append(index_of(index_by_name, emotion, where))
            faces.append(_face(pixels, where))
    return labelled_arrays(split, faces, labels)


def _face(pixels: str, where: Path) -> NDArray[np.uint8]:
    try:
        return np.frombuffer(bytes(map(int, pixels.split())), np.uint8).reshape(48, 48)
    except ValueError as error:
        raise DataError(f"{where}: a row does not hold 48 x 48 pixels of 0 to 255: {error}") from error


def gtsrb(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """Test: Final_Test/Images with GT-final_test.csv. Training: a folder per class, Training/00000/00000_00000.ppm, or
    the larger Final_Training/Images, released later."""
    base = first_existing(root, "GTSRB", ".")
    if split == "test":
        tops = ("", "GTSRB/", "GTSRB/Final_Test/Images/", "Final_Test/Images/")
        where = first_existing(root, *(f"{top}GT-final_test.csv" for top in tops))
        signs = ((name, sign.zfill(5)) for name, sign in csv_columns(where, "Filename", "ClassId", delimiter=";"))
        return labelled_files(base, "Final_Test/Images", signs, classes, where)
    top, index_by_name = first_existing(base, "Training", "Final_Training/Images"), index_by_folder(classes)
    check_classes(folder_names(top), index_by_name, top)
    return [
        Item(path.relative_to(base).as_posix(), path, index)
        for name, index in index_by_name.items()
        for path in picture_files(top / name, "ppm")
    ]
