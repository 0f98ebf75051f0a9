"""Collages for `regions.py`: two or three things on an uneven ground, in known boxes.

The folder has a folder of pictures for each label, whose name is the label ("-" and "_" stand for spaces). No two
labels should fit one thing. A picture with white corners is cut out of its ground; others are put in as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

SIZES = ((512, 384), (448, 448), (384, 512), (560, 360))
SIDES = (0.2, 0.7)  # of a thing's longer side, as a share of the collage's shorter side
ABSENT = 3  # labels that are asked for and not there
WHITE = 242  # of the darkest channel
TRIES = 300
GAP = 4  # pixels between things

Corners = tuple[int, int, int, int]


class Collage(NamedTuple):
    """things: (label, box). labels: those that are asked for; the last three are absent."""

    picture: Image.Image
    things: list[tuple[str, Corners]]
    labels: list[str]


def classes(folder: Path) -> dict[str, list[Path]]:
    """The pictures of each label."""
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    named = {path.name.replace("-", " ").replace("_", " "): sorted(path.iterdir()) for path in folders}
    return {label: files for label, files in named.items() if files}


def collage(files: dict[str, list[Path]], seed: int) -> Collage:
    """One collage; the same for the same seed."""
    random = np.random.default_rng(seed)
    picture = _ground(random, *SIZES[random.integers(len(SIZES))])
    labels = [str(label) for label in random.permutation(list(files))]
    count = int(random.integers(2, 4))
    things: list[tuple[str, Corners]] = []
    for label in labels[:count]:
        box = _placed(random, picture, files[label], [box for _, box in things])
        if box is not None:
            things.append((label, box))
    return Collage(picture, things, [label for label, _ in things] + labels[count : count + ABSENT])


def _ground(random: np.random.Generator, width: int, height: int) -> Image.Image:
    """Clouds of four sizes, of little colour."""
    ground = np.zeros((height, width, 3)) + random.uniform(60, 200) + random.normal(0, 22, 3)
    for count, strength in ((3, 45), (9, 22), (27, 12), (81, 8)):
        shape = (max(2, count * height // width + 1), count + 1)
        noise = random.normal(0, 1, (3, *shape)).astype(np.float32)
        bands = [np.asarray(Image.fromarray(one).resize((width, height), Image.Resampling.BICUBIC)) for one in noise]
        cloud = np.stack(bands, axis=-1)
        ground += strength * (0.3 * cloud + 0.9 * cloud.mean(axis=-1, keepdims=True))
    return Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))


def _placed(
    random: np.random.Generator, picture: Image.Image, files: list[Path], taken: list[Corners]
) -> Corners | None:
    """Puts a thing where no other is; None if there is no room."""
    for _ in range(TRIES):
        with Image.open(files[random.integers(len(files))]) as opened:
            thing = opened.convert("RGB")
        mask = _cut_out(thing)
        bounds = mask.getbbox()
        if bounds is None:
            continue
        thing, mask = thing.crop(bounds), mask.crop(bounds)
        scale = random.uniform(*SIDES) * min(picture.size) / max(thing.size)
        size = (max(8, round(thing.width * scale)), max(8, round(thing.height * scale)))
        if size[0] >= picture.width or size[1] >= picture.height:
            continue
        x, y = int(random.integers(picture.width - size[0])), int(random.integers(picture.height - size[1]))
        if not any(_near((x, y, x + size[0], y + size[1]), one) for one in taken):
            resample = Image.Resampling.BICUBIC
            picture.paste(thing.resize(size, resample), (x, y), mask.resize(size, Image.Resampling.BILINEAR))
            return x, y, x + size[0], y + size[1]
    return None


def _near(a: Corners, b: Corners) -> bool:
    return min(a[2], b[2]) - max(a[0], b[0]) > -GAP and min(a[3], b[3]) - max(a[1], b[1]) > -GAP


def _cut_out(thing: Image.Image) -> Image.Image:
    """A mask of mode L: all but the white that is connected to the border; everything if a corner is not white."""
    white = Image.fromarray(np.where(np.asarray(thing).min(axis=-1) >= WHITE, 255, 0).astype(np.uint8))
    corners = [(0, 0), (thing.width - 1, 0), (0, thing.height - 1), (thing.width - 1, thing.height - 1)]
    if not all(white.getpixel(corner) for corner in corners):
        return Image.new("L", thing.size, 255)
    framed = Image.new("L", (thing.width + 2, thing.height + 2), 255)
    framed.paste(white, (1, 1))
    ImageDraw.floodfill(framed, (0, 0), 128)
    inner = framed.crop((1, 1, thing.width + 1, thing.height + 1))
    return inner.point([0 if value == 128 else 255 for value in range(256)])
