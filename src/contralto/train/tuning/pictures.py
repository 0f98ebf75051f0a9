"""Pictures as the input of what is trained: whatever no step changes is computed once and kept in memory.

Three forms, by how much of the image tower is trained: nothing, so embeddings (`KnownEmbeddings`); the end of an
EfficientNet, so the feature map after its locked start (`LockedStart`); anything else, so pixels (`Pixels`). Each is a
function of the sample and its view, so a resumed run reads the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from contralto import contract
from contralto.data.augment import Augment
from contralto.data.mixture import SampleUse
from contralto.data.sample import Source
from contralto.embeddings import Embeddings
from contralto.image.decode import decode
from contralto.image.transform import normalise, resized
from contralto.model.efficientnet import EfficientNet

if TYPE_CHECKING:
    from contralto.model.clip import CLIP

KEPT_BYTES = 2**29  # of fitted pictures, and as much of feature maps

K = TypeVar("K")
V = TypeVar("V")
Draw = Callable[[SampleUse], np.random.Generator]
View = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]


def mirrored(probability: float) -> View:
    """The picture, or its mirror image."""

    def view(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
        return picture[:, ::-1] if random.random() < probability else picture

    return view


def cropped(spec: contract.Image, area: tuple[float, float], probability: float) -> View:
    """A crop of this share of the picture, at the tower's size again, or its mirror image."""
    augment = Augment(area=area, flip=probability)

    def view(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
        return np.asarray(augment(Image.fromarray(picture), spec, random))

    return view


class PictureForm(Protocol):
    """Samples to what a step starts from, and from there to embeddings.

    views: how often each picture is prepared in all, if everything is kept.
    """

    views: int

    def inputs(self, uses: Sequence[SampleUse]) -> Tensor:
        """What the step starts from, for each use."""
        ...

    def embeddings(self, model: CLIP, inputs: Tensor) -> Tensor:
        """`inputs` -> (N, E), not of unit length, with a gradient to what is trained."""
        ...


class Kept(Generic[K, V]):
    """Values by key. What does not fit in `limit` bytes is made again each time."""

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._values: dict[K, V] = {}
        self._room = limit

    def get(self, key: K, make: Callable[[], V], size: Callable[[V], int]) -> V:
        """The value of `key`, made if it is not kept; size: its bytes."""
        if key in self._values:
            return self._values[key]
        value = make()
        if (needed := size(value)) <= self._room:
            self._values[key] = value
            self._room -= needed
        return value


class FittedPictures:
    """uint8 (H, W, 3) of each sample's picture at the tower's size: decoded once, as long as there is room.

    Large JPEGs are decoded at a smaller size. Raises ImageError for a picture that cannot be used.
    """

    def __init__(self, source: Source, spec: contract.Image) -> None:
        self._source, self._spec = source, spec
        self._kept: Kept[int, NDArray[np.uint8]] = Kept()

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self._kept.get(index, lambda: self._fit(index), lambda picture: picture.nbytes)

    def _fit(self, index: int) -> NDArray[np.uint8]:
        sample, spec = self._source[index], self._spec
        side = max(spec.resized or spec.size)
        return resized(decode(sample.picture, alpha=spec.alpha, scaled_to=side, name=sample.key), spec)


class Pixels:
    """Pictures as pixels for the whole tower.

    view: changes a fitted picture at random, see `mirrored` and `cropped`. random: the generator of a use.
    """

    views = 1

    def __init__(self, fitted: FittedPictures, spec: contract.Image, view: View, random: Draw) -> None:
        self._fitted, self._spec, self._view, self._random = fitted, spec, view, random

    def inputs(self, uses: Sequence[SampleUse]) -> Tensor:
        """float32 (N, 3, H, W)."""
        out = np.empty((len(uses), 3, *self._spec.size), np.float32)
        for use, pixels in zip(uses, out, strict=True):
            normalise(self._view(self._fitted[use.item], self._random(use)), self._spec, pixels)
        return torch.from_numpy(out).to(memory_format=torch.channels_last)

    def embeddings(self, model: CLIP, inputs: Tensor) -> Tensor:
        return model.encode_image(inputs)


class LockedStart:
    """Pictures, some mirrored, as the feature map after the first `blocks` blocks of a tower that locks them.

    mirrored: the probability. Each map is computed from one picture alone, so its bits do not depend on the batch.
    """

    def __init__(
        self,
        tower: EfficientNet,
        blocks: int,
        fitted: FittedPictures,
        spec: contract.Image,
        mirrored: float,
        random: Draw,
    ) -> None:
        self._tower, self._blocks = tower, blocks
        self._fitted, self._spec, self._mirrored, self._random = fitted, spec, mirrored, random
        self._kept: Kept[tuple[int, bool], Tensor] = Kept()
        self.views = 2 if 0 < mirrored < 1 else 1

    def inputs(self, uses: Sequence[SampleUse]) -> Tensor:
        """float32 (N, C, h, w)."""
        return torch.stack([self._get(use) for use in uses]).to(memory_format=torch.channels_last)

    def _get(self, use: SampleUse) -> Tensor:
        key = (use.item, bool(self._random(use).random() < self._mirrored))
        return self._kept.get(key, lambda: self._map(*key), lambda made: made.nbytes)

    @torch.no_grad()
    def _map(self, index: int, mirrored: bool) -> Tensor:
        picture = self._fitted[index][:, ::-1] if mirrored else self._fitted[index]
        pixels = normalise(picture, self._spec, np.empty((3, *self._spec.size), np.float32))
        batch = torch.from_numpy(pixels[None]).to(memory_format=torch.channels_last)
        return self._tower.start(batch, self._blocks)[0]

    def embeddings(self, model: CLIP, inputs: Tensor) -> Tensor:
        tower = model.image
        assert isinstance(tower, EfficientNet)
        return tower.head(tower.finish(inputs, self._blocks))


class KnownEmbeddings:
    """Pictures as the unit embeddings (N, E) that an unchanged image tower gives."""

    views = 1

    def __init__(self, rows: Embeddings) -> None:
        self._rows = torch.from_numpy(np.ascontiguousarray(rows, np.float32))

    def inputs(self, uses: Sequence[SampleUse]) -> Tensor:
        return self._rows[[use.item for use in uses]]

    def embeddings(self, model: CLIP, inputs: Tensor) -> Tensor:
        return inputs
