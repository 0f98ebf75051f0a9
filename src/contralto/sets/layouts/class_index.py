"""From what the data call a class (a folder, an id, a name) to its index among the declared classes, and items with it.

The index never comes from an order of the files: published class names have an order of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contralto.errors import DataError, one_line
from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.locate import inside, one_of


def by_folder(classes: Sequence[Class]) -> dict[str, int]:
    """What the data call each class -> its index: its folder, or its name where none is stated."""
    return {known.folder or known.name: index for index, known in enumerate(classes)}


def index_of(place: Mapping[str, int], called: str, where: Path) -> int:
    """The index of the class that the data at `where` call so. Raises DataError for one that no class states."""
    try:
        return place[called]
    except KeyError:
        raise DataError(f"{where}: {one_line(called, 80)!r} is none of the {len(place)} classes declared") from None


def agree(there: Iterable[str], place: Mapping[str, int], where: Path) -> None:
    """Raises DataError with both counts unless the classes that the data have are just those that are declared."""
    found = set(there)
    if found == place.keys():
        return
    unknown, absent = sorted(found - place.keys()), sorted(place.keys() - found)
    which = f"{unknown[0]!r} is not declared" if unknown else f"{absent[0]!r} is not among the data"
    raise DataError(f"{where}: the data have {len(found)} classes, {len(place)} are declared: {one_line(which, 100)}")


def by_id(ids: NDArray[Any], called: Sequence[str], classes: Sequence[Class], where: Path) -> list[int]:
    """Class indices of ids, which count from 0 through `called`, the data's names of all classes. Raises DataError."""
    place = by_folder(classes)
    agree(called, place, where)
    if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < len(called):
        raise DataError(f"{where}: labels {ids.min()} to {ids.max()} for the {len(called)} classes that it has")
    index = [place[name] for name in called]
    return [index[label] for label in ids]


def labelled_files(
    root: Path, folder: str, named: Iterable[tuple[str, str]], classes: Sequence[Class], where: Path
) -> list[Item]:
    """Items from (file below root/folder, what the list at `where` calls its class). Keys are paths from the root.

    The files are not looked at: one that is not there fails by itself. Raises DataError, MissingPath.
    """
    pictures, place = one_of(root, folder), by_folder(classes)
    above = "" if folder == "." else f"{folder}/"
    return [Item(f"{above}{name}", inside(pictures, name), index_of(place, called, where)) for name, called in named]


def labelled_arrays(split: str, pictures: Sequence[NDArray[np.uint8]], labels: Sequence[int]) -> list[Item]:
    """Items of arrays uint8 (H, W, 3), or (H, W) grey, with keys `split/number`."""
    return [Item(f"{split}/{n}", _rgb(pictures[n]), label) for n, label in enumerate(labels)]


def _rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture if picture.ndim == 3 else np.broadcast_to(picture[..., None], (*picture.shape, 3))
