"""The pictures of the demo: photographs inside the scikit-image wheel, drawings, and the user's pictures."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from contralto.cli.demo import drawing
from contralto.errors import ImageError
from contralto.image.decode import decode
from contralto.search.walk import PictureFile, UnusableFile

THUMBNAIL_SIDE = 360
MAX_USER_PICTURES = 48

# Files inside the wheel, and their labels. Its other data would need a download or has no plain label.
PHOTOGRAPHS = {
    "astronaut.png": "an astronaut",
    "chelsea.png": "a cat",
    "coffee.png": "a cup of coffee",
    "motorcycle_left.png": "a motorcycle",
    "camera.png": "a man with a camera",
    "rocket.jpg": "a rocket",
    "horse.png": "a horse",
    "coins.png": "coins",
    "hubble_deep_field.jpg": "galaxies and stars",
    "moon.png": "the surface of the moon",
    "brick.png": "a brick wall",
    "grass.png": "grass",
    "gravel.png": "gravel",
    "page.png": "a page of text",
}


@dataclass(frozen=True)
class DemoPicture:
    """One picture of the demo. `shows` is its known label; None for the user's pictures."""

    name: str
    source: str | Image.Image
    thumb: Image.Image
    kind: Literal["photograph", "drawing", "yours"]
    shows: str | None = None


def photographs() -> list[DemoPicture]:
    """The photographs inside the installed scikit-image, or none. Nothing is imported or downloaded."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(spec.submodule_search_locations[0]) / "data"
    present = [(folder / name, shows) for name, shows in PHOTOGRAPHS.items() if (folder / name).is_file()]
    return [DemoPicture(path.name, str(path), _thumbnail(str(path)), "photograph", shows) for path, shows in present]


def drawings() -> list[DemoPicture]:
    """The drawings, drawn by this call."""
    drawn = [(name, paint()) for name, paint in drawing.DRAWINGS.items()]
    return [DemoPicture(name, image, _small(image), "drawing", name) for name, image in drawn]


def sample(files: list[PictureFile]) -> list[PictureFile]:
    """At most 48 of the files, evenly spaced."""
    if len(files) <= MAX_USER_PICTURES:
        return files
    return [files[i * len(files) // MAX_USER_PICTURES] for i in range(MAX_USER_PICTURES)]


def user_pictures(files: list[PictureFile]) -> tuple[list[DemoPicture], list[UnusableFile]]:
    """The pictures of these files, and the files that cannot be used."""
    good: list[DemoPicture] = []
    bad: list[UnusableFile] = []
    for file in files:
        try:
            good.append(DemoPicture(Path(file.path).name, file.path, _thumbnail(file.path), "yours"))
        except ImageError as error:
            bad.append(UnusableFile(file.path, error.reason))
    return good, bad


def _thumbnail(path: str) -> Image.Image:
    return _small(decode(path, scaled_to=THUMBNAIL_SIDE))


def _small(image: Image.Image) -> Image.Image:
    """An RGB copy with at most 360 pixels per side."""
    small = image.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BICUBIC)
    return small
