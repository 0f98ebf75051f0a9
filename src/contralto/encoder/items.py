"""What an item is: one picture or text, or a list of them; how errors call it, and how a failed one is reported."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from PIL import Image

from contralto import arrays
from contralto.embeddings import Embeddings, unit
from contralto.errors import ContraltoError, ItemError

PICTURE = "a picture is a path, bytes, a Pillow image, an open file or an array uint8 (H, W, 3)"
STORED = {"bytes", "path"}  # the keys of a picture in a data set of Hugging Face that is not decoded


@dataclass(frozen=True, eq=False)
class Failure:
    """An item that could not be used: its place among those given, itself as it was given, and why.

    lasting: whether its bytes alone decide that, see `contralto.errors.ItemError`.
    """

    index: int
    item: Any
    reason: str
    lasting: bool = True

    @classmethod
    def of(cls, index: int, item: Any, error: ItemError) -> Failure:
        """What `error` says of the item at this place."""
        return cls(index, item, error.reason, error.lasting)


def pictures(items: object) -> tuple[bool, Iterable[Any]]:
    """(whether `items` is a single picture, the pictures). An array with four axes is a list.

    Raises ContraltoError if `items` is neither a picture nor a list of them; what a list holds is not looked at.
    """
    if isinstance(items, str | os.PathLike | bytes | bytearray | memoryview | Image.Image):
        return True, [items]
    if is_file(items) or is_stored(items):
        return True, [items]
    if not isinstance(items, type) and hasattr(items, "__array__"):
        array = arrays.array(items, "pictures")
        if array.dtype.kind not in "OUT":
            return (False, array) if array.ndim == 4 else (True, [array])
        if array.ndim == 0:
            return pictures(array.item())
        if array.ndim == 1:  # paths or pictures, as a table's column is
            return False, array.tolist()
    elif hasattr(items, "iter_content"):
        raise ContraltoError(f"{PICTURE}, got a response of a server: give its .content")
    elif _is_list(items):
        return False, items
    raise ContraltoError(f"{PICTURE}, got {_kind(items)}")


def texts(given: object, what: str = "texts") -> tuple[bool, list[Any]]:
    """(whether `given` is a single text, the texts). Raises ContraltoError if it is neither a text nor a list."""
    if isinstance(given, str):
        return True, [given]
    if not isinstance(given, type) and hasattr(given, "__array__"):
        array = arrays.array(given, what)
        if array.ndim == 0:
            return texts(array.item(), what)
        if array.ndim == 1:
            return False, array.tolist()
    elif _is_list(given) and not isinstance(given, bytes | bytearray | memoryview):
        return False, list(given)
    raise ContraltoError(f"{what} must be a string or a list of strings, got {_kind(given)}")


def encoded_already(items: object, width: int) -> Embeddings | None:
    """Embeddings that were given, (d,) or (N, d) of floats, as unit float32; None if `items` is something else.

    Raises ContraltoError if they are not of width d, not finite, or zero, which has no direction.
    """
    if isinstance(items, type) or not hasattr(items, "__array__") or hasattr(items, "getbands"):  # a Pillow image has
        return None
    array = arrays.array(items, "the rows given")
    if array.dtype.kind != "f" or array.ndim not in (1, 2):
        return None
    if array.shape[-1] != width:
        raise ContraltoError(f"an array {array.shape} of floats is not rows of this model: they have {width} numbers")
    several = array.reshape(-1, width)
    for holds, fault in ((np.isfinite(several).all(axis=1), "not finite"), (several.any(axis=1), "all zeros")):
        if not holds.all():
            raise ContraltoError(f"row {int(np.argmin(holds))} of those given is {fault}: it has no direction")
    return unit(array)


def is_file(item: object) -> bool:
    """Whether it is an open file, or like one: what has a method `read` and is no path."""
    if isinstance(item, io.IOBase):
        return True
    return callable(getattr(item, "read", None)) and not isinstance(item, type | os.PathLike)


def is_stored(item: object) -> bool:
    """Whether it is a picture as a data set of Hugging Face stores it: {"bytes": ..., "path": ...}."""
    return isinstance(item, dict) and len(item) > 0 and item.keys() <= STORED


def picture_name(index: int, item: object) -> str:
    """How errors call a picture: by its path if it has one, else by its place and kind."""
    path = item
    if isinstance(item, Image.Image):
        path = getattr(item, "filename", None)
    elif is_stored(item):
        path = item.get("path")  # type: ignore[attr-defined]
    elif is_file(item):
        path = getattr(item, "name", None)
    if isinstance(path, str | os.PathLike) and os.fspath(path):
        return os.fsdecode(path)
    return f"picture {index} ({'Pillow image' if isinstance(item, Image.Image) else type(item).__name__})"


def _is_list(given: object) -> TypeGuard[Iterable[Any]]:
    """Whether it can be gone through one by one, in an order that the caller knows."""
    others = isinstance(given, type | set | frozenset | Mapping) or is_file(given)
    return isinstance(given, Iterable) and not others


def _kind(given: object) -> str:
    """What was given, and what to give instead where that can be told."""
    if isinstance(given, type):
        return f"the class {given.__name__}"
    if is_file(given):
        return "an open file: give its lines, [line.strip() for line in file]"
    if isinstance(given, set | frozenset):
        return f"a {type(given).__name__}, which has no order: give a list"
    name = type(given).__name__
    if hasattr(given, "__array__"):
        array = arrays.array(given, name)
        return f"{name}, {array.dtype} of shape {array.shape}"
    return f"{name}: decode it" if isinstance(given, bytes | bytearray) else name
