"""Items that are made when they are asked for, and sets whose pictures are change_picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import overload

from PIL import Image

from contralto.sets.data_set import DataSet, Item, PictureChange


class LazyItems(Sequence[Item]):
    """`count` items, each made by `make(index)` whenever it is asked for: nothing is kept."""

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
    """The set with every item altered. Its other splits stay as they are, so that what is fitted on them (a linear
    probe) has seen no change."""
    items = data_set.items
    return replace(data_set, items=LazyItems(len(items), lambda index: alter(items[index])))


def change_picture(item: Item, change: PictureChange) -> Item:
    """The item with its picture change_picture, after what is done to it already."""
    return replace(item, change=change if item.change is None else _then(item.change, change))


def _then(first: PictureChange, second: PictureChange) -> PictureChange:
    return PictureChange(f"{first.name}, then {second.name}", _Both(first, second))


@dataclass(frozen=True)
class _Both:
    first: PictureChange
    second: PictureChange

    def __call__(self, picture: Image.Image, key: str) -> Image.Image:
        return self.second.apply(self.first.apply(picture, key), key)
