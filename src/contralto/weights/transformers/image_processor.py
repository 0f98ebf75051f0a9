"""Settings of transformers' image processors to fields of a contract, and back.

The settings are in preprocessor_config.json, or since transformers 5 in processor_config.json under `image_processor`,
which takes precedence. All processors convert a picture to RGB before they resize it. Without `do_convert_rgb` (as in
EfficientNet's) they resize the raw pixel values, whatever the mode, which is meaningful for RGB only. Two differences
have no setting: transformers rounds the margin of an odd crop down, and with torchvision it resizes tensors, whose grey
levels differ by one or two from Pillow's.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, NamedTuple

from contralto.contract import Image
from contralto.errors import ContractError
from contralto.weights.config_section import Section, read_json
from contralto.weights.layouts.transformers import Family
from contralto.weights.openai import MEAN, STD

PREPROCESSOR_FILE = "preprocessor_config.json"
PROCESSOR_FILES = ("processor_config.json", PREPROCESSOR_FILE)  # in the order in which transformers looks
HALF = (0.5, 0.5, 0.5)

# Defaults of each processor, by its name without suffixes such as "ImageProcessorFast".
CLIP = {"size": {"shortest_edge": 224}, "crop_size": 224, "do_center_crop": True, "image_mean": MEAN, "image_std": STD}
SIGLIP = {"size": {"height": 224, "width": 224}, "do_center_crop": False, "image_mean": HALF, "image_std": HALF}
EFFICIENTNET = SIGLIP | {"size": {"height": 346, "width": 346}, "crop_size": 289, "include_top": True}
OWLVIT = CLIP | {"size": {"height": 768, "width": 768}, "crop_size": 768, "do_center_crop": False}
OWLV2 = OWLVIT | {"size": {"height": 960, "width": 960}, "do_pad": True}
DEFAULTS: dict[str, dict[str, Any]] = {
    "CLIP": CLIP, "Siglip": SIGLIP, "EfficientNet": EFFICIENTNET, "OwlViT": OWLVIT, "Owlv2": OWLV2,
}  # fmt: skip
DEFAULT_PROCESSORS: dict[Family, str] = {
    "clip": "CLIP", "siglip": "Siglip", "align": "EfficientNet", "owlvit": "OwlViT", "owlv2": "Owlv2",
}  # fmt: skip
SQUARING = ("EfficientNet", "OwlViT", "Owlv2")  # a single number is the size of both sides
PROCESSOR_NAME = re.compile("(.+)(ImageProcessor|FeatureExtractor)(Fast|Pil)?")
INTERPOLATIONS = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


class ProcessorSettings(NamedTuple):
    """Fields of contract.Image."""

    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: str
    interpolation: str
    resized: tuple[int, int] | None
    convert: str = "first"


def read(folder: Path, family: Family) -> ProcessorSettings | None:
    """The settings of the folder's image processor; None if it has none. Raises ContractError.

    family: selects the default processor for a file that does not name one.
    """
    for name in PROCESSOR_FILES:
        path = folder / name
        if not path.is_file():
            continue
        stated = read_json(path)
        values = stated.get("image_processor", stated if name == PREPROCESSOR_FILE else None)
        if values is not None:
            return settings(values, DEFAULT_PROCESSORS[family], str(path))
    return None


def written(image: Image, processor: str) -> dict[str, Any]:
    """The JSON of an image processor (such as CLIPImageProcessor) for a contract. Raises ContractError."""
    height, width = image.resized or image.size
    if image.resize == "shortest" and height != width:
        raise ContractError(f"transformers' {processor} cannot resize to cover {height} x {width}, only a square")
    size: dict[str, int] = {"height": height, "width": width}
    if image.resize == "shortest":
        size = {"shortest_edge": min(height, width)}
    return {
        "image_processor_type": processor,
        "do_convert_rgb": True,
        "do_resize": True,
        "size": size,
        "resample": next(number for number, name in INTERPOLATIONS.items() if name == image.interpolation),
        "do_center_crop": image.resize == "shortest" or image.resized is not None,
        "crop_size": {"height": image.size[0], "width": image.size[1]},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "rescale_offset": False,
        "include_top": False,
        "do_normalize": True,
        "image_mean": list(image.mean),
        "image_std": list(image.std),
    } | ({"do_pad": True} if image.resize == "pad" else {})


def settings(values: Any, default_processor: str, where: str) -> ProcessorSettings:
    """The settings of a processor's JSON. default_processor: a key of DEFAULTS, for JSON without a name."""
    given = Section(values, where)
    field = "image_processor_type" if given.take("image_processor_type", str, None) else "feature_extractor_type"
    named = PROCESSOR_NAME.fullmatch(given.take(field, str, f"{default_processor}ImageProcessor"))
    kind = named[1] if named else ""
    if kind not in DEFAULTS:
        raise given.refuse(field, f"supported are {', '.join(f'{name}ImageProcessor' for name in DEFAULTS)}")
    default = DEFAULTS[kind]
    if "rescale" in values:  # the name of do_rescale in early files of OWL-ViT
        values = {"do_rescale": values["rescale"]} | values
    section = Section(default | {name: value for name, value in values.items() if value is not None}, where)
    if not section.take("do_resize", bool, True) or not section.take("do_rescale", bool, True):
        raise section.refuse("do_resize", "pictures must be resized and rescaled")
    resized, squash = _resized(section, square=kind in SQUARING)
    size = resized
    if kind == "Owlv2":
        return _padded(section, size)
    if section.take("do_center_crop", bool, False):
        size = _both(section, "crop_size")
    elif not squash:
        raise section.refuse("do_center_crop", "a picture resized by its shorter side must be cropped")
    filter = section.take("resample", int, 3)
    if filter not in INTERPOLATIONS:
        raise section.refuse("resample", "supported are 2 (bilinear) and 3 (bicubic)")
    mean, std = _normalised(section)
    if any(aimed < side for aimed, side in zip(resized, size, strict=True)):
        raise section.refuse("crop_size", f"it is more than the resized picture, {resized[0]} x {resized[1]}")
    aim = resized if resized != size else None
    return ProcessorSettings(size, mean, std, "squash" if squash else "shortest", INTERPOLATIONS[filter], aim)


