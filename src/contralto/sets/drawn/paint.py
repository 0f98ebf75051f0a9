"""Scene -> pixels: draws at double size with soft shadows, reduces the picture, and adds grain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from contralto.sets.drawn.description import Background, DrawnClock, DrawnScene, DrawnShape, DrawnWord, Paint
from contralto.sets.drawn.shapes import Points, outline, regular_polygon

DRAWN_SIDE = 224
OVERSAMPLING = 2  # scale at which the picture is drawn
CANVAS_SIDE = DRAWN_SIDE * OVERSAMPLING
SHADOW_OFFSET = 0.12  # share of the radius, downwards and to the right
SHADOW_OPACITY = 70  # of 255
GRAIN = 4  # largest change of a value


def paint_scene(scene: DrawnScene) -> NDArray[np.uint8]:
    """The picture, uint8 (224, 224, 3): a function of the scene alone."""
    image = _draw_background(scene.background)
    _draw_shadows(image, [part for part in scene.parts if not isinstance(part, DrawnWord)])
    for part in scene.parts:
        if isinstance(part, DrawnShape):
            _draw_shape(image, part)
        elif isinstance(part, DrawnClock):
            _draw_clock(image, part)
        else:
            _draw_word(image, part)
    grain = np.random.default_rng(scene.background.grain).integers(
        -GRAIN, GRAIN + 1, (DRAWN_SIDE, DRAWN_SIDE, 1), dtype=np.int16
    )
    return np.asarray(np.clip(np.asarray(image.reduce(OVERSAMPLING), np.int16) + grain, 0, 255), np.uint8)


def painted_box(shape: DrawnShape) -> tuple[float, float, float, float]:
    """The box (x0, y0, x1, y1) of the pixels that a shape paints, in pixels of the picture, half open; no shadow."""
    mask = Image.new("1", (CANVAS_SIDE, CANVAS_SIDE))
    pen = ImageDraw.Draw(mask)
    for points, _ in outline(shape.shape):
        pen.polygon(_placed(points, shape.x, shape.y, shape.radius, shape.turn), 1)
    x0, y0, x1, y1 = (side / OVERSAMPLING for side in mask.getbbox() or (0, 0, 0, 0))
    return x0, y0, x1, y1


def _draw_background(background: Background) -> Image.Image:
    tints = np.array([[background.top], [background.bottom]], np.uint8)
    if background.kind == "plain":
        return Image.fromarray(tints).resize((CANVAS_SIDE, CANVAS_SIDE), Image.Resampling.BILINEAR)
    image = Image.new("RGB", (CANVAS_SIDE, CANVAS_SIDE), background.top)
    pen = ImageDraw.Draw(image)
    if background.kind == "room":
        pen.rectangle((0, background.line * CANVAS_SIDE, CANVAS_SIDE, CANVAS_SIDE), background.bottom)
        return image
    width = round((0.03 + 0.06 * background.line) * CANVAS_SIDE)
    for left in range(0, CANVAS_SIDE, 2 * width):
        pen.rectangle((left, 0, left + width - 1, CANVAS_SIDE), background.bottom)
    return image


def _draw_shadows(image: Image.Image, casting: list[DrawnShape | DrawnClock]) -> None:
    """Draws one soft shadow for all shapes and clocks."""
    if not casting:
        return
    mask = Image.new("L", image.size)
    pen = ImageDraw.Draw(mask)
    for one in casting:
        moved = SHADOW_OFFSET * one.radius
        outlines = (
            [points for points, _ in outline(one.shape)] if isinstance(one, DrawnShape) else [regular_polygon(64)]
        )
        turn = one.turn if isinstance(one, DrawnShape) else 0.0
        for points in outlines:
            pen.polygon(_placed(points, one.x + moved, one.y + moved, one.radius, turn), SHADOW_OPACITY)
    blurred = mask.filter(
        ImageFilter.GaussianBlur(0.09 * CANVAS_SIDE * float(np.mean([one.radius for one in casting])))
    )
    image.paste((30, 30, 40), mask=blurred)


def _draw_shape(image: Image.Image, shape: DrawnShape) -> None:
    pen = ImageDraw.Draw(image)
    for points, tone in outline(shape.shape):
        pen.polygon(_placed(points, shape.x, shape.y, shape.radius, shape.turn), _toned(shape.paint, tone))


def _draw_clock(image: Image.Image, clock: DrawnClock) -> None:
    pen = ImageDraw.Draw(image)

    def shape(points: Points, fill: Paint, turn: float = 0.0) -> None:
        pen.polygon(_placed(points, clock.x, clock.y, clock.radius, turn), fill)

    def bar(width: float, start: float, end: float) -> Points:
        return np.array([[-width, -start], [width, -start], [width, -end], [-width, -end]])

    ink = (25, 25, 30)
    shape(regular_polygon(96), clock.paint)
    shape(0.88 * regular_polygon(96), (250, 250, 246))
    for tick in range(12):
        shape(bar(0.03 if tick % 3 else 0.05, 0.7, 0.82), ink, 30.0 * tick)
    shape(bar(0.035, -0.08, 0.68), ink)  # the minute hand, upright at a full hour
    shape(bar(0.06, -0.08, 0.42), ink, 30.0 * clock.hour)
    shape(0.08 * regular_polygon(32), ink)


def _draw_word(image: Image.Image, word: DrawnWord) -> None:
    font = ImageFont.load_default(word.height * CANVAS_SIDE)
    left, top, right, bottom = font.getbbox(word.text, anchor="mm")
    edge = 0.45 * word.height * CANVAS_SIDE
    width, height = round(right - left + 2 * edge), round(bottom - top + 2 * edge)
    label = Image.new("RGBA", (width, height), (*word.paint, 0))
    pen = ImageDraw.Draw(label)
    if word.panel is not None:
        pen.rounded_rectangle((0, 0, width - 1, height - 1), edge / 2, word.panel)
    pen.text((width / 2 - (left + right) / 2, height / 2 - (top + bottom) / 2), word.text, word.paint, font, "mm")
    label = label.rotate(word.turn, Image.Resampling.BICUBIC, expand=True)
    image.paste(
        label, (round(word.x * CANVAS_SIDE - label.width / 2), round(word.y * CANVAS_SIDE - label.height / 2)), label
    )


def _placed(points: Points, x: float, y: float, radius: float, turn: float) -> list[tuple[float, float]]:
    """The points in pixels of the oversampled picture, rotated clockwise by `turn` degrees."""
    sine, cosine = np.sin(np.radians(turn)), np.cos(np.radians(turn))
    placed = points @ np.array([[cosine, sine], [-sine, cosine]]) * radius + (x, y)
    return [(px, py) for px, py in (placed * CANVAS_SIDE).tolist()]


def _toned(paint: Paint, tone: float) -> Paint:
    end = 255 if tone > 0 else 0
    red, green, blue = (round(part + abs(tone) * (end - part)) for part in paint)
    return red, green, blue
