"""Reads a JSON object of a foreign configuration strictly: an unknown field is an error that names it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from contralto.errors import ContractError, one_line

_REQUIRED = object()
MAX_DIGITS = 300  # of an integer, so that it also fits a float; a "very large" model_max_length has 31


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file (UTF-8). Raises ContractError."""
    try:
        value = json.loads(path.read_bytes().decode(), parse_int=_integer)
    except OSError as error:
        raise ContractError(f"{one_line(str(path))}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{one_line(str(path))} is not JSON: {one_line(str(error), 100)}") from error
    if not isinstance(value, dict):
        raise ContractError(f"{one_line(str(path))} is not a JSON object")
    return value


class Section:
    """Call `take` for each known field, then `close`, which refuses the rest. null counts as absent."""

    def __init__(self, values: Any, where: str) -> None:
        """where: file and object, for error messages. Raises ContractError if `values` is no object."""
        if not isinstance(values, Mapping):
            raise ContractError(f"{where} must be an object, got {_shown(values)}")
        self.where = where
        self.values = values
        self._taken: set[str] = set()

    def take(self, name: str, kind: type | tuple[type, ...], default: Any = _REQUIRED) -> Any:
        """The field's value, of that type (int is accepted for float, bool for neither), or the default."""
        self._taken.add(name)
        value = self.values.get(name)
        if value is None:
            if default is _REQUIRED:
                raise ContractError(f"{self.where}: missing field {name!r}")
            return default
        kinds = kind if isinstance(kind, tuple) else (kind,)
        allowed = (*kinds, int) if float in kinds else kinds
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in kinds):
            names = " or ".join(one.__name__ for one in kinds)
            raise ContractError(f"{self.where}.{name} must be of type {names}, got {_shown(value)}")
        return value

    def refuse(self, name: str, why: str) -> ContractError:
        """The error for a field with an unsupported value."""
        return ContractError(f"{self.where}.{name} = {_shown(self.values.get(name))}: {why}")

    def close(self, fixed: Mapping[str, Any], harmless: Collection[str]) -> None:
        """Raises ContractError if a field that was not taken is neither `harmless` nor at its value in `fixed`."""
        for name in sorted(self.values.keys() - self._taken - set(harmless)):
            if name not in fixed:
                raise ContractError(f"{self.where}: unknown field {one_line(name, 60)!r}")
            if self.values[name] not in (None, fixed[name]):
                raise self.refuse(name, "a model with it is not one that Contralto builds")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _shown(value: object) -> str:
    return one_line(repr(value), 60)
