"""Tell one picture or text from a list of them, name a picture in errors, and report an item that failed."""

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
STORED_KEYS = {"bytes", "path"}  # of a picture in a Hugging Face data set that is not decoded


@dataclass(frozen=True, eq=False)
class Failure:
    """An item that could not be used: its index in the input, the item itself, and the reason.

    lasting: whether the item's bytes alone decide the failure, see `contralto.errors.ItemError`.
    """

    index: int
    item: Any
    reason: str
    lasting: bool = True

    @classmethod
    def of(cls, index: int, item: Any, error: ItemError) -> Failure:
        """The failure that `error` states, of the item at this index."""
        return cls(index, item, error.reason, error.lasting)


def pictures(items: object) -> tuple[bool, Iterable[Any]]:
    """(whether `items` is a single picture, the pictures). An array with four axes is a list.

    Raises ContraltoError if `items` is neither a picture nor a list. The elements of a list are not checked.
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
        if array.ndim == 1:  # paths or pictures, such as the column of a table
            return False, array.tolist()
    elif hasattr(items, "iter_content"):
        raise ContraltoError(f"{PICTURE}, got a response of a server: give its .content")
    elif _is_list(items):
        return False, items
    raise ContraltoError(f"{PICTURE}, got {_described(items)}")


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
    raise ContraltoError(f"{what} must be a string or a list of strings, got {_described(given)}")


def encoded_already(items: object, width: int) -> Embeddings | None:
    """An array of floats, (d,) or (N, d), as unit float32 embeddings; None if `items` is something else.

    Raises ContraltoError if its width is not d, or if a vector is not finite, or is zero and so has no direction.
    """
    if isinstance(items, type) or not hasattr(items, "__array__") or hasattr(items, "getbands"):  # a Pillow image has
        return None
    array = arrays.array(items, "the embeddings")
    if array.dtype.kind != "f" or array.ndim not in (1, 2):
        return None
    if array.shape[-1] != width:
        raise ContraltoError(
            f"an array {array.shape} of floats is not embeddings of this model: they have {width} numbers"
        )
    several = array.reshape(-1, width)
    for holds, fault in ((np.isfinite(several).all(axis=1), "not finite"), (several.any(axis=1), "all zeros")):
        if not holds.all():
            raise ContraltoError(f"embedding {int(np.argmin(holds))} is {fault}: it has no direction")
    return unit(array)


def is_file(item: object) -> bool:
    """Whether the item is an open file or behaves like one: it has a method `read` and is no path."""
    if isinstance(item, io.IOBase):
        return True
    return callable(getattr(item, "read", None)) and not isinstance(item, type | os.PathLike)


def is_stored(item: object) -> bool:
    """Whether the item is a picture as a Hugging Face data set stores it: {"bytes": ..., "path": ...}."""
    return isinstance(item, dict) and len(item) > 0 and item.keys() <= STORED_KEYS


def picture_name(index: int, item: object) -> str:
    """The name of a picture in error messages: its path if it has one, else its index and kind."""
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
    """Whether it is an iterable whose order the caller knows."""
    others = isinstance(given, type | set | frozenset | Mapping) or is_file(given)
    return isinstance(given, Iterable) and not others


def _described(given: object) -> str:
    """The value in an error message, with advice on what to give instead where there is any."""
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
