"""Checks of arguments. A wrong argument raises a ContraltoError: one line with its name and its value."""

from __future__ import annotations

import math
import os
import reprlib
from collections.abc import Collection
from numbers import Integral, Real

from contralto.errors import ContraltoError, one_line


def whole(value: object, name: str, minimum: int = 1) -> int:
    """A whole number of at least `minimum`, as an int; True and 2.0 are refused. Raises ContraltoError."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < minimum:
        raise ContraltoError(f"{name} must be a whole number of at least {minimum}, got {shown(value)}")
    return int(value)


def number(value: object, name: str, low: float = -math.inf, high: float = math.inf, *, edges: bool = True) -> float:
    """A finite number from low to high, as a float; `edges=False` excludes low and high. Raises ContraltoError."""
    if not isinstance(value, Real) or isinstance(value, bool) or not _within(float(value), low, high, edges):
        raise ContraltoError(f"{name} must be {_range(low, high, edges)}, got {shown(value)}")
    return float(value)


def flag(value: object, name: str) -> bool:
    """True or False, also from NumPy. Raises ContraltoError."""
    if not isinstance(value, bool) and type(value).__name__ != "bool":  # numpy.bool, without importing NumPy
        raise ContraltoError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def one_of(value: object, name: str, known: Collection[str]) -> str:
    """One of the known words. Raises ContraltoError."""
    if not isinstance(value, str) or value not in known:
        raise ContraltoError(f"{name} must be one of {', '.join(known)}, got {shown(value)}")
    return value


def word(value: object, name: str) -> str:
    """A string. Raises ContraltoError."""
    if not isinstance(value, str):
        raise ContraltoError(f"{name} must be a string, got {shown(value)}")
    return value


def path(value: object, name: str, what: str = "a path") -> str:
    """The path of a file or folder, as a str. Raises ContraltoError."""
    given = os.fspath(value) if isinstance(value, str | bytes | os.PathLike) else ""
    if not given or (b"\0" if isinstance(given, bytes) else "\0") in given:
        raise ContraltoError(f"{name} must be {what}, got {shown(value)}")
    return os.fsdecode(given)


def function(value: object, name: str, takes: str) -> None:
    """Checks for None or a function; `takes` names its parameters in the message. Raises ContraltoError."""
    if value is not None and not callable(value):
        raise ContraltoError(f"{name} must be a function of ({takes}) or None, got {shown(value)}")


def shown(value: object) -> str:
    """A value for error messages: one short line."""
    return one_line(reprlib.repr(value), 80)


def _within(value: float, low: float, high: float, edges: bool) -> bool:
    return math.isfinite(value) and (low <= value <= high if edges else low < value < high)


def _range(low: float, high: float, edges: bool) -> str:
    if low == -math.inf:
        return "a finite number"
    if high == math.inf:
        return f"a finite number {'of at least' if edges else 'above'} {low:g}"
    return f"a number {'from' if edges else 'between'} {low:g} {'to' if edges else 'and'} {high:g}"
