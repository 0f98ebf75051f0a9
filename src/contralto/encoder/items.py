"""What an item is: one picture or text, or a list of them; how errors call it, and how a failed one is reported."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from contralto.errors import ContraltoError, ItemError


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

    Raises ContraltoError if `items` is neither a picture nor can be gone through.
    """
    if isinstance(items, str | os.PathLike | bytes | bytearray | memoryview | Image.Image):
        return True, [items]
    if hasattr(items, "__array__"):
        array = np.asarray(items)
        if array.dtype.kind in "OU":  # of paths or pictures, as a table's column is
            return False, array.tolist()
        return (False, array) if array.ndim == 4 else (True, [array])
    if isinstance(items, Iterable) and not isinstance(items, dict):
        return False, items
    raise ContraltoError(
        f"a picture is a path, bytes, a Pillow image or an array uint8 (H, W, 3), got {type(items).__name__}"
    )


def texts(given: object) -> tuple[bool, list[Any]]:
    """(whether `given` is a single text, the texts). Raises ContraltoError if it is neither a text nor a list."""
    if isinstance(given, str):
        return True, [given]
    if isinstance(given, Iterable) and not isinstance(given, bytes | bytearray | memoryview | dict):
        return False, list(given)
    raise ContraltoError(f"texts must be a string or a list of strings, got {type(given).__name__}")


def picture_name(index: int, item: object) -> str:
    """How errors call a picture: by its path if it has one, else by its place and kind."""
    path = getattr(item, "filename", None) if isinstance(item, Image.Image) else item
    if isinstance(path, str | os.PathLike) and os.fspath(path):
        return os.fsdecode(path)
    return f"picture {index} ({'Pillow image' if isinstance(item, Image.Image) else type(item).__name__})"
