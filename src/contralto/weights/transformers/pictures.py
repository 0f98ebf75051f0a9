"""The settings of transformers' image processors to a contract's, and back.

They are in preprocessor_config.json, or since transformers 5 in processor_config.json under `image_processor`, which
then goes first. All turn a picture to RGB before it is resized; without `do_convert_rgb`, which EfficientNet's has not,
they resize the numbers of a picture whatever its mode, so that only RGB has a meaning there. What is computed differs
in two things that no setting states: transformers rounds the margin of an odd crop down, and where torchvision is
installed it resizes tensors, which gives grey levels one or two off those of Pillow.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, NamedTuple

from contralto.contract import Image
from contralto.errors import ContractError
from contralto.weights.layouts.transformers import Family
from contralto.weights.openai import MEAN, STD
from contralto.weights.section import Section, read_json

FILE_NAME = "preprocessor_config.json"
FILES = ("processor_config.json", FILE_NAME)  # in the order in which transformers looks
HALF = (0.5, 0.5, 0.5)

# Defaults of each processor, by its name without what tells its age and make.
CLIP = {"size": {"shortest_edge": 224}, "crop_size": 224, "do_center_crop": True, "image_mean": MEAN, "image_std": STD}
SIGLIP = {"size": {"height": 224, "width": 224}, "do_center_crop": False, "image_mean": HALF, "image_std": HALF}
EFFICIENTNET = SIGLIP | {"size": {"height": 346, "width": 346}, "crop_size": 289, "include_top": True}
DEFAULTS: dict[str, dict[str, Any]] = {"CLIP": CLIP, "Siglip": SIGLIP, "EfficientNet": EFFICIENTNET}
PROCESSORS: dict[Family, str] = {"clip": "CLIP", "siglip": "Siglip", "align": "EfficientNet"}
NAME = re.compile("(.+)(ImageProcessor|FeatureExtractor)(Fast|Pil)?")
FILTERS = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


class Pictures(NamedTuple):
    """Fields of contract.Image."""

    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: str
    interpolation: str
    resized: tuple[int, int] | None
    convert: str = "first"


def read(folder: Path, family: Family) -> Pictures | None:
    """What the folder's processor does; None if it has none. family: whose processor it is where no name is given.

    Raises ContractError.
    """
    for name in FILES:
        path = folder / name
        if not path.is_file():
            continue
        stated = read_json(path)
        values = stated.get("image_processor", stated if name == FILE_NAME else None)
        if values is not None:
            return _settings(values, PROCESSORS[family], str(path))
    return None


def written(image: Image, processor: str) -> dict[str, Any]:
    """The settings of a processor (CLIPImageProcessor ...) that does what the contract states. Raises ContractError."""
    height, width = image.resized or image.size
    if image.resize == "shortest" and height != width:
        raise ContractError(f"transformers' {processor} cannot resize to cover {height} x {width}, only a square")
    if image.resize == "squash":
        size: dict[str, int] = {"height": height, "width": width}
    else:
        size = {"shortest_edge": min(height, width)}
    return {
        "image_processor_type": processor,
        "do_convert_rgb": True,
        "do_resize": True,
        "size": size,
        "resample": next(number for number, name in FILTERS.items() if name == image.interpolation),
        "do_center_crop": image.resize == "shortest" or image.resized is not None,
        "crop_size": {"height": image.size[0], "width": image.size[1]},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "rescale_offset": False,
        "include_top": False,
        "do_normalize": True,
        "image_mean": list(image.mean),
        "image_std": list(image.std),
    }


def _settings(values: Any, own: str, where: str) -> Pictures:
    """own: the processor that goes with the model, in DEFAULTS."""
    given = Section(values, where)
    field = "image_processor_type" if given.take("image_processor_type", str, None) else "feature_extractor_type"
    named = NAME.fullmatch(given.take(field, str, f"{own}ImageProcessor"))
    kind = named[1] if named else ""
    if kind not in DEFAULTS:
        raise given.refuse(field, f"supported are {', '.join(f'{name}ImageProcessor' for name in DEFAULTS)}")
    default = DEFAULTS[kind]
    section = Section(default | {name: value for name, value in values.items() if value is not None}, where)
    if not section.take("do_resize", bool, True) or not section.take("do_rescale", bool, True):
        raise section.refuse("do_resize", "pictures must be resized and rescaled")
    resized, squash = _resized(section, square=kind == "EfficientNet")
    size = resized
    if section.take("do_center_crop", bool, False):
        size = _both(section, "crop_size")
    elif not squash:
        raise section.refuse("do_center_crop", "a picture resized by its shorter side must be cropped")
    filter = section.take("resample", int, 3)
    if filter not in FILTERS:
        raise section.refuse("resample", "supported are 2 (bilinear) and 3 (bicubic)")
    mean, std = _normalised(section)
    if any(aimed < side for aimed, side in zip(resized, size, strict=True)):
        raise section.refuse("crop_size", f"it is more than the resized picture, {resized[0]} x {resized[1]}")
    aim = resized if resized != size else None
    return Pictures(size, mean, std, "squash" if squash else "shortest", FILTERS[filter], aim)


def _resized(section: Section, square: bool) -> tuple[tuple[int, int], bool]:
    """(height, width) that the resize aims at, and whether it ignores the picture's shape.

    square: what a number alone, which old files have, means: both sides, or the shorter one.
    """
    size = section.take("size", (int, dict))
    if isinstance(size, int):
        return (size, size), square
    if "shortest_edge" in size:
        inner = Section(size, f"{section.where}.size")
        side = inner.take("shortest_edge", int)
        inner.close({"longest_edge": None}, ())
        return (side, side), False
    return _both(section, "size"), True


def _both(section: Section, name: str) -> tuple[int, int]:
    value = section.take(name, (int, dict))
    if isinstance(value, int):
        return value, value
    inner = Section(value, f"{section.where}.{name}")
    return inner.take("height", int), inner.take("width", int)


def _normalised(section: Section) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """mean and std of values in [0, 1] that do what rescale_factor, rescale_offset, mean, std and include_top do."""
    factor = round(255 * section.take("rescale_factor", float, 1 / 255), 12)  # without the last bit's rounding
    if not 0 < factor < 1e6:
        raise section.refuse("rescale_factor", "it must be a positive number")
    offset = 1.0 if section.take("rescale_offset", bool, False) else 0.0
    stated_std = _three(section, "image_std")
    mean, std = [0.0] * 3, [1.0] * 3
    if section.take("do_normalize", bool, True):
        mean, std = list(_three(section, "image_mean")), list(stated_std)
    if section.take("include_top", bool, False):  # EfficientNet's divides once more
        std = [a * b for a, b in zip(std, stated_std, strict=True)]
    means = [(offset + value) / factor for value in mean]
    stds = [value / factor for value in std]
    return (means[0], means[1], means[2]), (stds[0], stds[1], stds[2])


def _three(section: Section, name: str) -> tuple[float, float, float]:
    values = section.take(name, (list, tuple))
    if len(values) != 3 or not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        raise section.refuse(name, "three numbers are needed")
    return float(values[0]), float(values[1]), float(values[2])
