"""Sets labelled by CSV tables: FER2013, GTSRB."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contralto.errors import DataError
from contralto.sets.items import Class, Item
from contralto.sets.layouts.found import folders, one_of, pictures
from contralto.sets.layouts.labels import agree, by_folder, index_of, labelled_arrays, labelled_files


def fer2013(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """fer2013.csv, or icml_face_data.csv: emotion 0 ... 6, usage, and 48 x 48 grey pixels as numbers in one field."""
    where, place = one_of(root, "fer2013.csv", "icml_face_data.csv"), by_folder(classes)
    usage = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}[split]
    labels, faces = [], []
    for row in _rows(where, ",", ("emotion", "pixels", "Usage")):
        if row["Usage"] == usage:
            labels.append(index_of(place, row["emotion"], where))
            faces.append(_face(row["pixels"], where))
    return labelled_arrays(split, faces, labels)


def _face(pixels: str, where: Path) -> NDArray[np.uint8]:
    try:
        return np.frombuffer(bytes(map(int, pixels.split())), np.uint8).reshape(48, 48)
    except ValueError as error:
        raise DataError(f"{where}: a row does not hold 48 x 48 pixels of 0 to 255: {error}") from error


def gtsrb(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """Test: Final_Test/Images with GT-final_test.csv. Training: a folder per class, Training/00000/00000_00000.ppm, or
    the later, larger Final_Training/Images."""
    base = one_of(root, "GTSRB", ".")
    if split == "test":
        tops = ("", "GTSRB/", "GTSRB/Final_Test/Images/", "Final_Test/Images/")
        where = one_of(root, *(f"{top}GT-final_test.csv" for top in tops))
        signs = ((row["Filename"], row["ClassId"].zfill(5)) for row in _rows(where, ";", ("Filename", "ClassId")))
        return labelled_files(base, "Final_Test/Images", signs, classes, where)
    top, place = one_of(base, "Training", "Final_Training/Images"), by_folder(classes)
    agree(folders(top), place, top)
    return [
        Item(path.relative_to(base).as_posix(), path, index)
        for name, index in place.items()
        for path in pictures(top / name, "ppm")
    ]


def _rows(path: Path, separator: str, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The rows of a table with a header, as column -> text without spaces around. Raises DataError."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            table = csv.reader(file, delimiter=separator)
            header = [name.strip() for name in next(table, [])]
            if absent := sorted(set(columns) - set(header)):
                raise DataError(f"{path} has no column {absent[0]!r} (there are: {', '.join(header)[:100]})")
            for row in table:
                if len(row) == len(header):
                    yield {name: text.strip() for name, text in zip(header, row, strict=True)}
                elif row:
                    raise DataError(f"{path}, line {table.line_num}: {len(row)} fields instead of {len(header)}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table: {error}") from error
