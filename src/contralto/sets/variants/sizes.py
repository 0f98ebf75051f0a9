"""Small objects on any labelled set: the whole picture, made small, somewhere on a plain ground."""

from __future__ import annotations

from functools import partial

from PIL import Image

from contralto.errors import DataError
from contralto.sets.items import Change, DataSet
from contralto.sets.variants.draws import generator, place
from contralto.sets.variants.lazy import changed, mapped

VERSION = 1
GREY = (128, 128, 128)


def shrunken(dataset: DataSet, share: float) -> DataSet:
    """Every picture at `share` (0 < share <= 1) of its sides on grey of the old size; the place is drawn by the key,
    within what a centre crop keeps.

    A share of 1 is the picture itself: the line from which the loss by size is measured. Raises DataError.
    """
    if not 0 < share <= 1:
        raise DataError(f"{dataset.name}: a picture cannot be shrunken to {share} of its side: take a share in (0, 1]")
    change = Change(f"shrunken {share:g} v{VERSION}", partial(_shrink, share=share))
    return mapped(dataset, lambda item: changed(item, change))


def _shrink(picture: Image.Image, key: str, share: float) -> Image.Image:
    width, height = (max(1, round(side * share)) for side in picture.size)
    canvas = Image.new("RGB", picture.size, GREY)
    small = picture.resize((width, height), Image.Resampling.BICUBIC)
    canvas.paste(small, place(generator("shrunken", VERSION, key), canvas.size, small.size))
    return canvas
