"""From what the data call a class (a folder, an id, a name) to its index among the declared classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from contralto.errors import DataError, one_line
from contralto.sets.items import Class


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
