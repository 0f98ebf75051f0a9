"""Chance that is no chance: generators that depend only on what is named, never on order or on a global state."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(*named: str | int) -> np.random.Generator:
    """A generator that is a function of the parts named (an item's key, a seed, a version), the same everywhere."""
    said = "\0".join(str(part) for part in named)
    return np.random.default_rng(int.from_bytes(hashlib.sha256(said.encode()).digest()[:16], "little"))


def place(random: np.random.Generator, canvas: tuple[int, int], part: tuple[int, int]) -> tuple[int, int]:
    """Where (left, top) a part (width, height) is put on a canvas: drawn within the central square, which is all that
    a model with a centre crop sees; in the middle along a side on which the part is as long as that square."""
    square = min(canvas)
    x, y = (
        (side - square) // 2 + int(random.integers(square - length + 1)) if length < square else (side - length) // 2
        for side, length in zip(canvas, part, strict=True)
    )
    return x, y
