"""Turn an input picture into the decoder's input: read open files, refuse items that are not pictures.

An open file is read from its current position to its end, and stays open.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto import arrays
from contralto.errors import DataError, ImageError, one_line
from contralto.image.decode import MAX_BYTES, Item
from contralto.inputs import PICTURE, is_file, is_stored

CHUNK = 2**20  # bytes per read, so that memory grows with what the file really holds
LONGEST_NAME = 1024  # bytes
CHANNELS = (1, 3, 4)


def decoder_input(item: Any, name: str) -> Item:
    """The item as `contralto.image.decode` takes it. Raises ImageError with this name."""
    if isinstance(item, str | os.PathLike | Image.Image):
        return item
    if is_stored(item):
        item = item.get("path") if item.get("bytes") is None else item["bytes"]
        return decoder_input(item, name)
    if isinstance(item, bytes | bytearray | memoryview):
        return _not_a_name(item, name)
    if is_file(item):
        return _content(item, name)
    if isinstance(item, type) or not hasattr(item, "__array__"):
        what = f"the class {item.__name__}" if isinstance(item, type) else type(item).__name__
        raise ImageError(name, f"is {what}: {PICTURE}")
    try:
        array = arrays.array(item, "it")
    except DataError as error:
        raise ImageError(name, str(error)) from error
    return _as_picture(array, name)


def explain(item: Any, error: ImageError) -> ImageError:
    """The error of a picture that could not be decoded; for a folder, one that says what to do."""
    if isinstance(item, str | os.PathLike) and os.path.isdir(item):
        return ImageError(error.item, "is a folder: name the pictures in it, or use contralto embed", lasting=False)
    return error


def _content(file: Any, name: str) -> bytes:
    """The rest of an open file, at most one byte more than the decoder's limit."""
    parts, size = [], 0
    try:
        while size <= MAX_BYTES and (part := file.read(min(CHUNK, MAX_BYTES + 1 - size))):
            if isinstance(part, str):
                raise _text(name)
            parts.append(bytes(_bytes(part, name)))
            size += len(parts[-1])
    except ImageError:
        raise
    except UnicodeDecodeError as error:
        raise _text(name) from error
    except Exception as error:  # a stream may raise anything
        detail = one_line(str(error) or type(error).__name__, 150)
        raise ImageError(name, f"cannot be read: {detail}", lasting=False) from error
    if not size:
        raise ImageError(name, "has nothing left to read: seek(0) goes back to its start", lasting=False)
    return b"".join(parts)


def _bytes(part: Any, name: str) -> bytes | bytearray | memoryview:
    if isinstance(part, bytes | bytearray | memoryview):
        return part
    if hasattr(part, "close"):  # a coroutine that is not awaited would warn
        part.close()
    raise ImageError(name, f"its read() gives {type(part).__name__}, not bytes: give the bytes", lasting=False)


def _text(name: str) -> ImageError:
    return ImageError(name, 'is open as text: open it with mode "rb"', lasting=False)


def _not_a_name(item: bytes | bytearray | memoryview, name: str) -> Item:
    """The bytes of a picture. Raises ImageError if they are the name of an existing file: a path was meant."""
    if isinstance(item, bytes) and len(item) <= LONGEST_NAME and b"\0" not in item and os.path.lexists(item):
        raise ImageError(name, f"is the name of a file, and bytes are its content: give {os.fsdecode(item)!r}", False)
    return item


def _as_picture(array: NDArray[Any], name: str) -> NDArray[Any]:
    """An array uint8 (H, W), (H, W, 3) or (H, W, 4). Raises ImageError with advice for frequent mistakes.

    The decoder refuses all other arrays in general terms.
    """
    what, shape = f"is {array.dtype} of shape {array.shape}", array.shape
    if array.dtype.kind == "f" and array.ndim >= 3:
        raise ImageError(name, f"{what}: prepared pixels go to encode_pixels, and {PICTURE}")
    if array.dtype.kind == "f" and array.ndim in (1, 2):
        raise ImageError(name, f"{what}: embeddings go together in one array, and {PICTURE}")
    if array.dtype == np.uint8 and array.ndim == 3 and shape[0] in CHANNELS and shape[2] not in CHANNELS:
        raise ImageError(name, f"{what}, the channels first: move them last, (H, W, 3)")
    if array.dtype == np.uint8 and array.ndim == 4:
        raise ImageError(name, f"{what}, several pictures: give them by themselves, or as one array alone")
    return array[:, :, 0] if array.ndim == 3 and shape[2] == 1 else array
