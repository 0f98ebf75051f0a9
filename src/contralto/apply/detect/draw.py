"""Draws boxes with their labels and scores on a picture, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from contralto.apply.detect.box import Box
from contralto.errors import one_line

# Colours that can be told apart on most pictures, also by people who see red and green alike (Okabe and Ito 2008).
COLOURS: Final = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442")
DARK, LIGHT = "#111111", "#ffffff"
LINE, TEXT = 1 / 220, 1 / 32  # of the picture's mean side
LONGEST_LABEL = 40  # characters


def draw(picture: Image.Image, boxes: Sequence[Box], labels: Sequence[str] = ()) -> Image.Image:
    """A copy of an upright RGB picture with its boxes; the best box is drawn last, above the others.

    labels: their order chooses the colours, so that a label has one colour in several pictures. Others come after them.
    """
    drawn = picture.copy()
    pen = ImageDraw.Draw(drawn)
    side = (drawn.width + drawn.height) / 2
    font = ImageFont.load_default(max(10, round(side * TEXT)))
    width = max(2, round(side * LINE))
    order = list(dict.fromkeys([*labels, *(box.label for box in boxes)]))
    for box in reversed(boxes):
        colour = COLOURS[order.index(box.label) % len(COLOURS)]
        pen.rectangle(box.box, outline=colour, width=width)
        _write(pen, drawn.size, box, colour, font)
    return drawn


def caption(box: Box) -> str:
    """Label and score in a few characters; the score alone for a query by picture."""
    score = f"{box.score:.2f}"
    return score if box.label is None else f"{one_line(box.label, LONGEST_LABEL)} {score}"


def _write(
    pen: ImageDraw.ImageDraw,
    size: tuple[int, int],
    box: Box,
    colour: str,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
) -> None:
    """The caption on a ground of the box's colour: above the box, or within it at the picture's upper edge."""
    text = caption(box)
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    margin = max(2, round((bottom - top) / 4))
    wide, high = right - left + 2 * margin, bottom - top + 2 * margin
    x = min(max(0, box.box[0]), max(0, size[0] - wide))
    y = box.box[1] - high if box.box[1] >= high else box.box[1]
    pen.rectangle((x, y, x + wide, y + high), fill=colour)
    pen.text((x + margin - left, y + margin - top), text, fill=_readable_on(colour), font=font)


def _readable_on(colour: str) -> str:
    """Dark text on a light colour, light text on a dark one (weights of ITU-R BT.601)."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return DARK if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else LIGHT
