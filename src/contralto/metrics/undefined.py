"""The error of a figure that has no value on the items at hand, so that the other figures can go on without it."""

from __future__ import annotations

from contralto.errors import DataError


class UndefinedError(DataError):
    """There are too few items, or not the kinds of them, that the figure needs."""
