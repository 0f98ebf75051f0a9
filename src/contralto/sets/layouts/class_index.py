"""Class names in the files (a folder, an id, a name) -> indices of the declared classes, and items with these labels.

An index never depends on the order of the files, because published class names have another order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contralto.errors import DataError, one_line
from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.locate import first_existing, path_within


def index_by_folder(classes: Sequence[Class]) -> dict[str, int]:
    """Folder of each class, or its name if it has no folder -> class index."""
    return {class_.folder or class_.name: index for index, class_ in enumerate(classes)}


def index_of(index_by_name: Mapping[str, int], name: str, where: Path) -> int:
    """The index of a class by its name in the file `where`. Raises DataError for an unknown name."""
    try:
        return index_by_name[name]
    except KeyError:
        raise DataError(
            f"{where}: {one_line(name, 80)!r} is none of the {len(index_by_name)} classes declared"
        ) from None


def check_classes(names: Iterable[str], index_by_name: Mapping[str, int], where: Path) -> None:
    """Raises DataError, with both counts, unless the names in the data are exactly the declared classes."""
    data_names = set(names)
    if data_names == index_by_name.keys():
        return
    unknown, absent = sorted(data_names - index_by_name.keys()), sorted(index_by_name.keys() - data_names)
    which = f"{unknown[0]!r} is not declared" if unknown else f"{absent[0]!r} is not among the data"
    raise DataError(
        f"{where}: the data have {len(data_names)} classes, {len(index_by_name)} are declared: {one_line(which, 100)}"
    )


def labels_from_ids(ids: NDArray[Any], names: Sequence[str], classes: Sequence[Class], where: Path) -> list[int]:
    """Class indices of ids. names: the class names in the data, in the order of the ids from 0. Raises DataError."""
    index_by_name = index_by_folder(classes)
    check_classes(names, index_by_name, where)
    if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < len(names):
        raise DataError(f"{where}: labels {ids.min()} to {ids.max()} for the {len(names)} classes that it has")
    index = [index_by_name[name] for name in names]
    return [index[label] for label in ids]


def labelled_files(
    root: Path, folder: str, named: Iterable[tuple[str, str]], classes: Sequence[Class], where: Path
) -> list[Item]:
    """Items from pairs of (file below root/folder, class name in the list `where`). Keys are paths below the root.

    The files are not checked: a missing one fails later, by itself. Raises DataError, MissingPath.
    """
    pictures, index_by_name = first_existing(root, folder), index_by_folder(classes)
    above = "" if folder == "." else f"{folder}/"
    return [
        Item(f"{above}{name}", path_within(pictures, name), index_of(index_by_name, called, where))
        for name, called in named
    ]


def labelled_arrays(split: str, pictures: Sequence[NDArray[np.uint8]], labels: Sequence[int]) -> list[Item]:
    """Items of arrays uint8 (H, W, 3), or grey (H, W), with keys `split/number`."""
    return [Item(f"{split}/{n}", _rgb(pictures[n]), label) for n, label in enumerate(labels)]


def _rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture if picture.ndim == 3 else np.broadcast_to(picture[..., None], (*picture.shape, 3))
