"""Small objects in a labelled data set: the whole picture, reduced, at a random position on a plain background."""

from __future__ import annotations

from functools import partial

from PIL import Image

from contralto.errors import DataError
from contralto.sets.data_set import DataSet, PictureChange
from contralto.sets.variants.lazy_items import change_picture, map_items
from contralto.sets.variants.randomness import generator, place

SHRUNKEN_VERSION = 1
GREY = (128, 128, 128)


def shrink(data_set: DataSet, share: float) -> DataSet:
    """Every picture at `share` (0 < share <= 1) of its sides, on grey of the original size.

    The key seeds the position, which lies within the centre crop. A share of 1 is the picture itself, the baseline for
    the loss by size. Raises DataError.
    """
    if not 0 < share <= 1:
        raise DataError(f"{data_set.name}: a picture cannot be shrunken to {share} of its side: take a share in (0, 1]")
    change = PictureChange(f"shrunken {share:g} v{SHRUNKEN_VERSION}", partial(_shrink, share=share))
    return map_items(data_set, lambda item: change_picture(item, change))


def _shrink(picture: Image.Image, key: str, share: float) -> Image.Image:
    width, height = (max(1, round(side * share)) for side in picture.size)
    canvas = Image.new("RGB", picture.size, GREY)
    small = picture.resize((width, height), Image.Resampling.BICUBIC)
    canvas.paste(small, place(generator("shrunken", SHRUNKEN_VERSION, key), canvas.size, small.size))
    return canvas
