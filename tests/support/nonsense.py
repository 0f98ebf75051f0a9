"""Tables of nonsense arguments: function -> {argument: (a valid value, invalid values)}."""

from __future__ import annotations

import types
from typing import Any

import pytest

from contralto.errors import ContraltoError

Table = dict[str, dict[str, tuple[Any, list[Any]]]]

NAN, INF = float("nan"), float("inf")
NO_COUNT = [None, "3", 0, -1, 1.5, NAN, True, [1], object()]
NO_SEED = [None, "3", -1, 1.5, NAN, object()]


def cases(table: Table) -> list[tuple[str, str, Any]]:
    """(function, argument, invalid value), for parametrize."""
    return [
        (name, argument, wrong)
        for name, arguments in table.items()
        for argument, (_, several) in arguments.items()
        for wrong in several
    ]


def call(module: types.ModuleType, table: Table, name: str, **other: Any) -> Any:
    """Calls a function with its valid values, except for `other`."""
    valid = {argument: value for argument, (value, _) in table[name].items()}
    return getattr(module, name)(**valid | other)


def public_functions(module: types.ModuleType) -> set[str]:
    return {name for name in module.__all__ if isinstance(getattr(module, name), types.FunctionType)}


def assert_one_line(module: types.ModuleType, table: Table, name: str, argument: str, wrong: Any) -> None:
    """The call fails with a ContraltoError of one line."""
    with pytest.raises(ContraltoError) as caught:
        call(module, table, name, **{argument: wrong})
    assert str(caught.value).isprintable()
    assert str(caught.value)
