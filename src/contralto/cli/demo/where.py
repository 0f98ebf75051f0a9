"""Computes the maps of the demo: where in a picture a text is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PIL import Image

from contralto.apply.explain import explain_texts
from contralto.apply.map_pictures import drawn, full_strength
from contralto.cli.demo.gallery import DemoPicture

if TYPE_CHECKING:
    from contralto.encoder import Clip

# Pictures of the gallery, and texts for things in them that the labels do not name.
THINGS: Final = {
    "astronaut.png": ("a space shuttle", "a flag"),
    "coffee.png": ("a wooden table",),
    "a sunset over the sea": ("the sun",),
    "a house": ("a house",),
}


@dataclass(frozen=True)
class TextInPicture:
    """A picture with the map of a text on it."""

    text: str
    picture: DemoPicture
    cosine: float
    drawn: Image.Image


def locate(clip: Clip, pictures: list[DemoPicture]) -> list[TextInPicture]:
    """The maps of THINGS for those pictures that there are; maps of one picture share a scale."""
    maps = []
    for picture in pictures:
        texts = THINGS.get(picture.name, ())
        if not texts or picture.kind == "yours":
            continue
        several = explain_texts(clip, picture.source, texts)
        full = full_strength(several)
        for text, one in zip(texts, several, strict=True):
            maps.append(TextInPicture(text, picture, one.cosine, drawn(picture.thumb, one, full)))
    return maps
