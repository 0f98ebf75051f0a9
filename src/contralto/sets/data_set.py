"""A data set for evaluation: a sequence of items, and a task for all of them.

An item refers to its picture but does not decode it. So a data set of a million items is small, and pictures whose
embeddings are cached are not read. A `DataSet` is one split; `DataSet.other` opens another split.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto.data.omissions import Omissions
from contralto.data.sample import SampleError
from contralto.data.tar import Member
from contralto.errors import DataError
from contralto.image.decode import decode
from contralto.sets.arrow_files import RowPicture

Task = Literal["classes", "labels", "retrieval", "choice", "pairs", "boxes"]
"""classes: one class per picture. labels: any number of classes per picture (VOC 2007). retrieval: match pictures and
captions. choice: choose the true one of an item's texts. pairs: as choice, and items 2k and 2k + 1 share their two
texts (Winoground). boxes: where in the picture things of the classes are."""

Picture: TypeAlias = Path | Member | RowPicture | bytes | NDArray[np.uint8]


@dataclass(frozen=True)
class PictureChange:
    """A change to a decoded picture before it is encoded, such as a corruption.

    name: describes the change completely, with version and strength. It is part of the changed picture's digest.
    """

    name: str
    apply: Callable[[Image.Image, str], Image.Image]
    """(RGB picture, the item's key, which seeds all randomness) -> RGB picture."""


class TrueBox(NamedTuple):
    """A thing in a picture: its class index, and its box (x0, y0, x1, y1) in pixels of the upright picture, half open.

    crowd: the box surrounds many things of the class (COCO's `iscrowd`); what is detected there is not judged.
    """

    label: int
    box: tuple[float, float, float, float]
    crowd: bool = False


@dataclass(frozen=True, eq=False)
class Item:
    """A picture with its labels and captions.

    picture: a path, a member of a tar, a row of a table, a file's bytes, or an array uint8 (H, W, 3). key: unique in
    the split; it names the item in errors and records. label: class index; for choice and pairs the index of the true
    text in `captions`. labels: the classes in the picture. ignored: classes that are neither right nor wrong (VOC's
    difficult objects; for boxes, classes that are not asked for in this picture). captions: true texts (retrieval), or
    the texts to choose from. groups: further attributes, such as {"race": ...}, by which results are grouped. boxes:
    all things of the classes that are asked for. size: the stated width and height of the picture, which its boxes are
    for.
    """

    key: str
    picture: Picture
    label: int | None = None
    labels: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    captions: tuple[str, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)
    change: PictureChange | None = None
    boxes: tuple[TrueBox, ...] = ()
    size: tuple[int, int] | None = None

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
        content = hashlib.sha256(self.content()).digest()
        return content if self.change is None else hashlib.sha256(content + self.change.name.encode()).digest()

    def stamp(self) -> str | None:
        """A cheap stamp that changes with the picture: its file's path, size and modification time.

        None for pictures in memory. Raises DataError if the file is missing or is not a regular file.
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

    def encoder_input(self) -> Path | bytes | Image.Image | NDArray[np.uint8]:
        """The picture as input for `Clip.encode_image`, with any change applied. Raises DataError, ImageError."""
        picture = self.picture.read() if isinstance(self.picture, Member | RowPicture) else self.picture
        if self.change is None:
            return picture
        return self.change.apply(decode(picture, name=self.key).convert("RGB"), self.key)


def _state(path: Path) -> os.stat_result:
    """The status of a file. Raises SampleError unless it is a regular file, because reading a pipe may never end."""
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
    """A class. names: its names in prompts; the embeddings of several names are averaged. folder: its name in the
    files. group: a coarser class, if known."""

    name: str
    names: tuple[str, ...] = ()
    folder: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if not self.names:
            object.__setattr__(self, "names", (self.name,))


@dataclass(frozen=True, eq=False)
class DataSet:
    """One split of a data set, ready for evaluation.

    metric: the metric that its authors or the CLIP paper report (see contralto.metrics). templates: texts with {}.
    template_set: the name of the templates in the protocol. splits: all splits that can be opened.
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
    """The path of the files, for messages and the protocol."""
    open_split: Callable[[str], DataSet] | None = None
    published_items: int | None = None
    """Number of items in the published split."""
    notes: str = ""
    """Caveats to state when quoting a figure: where the split or the classes are our choice."""
    left_out: Omissions = field(default_factory=Omissions)
    """Samples and files of the split that are not among its items, and why."""

    def other(self, split: str) -> DataSet:
        """Another split of the same data set. Raises DataError, which lists the splits."""
        if split == self.split:
            return self
        if self.open_split is None or split not in self.splits:
            listed = ", ".join(self.splits) or "none"
            raise DataError(f"{self.name} has no split {split!r} (available: {listed})")
        return self.open_split(split)
