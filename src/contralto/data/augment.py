"""Random crops and flips."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from contralto import contract
from contralto.errors import ContractError
from contralto.image.transform import FILTERS, in_colours


@dataclass(frozen=True)
class Augment:
    """Crops a random rectangle, resizes it to the tower's size, and may mirror it.

    area: range of the crop's share of the picture; the default is the one of OpenCLIP. aspect: range of width / height,
    drawn uniformly in the logarithm. flip: probability of mirroring; 0 by default, because captions distinguish left
    from right.
    """

    area: tuple[float, float] = (0.9, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ContractError(f"Augment.area must be a range within (0, 1], got {self.area}")
        if not 0 < self.aspect[0] <= self.aspect[1]:
            raise ContractError(f"Augment.aspect must be a range above 0, got {self.aspect}")
        if not 0 <= self.flip <= 1:
            raise ContractError(f"Augment.flip must be a probability, got {self.flip}")

    def __call__(self, image: Image.Image, spec: contract.Image, random: np.random.Generator) -> Image.Image:
        """The augmented picture at spec.size, in the mode that the contract resizes in."""
        height, width = spec.size
        image = in_colours(image, spec).resize(
            (width, height), FILTERS[spec.interpolation], box=self.box(image.size, random)
        )
        if random.random() < self.flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return image

    def box(self, size: tuple[int, int], random: np.random.Generator) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) of a crop of a picture of (width, height).

        It draws up to ten shapes. If none fits, it takes the largest central crop with an allowed aspect.
        """
        width, height = size
        for _ in range(10):
            area = width * height * random.uniform(*self.area)
            aspect = math.exp(random.uniform(math.log(self.aspect[0]), math.log(self.aspect[1])))
            w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < w <= width and 0 < h <= height:
                left, top = int(random.integers(width - w + 1)), int(random.integers(height - h + 1))
                return left, top, left + w, top + h
        aspect = min(max(width / height, self.aspect[0]), self.aspect[1])
        w, h = min(width, max(1, round(height * aspect))), min(height, max(1, round(width / aspect)))
        left, top = (width - w) // 2, (height - h) // 2
        return left, top, left + w, top + h