def _padded(section: Section, size: tuple[int, int]) -> ProcessorSettings:
    """Owlv2's: no crop, and bilinear whatever `resample` states."""
    if not section.take("do_pad", bool):
        raise section.refuse("do_pad", "OWLv2's pictures are padded to a square")
    return ProcessorSettings(size, *_normalised(section), "pad", "bilinear", None)


def _resized(section: Section, square: bool) -> tuple[tuple[int, int], bool]:
    """(height, width) after the resize, and whether the resize ignores the aspect ratio.

    square: whether a single number, as in old files, means both sides instead of the shorter one.
    """
    size = section.take("size", (int, dict, list))
    if isinstance(size, int):
        return (size, size), square
    if isinstance(size, list):
        return _both(section, "size"), True
    if "shortest_edge" in size:
        inner = Section(size, f"{section.where}.size")
        side = inner.take("shortest_edge", int)
        inner.close({"longest_edge": None}, ())
        return (side, side), False
    return _both(section, "size"), True


def _both(section: Section, name: str) -> tuple[int, int]:
    value = section.take(name, (int, dict, list))
    if isinstance(value, int):
        return value, value
    if isinstance(value, list):  # in early files
        if len(value) != 2 or not all(type(side) is int for side in value):
            raise section.refuse(name, "two whole numbers are needed")
        return value[0], value[1]
    inner = Section(value, f"{section.where}.{name}")
    return inner.take("height", int), inner.take("width", int)


def _normalised(section: Section) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """mean and std for values in [0, 1]; they combine rescale_factor, rescale_offset, mean, std and include_top."""
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
