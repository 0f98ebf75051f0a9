"""Reproducible randomness: generators depend only on their arguments, not on call order or global state."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(*parts: str | int) -> np.random.Generator:
    """A generator seeded by the parts (such as an item's key, a seed, a version), the same on every machine."""
    name = "\0".join(str(part) for part in parts)
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little"))


def place(random: np.random.Generator, canvas: tuple[int, int], part: tuple[int, int]) -> tuple[int, int]:
    """A random position (left, top) for a part (width, height) on a canvas.

    It lies within the central square, because a model with a centre crop sees nothing else. Along a side on which the
    part fills the square, it is centred.
    """
    square = min(canvas)
    x, y = (
        (side - square) // 2 + int(random.integers(square - length + 1)) if length < square else (side - length) // 2
        for side, length in zip(canvas, part, strict=True)
    )
    return x, y
