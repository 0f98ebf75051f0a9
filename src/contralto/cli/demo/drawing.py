"""Drawings of simple objects, made with Pillow, so that the demo needs no files.

Coordinates refer to a square of 100 x 100. The canvas is four times as large as the result, for smooth edges.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import Image, ImageDraw

DRAWING_SIDE = 384
UNIT = 4 * DRAWING_SIDE / 100

Colour = tuple[int, int, int]
WHITE, SKY, DAY, GRASS = (255, 255, 255), (112, 178, 232), (214, 236, 250), (106, 168, 79)
RED, BLUE, YELLOW, GREEN, BROWN = (214, 40, 40), (38, 84, 204), (250, 200, 40), (52, 140, 60), (121, 80, 50)


class Canvas:
    """A square canvas of 100 x 100 units."""

    def __init__(self, top: Colour, bottom: Colour | None = None) -> None:
        """A background of one colour, or a vertical gradient from `top` to `bottom`."""
        large = (4 * DRAWING_SIDE, 4 * DRAWING_SIDE)
        self.image = Image.new("RGB", large, top)
        if bottom is not None:
            self.image.paste(Image.new("RGB", large, bottom), (0, 0), Image.linear_gradient("L").resize(large))
        self.draw = ImageDraw.Draw(self.image)

    def box(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """Draws a rectangle from its upper left corner."""
        self.draw.rectangle((x * UNIT, y * UNIT, (x + width) * UNIT, (y + height) * UNIT), fill=colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour, flat: float = 1.0) -> None:
        """Draws a circle around its centre; `flat` scales its height."""
        high = radius * flat
        self.draw.ellipse(((x - radius) * UNIT, (y - high) * UNIT, (x + radius) * UNIT, (y + high) * UNIT), fill=colour)

    def shape(self, points: list[tuple[float, float]], colour: Colour) -> None:
        """Draws a polygon."""
        self.draw.polygon([(x * UNIT, y * UNIT) for x, y in points], fill=colour)

    def line(self, points: list[tuple[float, float]], colour: Colour, width: float) -> None:
        """Draws a line through the points, with round joints."""
        self.draw.line([(x * UNIT, y * UNIT) for x, y in points], fill=colour, width=round(width * UNIT), joint="curve")

    def done(self) -> Image.Image:
        """The finished picture, 384 x 384."""
        return self.image.resize((DRAWING_SIDE, DRAWING_SIDE), Image.Resampling.LANCZOS)


def red_circle() -> Image.Image:
    canvas = Canvas(WHITE)
    canvas.disc(50, 50, 33, RED)
    return canvas.done()


def blue_square() -> Image.Image:
    canvas = Canvas(WHITE)
    canvas.box(20, 20, 60, 60, BLUE)
    return canvas.done()


def star() -> Image.Image:
    canvas = Canvas((24, 30, 66))
    turns = [(math.pi * i / 5 - math.pi / 2, 40 if i % 2 == 0 else 16) for i in range(10)]
    canvas.shape([(50 + r * math.cos(a), 52 + r * math.sin(a)) for a, r in turns], YELLOW)
    return canvas.done()


def sunset() -> Image.Image:
    canvas = Canvas((72, 44, 110), (255, 150, 60))
    canvas.disc(50, 60, 15, (255, 226, 130))
    canvas.box(0, 62, 100, 38, (36, 44, 92))
    for i in range(8):
        half = 15 - 1.5 * i
        canvas.box(50 - half, 64 + 4 * i, 2 * half, 1.4, (255, 176, 90))
    return canvas.done()


def house() -> Image.Image:
    canvas = Canvas(SKY, DAY)
    canvas.box(0, 76, 100, 24, GRASS)
    canvas.box(66, 26, 7, 20, (140, 70, 60))
    canvas.box(22, 48, 56, 36, (244, 226, 190))
    canvas.shape([(15, 49), (50, 18), (85, 49)], (178, 58, 48))
    canvas.box(44, 60, 13, 24, BROWN)
    for x in (28, 62):
        canvas.box(x, 56, 11, 11, (120, 190, 226))
        canvas.line([(x + 5.5, 56), (x + 5.5, 67)], WHITE, 1)
        canvas.line([(x, 61.5), (x + 11, 61.5)], WHITE, 1)
    return canvas.done()


def tree() -> Image.Image:
    canvas = Canvas(SKY, DAY)
    canvas.box(0, 80, 100, 20, GRASS)
    canvas.box(45, 52, 10, 34, BROWN)
    for x, y, radius in ((50, 28, 19), (34, 42, 17), (66, 42, 17), (50, 46, 18)):
        canvas.disc(x, y, radius, GREEN)
    for x, y in ((40, 30), (60, 38), (50, 50), (32, 46), (68, 48)):
        canvas.disc(x, y, 2.4, (82, 170, 82))
    return canvas.done()


def snowman() -> Image.Image:
    canvas = Canvas((96, 142, 196), (206, 226, 244))
    canvas.box(0, 82, 100, 18, (244, 248, 252))
    for x, y in ((12, 14), (26, 36), (80, 20), (90, 46), (10, 60), (70, 8), (84, 68), (38, 12)):
        canvas.disc(x, y, 1.6, WHITE)
    for y, radius in ((74, 19), (49, 14), (30, 10)):
        canvas.disc(50, y, radius, (250, 252, 255))
    canvas.box(40, 10, 20, 12, (30, 30, 36))
    canvas.box(35, 20, 30, 3.4, (30, 30, 36))
    for x, y in ((46, 28), (54, 28), (50, 45), (50, 52), (50, 70)):
        canvas.disc(x, y, 1.6, (30, 30, 36))
    canvas.shape([(50, 31), (50, 34), (63, 33.5)], (240, 130, 40))
    canvas.line([(37, 46), (20, 36)], BROWN, 1.6)
    canvas.line([(63, 46), (80, 36)], BROWN, 1.6)
    return canvas.done()


def boat() -> Image.Image:
    canvas = Canvas(SKY, DAY)
    canvas.disc(80, 18, 9, YELLOW)
    canvas.box(0, 68, 100, 32, (36, 104, 170))
    canvas.line([(50, 16), (50, 66)], BROWN, 1.8)
    canvas.shape([(52, 17), (52, 58), (80, 58)], WHITE)
    canvas.shape([(48, 24), (48, 58), (26, 58)], (238, 228, 214))
    canvas.shape([(20, 63), (84, 63), (74, 77), (30, 77)], RED)
    for x, y in ((6, 82), (34, 90), (64, 84), (86, 92)):
        canvas.line([(x, y), (x + 8, y)], (120, 180, 226), 1.4)
    return canvas.done()


def flower() -> Image.Image:
    canvas = Canvas((226, 242, 214))
    canvas.line([(50, 48), (51, 96)], GREEN, 3)
    canvas.disc(62, 78, 11, GREEN, 0.42)
    canvas.disc(39, 86, 11, GREEN, 0.42)
    for i in range(8):
        angle = math.tau * i / 8
        canvas.disc(50 + 18 * math.cos(angle), 38 + 18 * math.sin(angle), 11, (222, 82, 150))
    canvas.disc(50, 38, 11, YELLOW)
    return canvas.done()


def face() -> Image.Image:
    canvas = Canvas(WHITE)
    canvas.disc(50, 50, 38, YELLOW)
    for x in (37, 63):
        canvas.disc(x, 41, 5, (50, 40, 20), 1.4)
    smile = [(50 + 22 * math.cos(a), 52 + 20 * math.sin(a)) for a in (math.pi * (i / 24) for i in range(2, 23))]
    canvas.line(smile, (50, 40, 20), 3.6)
    return canvas.done()


DRAWINGS: dict[str, Callable[[], Image.Image]] = {
    "a red circle": red_circle,
    "a blue square": blue_square,
    "a yellow star": star,
    "a sunset over the sea": sunset,
    "a house": house,
    "a tree": tree,
    "a snowman": snowman,
    "a sailing boat": boat,
    "a flower": flower,
    "a smiling face": face,
}
