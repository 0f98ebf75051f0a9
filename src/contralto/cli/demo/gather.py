"""The demo's pictures: photographs that the scikit-image wheel carries, drawings, and those of a folder."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from contralto.cli.demo import drawing
from contralto.errors import ImageError
from contralto.image.decode import decode
from contralto.search.walk import File, Unusable

THUMB = 360
MOST = 48

# Files inside the wheel, and what they show. Others of its data would be downloaded, or show nothing with a plain name.
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
class Picture:
    """A picture to be asked about. `shows` is what it is known to show, None for the user's own."""

    name: str
    source: str | Image.Image
    thumb: Image.Image
    kind: Literal["photograph", "drawing", "yours"]
    shows: str | None = None


def photographs() -> list[Picture]:
    """Those inside the installed scikit-image, none if it is absent. It is not imported, and nothing is fetched."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(spec.submodule_search_locations[0]) / "data"
    present = [(folder / name, shows) for name, shows in PHOTOGRAPHS.items() if (folder / name).is_file()]
    return [Picture(path.name, str(path), _thumb(str(path)), "photograph", shows) for path, shows in present]


def drawings() -> list[Picture]:
    """Drawn here and now."""
    drawn = [(name, paint()) for name, paint in drawing.ALL.items()]
    return [Picture(name, image, _small(image), "drawing", name) for name, image in drawn]


def chosen(files: list[File]) -> list[File]:
    """At most 48 of the files, evenly spread."""
    if len(files) <= MOST:
        return files
    return [files[i * len(files) // MOST] for i in range(MOST)]


def yours(files: list[File]) -> tuple[list[Picture], list[Unusable]]:
    """The pictures of these files, and those that cannot be used."""
    good: list[Picture] = []
    bad: list[Unusable] = []
    for file in files:
        try:
            good.append(Picture(Path(file.path).name, file.path, _thumb(file.path), "yours"))
        except ImageError as error:
            bad.append(Unusable(file.path, error.reason))
    return good, bad


def _thumb(path: str) -> Image.Image:
    return _small(decode(path, scaled_to=THUMB))


def _small(image: Image.Image) -> Image.Image:
    """At most 360 pixels a side, RGB; a picture given is not changed."""
    small = image.convert("RGB")
    small.thumbnail((THUMB, THUMB), Image.Resampling.BICUBIC)
    return small
