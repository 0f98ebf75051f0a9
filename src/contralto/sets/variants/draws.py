"""Chance that is no chance: generators that depend only on what is named, never on order or on a global state."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(*named: str | int) -> np.random.Generator:
    """A generator that is a function of the parts named (an item's key, a seed, a version), the same everywhere."""
    said = "\0".join(str(part) for part in named)
    return np.random.default_rng(int.from_bytes(hashlib.sha256(said.encode()).digest()[:16], "little"))
