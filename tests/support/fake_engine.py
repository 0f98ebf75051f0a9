"""An engine that is a few lines of NumPy, random weights for the real ones, and pictures of noise."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from contralto import contract
from contralto.weights import native


class FakeEngine:
    """Rows that depend on their own item alone, of any length but 1; it keeps the shapes it was asked for."""

    name, precision, images_at_once = "fake", "fp64", 16

    def __init__(self, stated: contract.Contract) -> None:
        self.contract, generator = stated, np.random.default_rng(0)
        self.end = stated.text.tower.vocabulary - 1
        self.of_pixels = generator.standard_normal((3 * 12, stated.embedding))
        self.of_tokens = generator.standard_normal((stated.text.tower.vocabulary, stated.embedding))
        self.images: list[tuple[int, ...]] = []
        self.texts: list[tuple[int, ...]] = []
        self.ids: list[np.ndarray] = []
        self.expected: list[tuple[str, int]] = []

    def engine_for(self, tower: str, count: int) -> FakeEngine:
        self.expected.append((tower, count))
        return self

    def image(self, pixels: np.ndarray) -> np.ndarray:
        self.images.append(pixels.shape)
        coarse = pixels.reshape(len(pixels), 3, 12, -1).mean(axis=-1, dtype=np.float64)
        return (7 * coarse.reshape(len(pixels), -1) @ self.of_pixels).astype(np.float32)

    def grid(self, pixels: np.ndarray) -> np.ndarray:
        """Tokens (N, L, W) for a tower of tokens, a class token among them; else a map (N, C, 4, 4)."""
        tower, size = self.contract.image.tower, self.contract.image.size
        shape = (tower.features, 4, 4)
        if tower.kind in ("vit", "eva"):
            shape = (1 + (size[0] // tower.cell) * (size[1] // tower.cell), tower.features)
        coarse = pixels.reshape(len(pixels), 3 * 12, -1).mean(axis=-1, dtype=np.float64)
        of_grid = np.random.default_rng(1).standard_normal((3 * 12, int(np.prod(shape))))
        return (coarse @ of_grid).reshape(len(pixels), *shape).astype(np.float32)

    def text(self, ids: np.ndarray) -> np.ndarray:
        self.texts.append(ids.shape)
        self.ids.append(ids)
        before_end = np.cumsum(ids == self.end, axis=1) == 0
        weights = before_end / (1 + np.arange(ids.shape[1]))
        return np.einsum("nl,nld->nd", weights, self.of_tokens[ids]).astype(np.float32)


def write_random(folder: Path, stated: contract.Contract, seed: int = 0) -> contract.Contract:
    """Small random weights, so that every layer does something."""
    generator = np.random.default_rng(seed)
    arrays = {n: 0.1 * generator.standard_normal(shape) for n, shape in native.expected(stated).items()}
    arrays |= {n: 1 + a for n, a in arrays.items() if ".norm" in n and n.endswith("weight")}
    arrays["logit_scale"] = np.log(stated.score.scale)
    return native.write(folder, stated, arrays)


@functools.cache
def _picture(seed: int) -> bytes:
    generator = np.random.default_rng(seed)
    height, width = generator.integers(30, 90, 2)
    return generator.integers(0, 256, (height, width, 3), np.uint8).tobytes() + bytes([height, width])


def picture(seed: int) -> np.ndarray:
    """uint8 (H, W, 3), a new array each time."""
    data = _picture(seed)
    height, width = data[-2:]
    return np.frombuffer(data[:-2], np.uint8).reshape(height, width, 3).copy()
