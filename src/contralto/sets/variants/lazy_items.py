"""Items that are created on access, and data sets with changed pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import overload

from PIL import Image

from contralto.sets.data_set import DataSet, Item, PictureChange


class LazyItems(Sequence[Item]):
    """`count` items. `make(index)` creates an item on each access; items are not stored."""

    def __init__(self, count: int, make: Callable[[int], Item]) -> None:
        self._places, self._make = range(count), make

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        if isinstance(index, slice):
            places = self._places[index]
            return LazyItems(len(places), lambda place: self._make(places[place]))
        return self._make(self._places[index])


def map_items(data_set: DataSet, alter: Callable[[Item], Item]) -> DataSet:
    """The data set with every item altered. Its other splits stay unchanged, so that a linear probe is fitted on
    unchanged pictures."""
    items = data_set.items
    return replace(data_set, items=LazyItems(len(items), lambda index: alter(items[index])))


def change_picture(item: Item, change: PictureChange) -> Item:
    """The item with one more change to its picture, after any earlier change."""
    return replace(item, change=change if item.change is None else _then(item.change, change))


def _then(first: PictureChange, second: PictureChange) -> PictureChange:
    return PictureChange(f"{first.name}, then {second.name}", _TwoChanges(first, second))


@dataclass(frozen=True)
class _TwoChanges:
    first: PictureChange
    second: PictureChange

    def __call__(self, picture: Image.Image, key: str) -> Image.Image:
        return self.second.apply(self.first.apply(picture, key), key)
