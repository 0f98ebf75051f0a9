"""What a data set for measuring is: items by index, and what the whole of them is asked.

An item names its picture but does not decode it, so that a set of a million is small and what was embedded before is
not even read. A set is one split; `DataSet.other` opens another of the same set.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto.data.omissions import Omissions
from contralto.data.sample import SampleError
from contralto.data.tar import Member
from contralto.errors import DataError
from contralto.image.decode import decode
from contralto.sets.arrow_files import RowPicture

Task = Literal["classes", "labels", "retrieval", "choice", "pairs"]
"""classes: one class a picture. labels: any number of classes a picture (VOC 2007). retrieval: pictures and captions
find each other. choice: which of an item's own texts is true. pairs: as choice, and items 2k and 2k + 1 share their two
texts (Winoground)."""

Picture: TypeAlias = Path | Member | RowPicture | bytes | NDArray[np.uint8]


@dataclass(frozen=True)
class PictureChange:
    """Something done to a decoded picture before it is encoded (a corruption, a written word). Its name says exactly
    what, version and strength included: it is part of the identity of the changed picture."""

    name: str
    apply: Callable[[Image.Image, str], Image.Image]
    """(RGB picture, the item's key, from which all randomness is drawn) -> RGB picture."""


@dataclass(frozen=True, eq=False)
class Item:
    """A picture and what is known about it.

    picture: a path, a member of a tar, a row of a table, a file's bytes, or an array uint8 (H, W, 3). key: unique in
    its split; errors and records call the item so. label: class index; for choice and pairs the place of the true text
    in `captions`.
    labels, ignored: classes that are there, and those that are not to be counted either way (VOC's difficult objects).
    captions: true texts (retrieval), or the texts to choose from. groups: what else is known, such as {"race": ...}.
    """

    key: str
    picture: Picture
    label: int | None = None
    labels: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    captions: tuple[str, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)
    change: PictureChange | None = None

    def content(self) -> bytes:
        """The stored bytes of the picture, before any change. Raises DataError if they cannot be read."""
        if isinstance(self.picture, bytes):
            return self.picture
        if isinstance(self.picture, Member | RowPicture):
            return self.picture.read()
        if isinstance(self.picture, Path):
            _state(self.picture)
            try:
                return self.picture.read_bytes()
            except OSError as error:
                raise SampleError(str(self.picture), _cannot_be_read(error), lasting=False) from error
        return str(self.picture.shape).encode() + np.ascontiguousarray(self.picture).tobytes()

    def digest(self) -> bytes:
        """sha256 of the content and of the change's name. Raises DataError."""
        found = hashlib.sha256(self.content()).digest()
        return found if self.change is None else hashlib.sha256(found + self.change.name.encode()).digest()

    def stamp(self) -> str | None:
        """What tells cheaply whether the picture is still the same: place, size, time of change; None if nothing does.

        Raises DataError if the file is gone, or is no regular file.
        """
        if isinstance(self.picture, Member):
            path, place = self.picture.tar, f":{self.picture.offset}+{self.picture.size}"
        elif isinstance(self.picture, RowPicture):
            path, place = self.picture.file, f":row {self.picture.number}"
        elif isinstance(self.picture, Path):
            path, place = self.picture, ""
        else:
            return None
        state = _state(path)
        changed = f"\0{self.change.name}" if self.change else ""
        whole = f"{os.path.abspath(path)}{place}\0{state.st_size}\0{state.st_mtime_ns}{changed}"
        return whole.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")  # names may be any bytes

    def realise(self) -> Path | bytes | Image.Image | NDArray[np.uint8]:
        """The picture as `Clip.encode_image` takes it, changed if there is a change. Raises DataError, ImageError."""
        given = self.picture.read() if isinstance(self.picture, Member | RowPicture) else self.picture
        if self.change is None:
            return given
        return self.change.apply(decode(given, name=self.key).convert("RGB"), self.key)


def _state(path: Path) -> os.stat_result:
    """What the system says of a file. Raises SampleError for all that is no regular file: a pipe would never end."""
    try:
        state = os.stat(path)
    except (OSError, ValueError, OverflowError) as error:  # a loop of links, a name with NUL, a time out of range
        raise SampleError(str(path), _cannot_be_read(error), lasting=False) from error
    if not stat.S_ISREG(state.st_mode):
        raise SampleError(str(path), "is not a regular file", lasting=False)
    return state


def _cannot_be_read(error: Exception) -> str:
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"


@dataclass(frozen=True)
class Class:
    """A class as prompts name it: `names` are averaged where there are several. folder: how the data call it.
    group: a coarser kind, if one is known."""

    name: str
    names: tuple[str, ...] = ()
    folder: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if not self.names:
            object.__setattr__(self, "names", (self.name,))


@dataclass(frozen=True, eq=False)
class DataSet:
    """One split of a set, ready to be measured. metric: the one its authors or the paper report (see contralto.metrics)

    templates: texts with {}; template_set: what they are called in the protocol. splits: all that can be opened.
    """

    name: str
    split: str
    task: Task
    metric: str
    items: Sequence[Item]
    classes: tuple[Class, ...] = ()
    templates: tuple[str, ...] = ()
    template_set: str = ""
    splits: tuple[str, ...] = ()
    origin: str = ""
    """Where it was read from, for messages and the protocol's reader."""
    open_split: Callable[[str], DataSet] | None = None
    published_items: int | None = None
    """How many the split has as it was published."""
    notes: str = ""
    """Caveats to state when quoting a figure: where the split or the classes are our choice."""
    left_out: Omissions = field(default_factory=Omissions)
    """Samples and files of the split that are not among its items, and why."""

    def other(self, split: str) -> DataSet:
        """Another split of the same set. Raises DataError that lists them."""
        if split == self.split:
            return self
        if self.open_split is None or split not in self.splits:
            there = ", ".join(self.splits) or "none"
            raise DataError(f"{self.name} has no split {split!r} (there are: {there})")
        return self.open_split(split)
