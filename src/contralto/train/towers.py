"""Deprecated name of `load_tower.py`, for one release."""

import warnings

from contralto.train.load_tower import load_tower

__all__ = ["load_tower"]

warnings.warn("contralto.train.towers is now called contralto.train.load_tower", DeprecationWarning, stacklevel=2)
