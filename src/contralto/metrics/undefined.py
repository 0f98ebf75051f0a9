"""The error of a metric without a value on the given items, so that other metrics can continue."""

from __future__ import annotations

from contralto.errors import DataError


class UndefinedError(DataError):
    """Too few items, or none of a kind that the metric needs."""
