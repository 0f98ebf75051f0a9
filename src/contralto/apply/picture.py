"""One item as an upright picture, for functions that look at parts of it."""

from __future__ import annotations

from typing import Any, Literal

from PIL import Image

from contralto.encoder.readable import decoder_input, explain
from contralto.errors import ImageError
from contralto.image.decode import NO_MEMORY, decode
from contralto.inputs import picture_name


def upright(item: Any, alpha: Literal["white", "drop"], index: int = 0) -> Image.Image:
    """The picture as `Clip.encode_image` reads it, turned upright, RGB; it may share the memory of `item`.

    alpha: of the contract's image. index: of the item in the caller's list, for error messages. Raises ImageError.
    """
    picture = in_own_mode(item, alpha, index).convert("RGB")
    picture.info.clear()  # with its EXIF data, whoever reads a part of the picture would turn it once more
    return picture


def in_own_mode(item: Any, alpha: Literal["white", "drop"], index: int = 0) -> Image.Image:
    """The same in the mode that the decoder gives, which the contract's resize may need. Raises ImageError."""
    name = picture_name(index, item)
    source = decoder_input(item, name)
    try:
        return decode(source, alpha=alpha, name=name)
    except ImageError as error:
        raise explain(source, ImageError(name, error.reason, error.lasting)) from error
    except MemoryError as error:
        raise ImageError(name, NO_MEMORY, lasting=False) from error
