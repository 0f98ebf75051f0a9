"""Items that are made when they are asked for, and sets whose pictures are changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import overload

from PIL import Image

from contralto.sets.items import Change, DataSet, Item


class Lazy(Sequence[Item]):
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
            return Lazy(len(places), lambda place: self._make(places[place]))
        return self._make(self._places[index])


def mapped(dataset: DataSet, alter: Callable[[Item], Item]) -> DataSet:
    """The set with every item altered. Its other splits stay as they are, so that what is fitted on them (a linear
    probe) has seen no change."""
    items = dataset.items
    return replace(dataset, items=Lazy(len(items), lambda index: alter(items[index])))


def changed(item: Item, change: Change) -> Item:
    """The item with its picture changed, after what is done to it already."""
    return replace(item, change=change if item.change is None else _then(item.change, change))


def _then(first: Change, second: Change) -> Change:
    return Change(f"{first.name}, then {second.name}", _Both(first, second))


@dataclass(frozen=True)
class _Both:
    first: Change
    second: Change

    def __call__(self, picture: Image.Image, key: str) -> Image.Image:
        return self.second.apply(self.first.apply(picture, key), key)
