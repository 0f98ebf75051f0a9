"""Strict conversion of frozen dataclasses from and to JSON values. Errors name an unknown, missing or mistyped field.

The field `kind` distinguishes the members of a union of dataclasses.
"""

from __future__ import annotations

import dataclasses
import math
import types
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from contralto.errors import ContractError

T = TypeVar("T")


def to_json(value: Any, *, defaults: bool = True) -> Any:
    """A dataclass tree as dicts, lists and scalars. defaults=False omits fields that have their default value.

    `kind` is never omitted.
    """
    if dataclasses.is_dataclass(value):
        fields = [(f, getattr(value, f.name)) for f in dataclasses.fields(value)]
        shown = [(f.name, v) for f, v in fields if defaults or f.name == "kind" or v != f.default]
        return {name: to_json(v, defaults=defaults) for name, v in shown}
    return [to_json(v, defaults=defaults) for v in value] if isinstance(value, tuple) else value


def from_json(cls: type[T], value: Any, where: str = "contract") -> T:
    """Reads `value` as an instance of the dataclass `cls`; `where` names the place in errors.

    Raises ContractError for an unknown field, a missing one without default, or a value of another type.
    """
    if not isinstance(value, dict):
        raise ContractError(f"{where} must be an object, got {_shown(value)}")
    hints = get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if unknown := sorted(set(value) - set(fields)):
        raise ContractError(f"{where}: unknown field {', '.join(map(repr, unknown))} (known: {', '.join(fields)})")
    absent = (dataclasses.MISSING, dataclasses.MISSING)
    missing = [n for n, f in fields.items() if n not in value and (f.default, f.default_factory) == absent]
    if missing:
        raise ContractError(f"{where}: missing field {', '.join(map(repr, missing))}")
    return cls(**{name: _read(hints[name], given, f"{where}.{name}") for name, given in value.items()})


def _read(hint: Any, value: Any, where: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _read_union(args, value, where)
    if origin is Literal:
        if value not in args or isinstance(value, bool) != isinstance(args[0], bool):
            raise ContractError(f"{where} must be one of {', '.join(map(str, args))}, got {_shown(value)}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise ContractError(f"{where} must be a list, got {_shown(value)}")
        if args[-1] is not Ellipsis and len(value) != len(args):
            raise ContractError(f"{where} must have {len(args)} entries, got {len(value)}")
        return tuple(_read(args[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if origin is dict:  # its values are free
        if not isinstance(value, dict):
            raise ContractError(f"{where} must be an object, got {_shown(value)}")
        return value
    if dataclasses.is_dataclass(hint):
        return from_json(hint, value, where)  # type: ignore[arg-type]
    return _read_scalar(hint, value, where)


def _read_union(args: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in args:
        return None
    options = [a for a in args if a is not type(None)]
    if len(options) == 1:
        return _read(options[0], value, where)
    kinds = {get_args(get_type_hints(option)["kind"])[0]: option for option in options}
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise ContractError(f"{where}.kind must be one of {', '.join(kinds)}, got {_shown(kind)}")
    return from_json(kinds[kind], value, where)


def _read_scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # an integer of more than 308 digits
            number = math.inf
        if not math.isfinite(number):
            raise ContractError(f"{where} must be finite, got {_shown(value)}")
        return number
    if hint in (int, str, bool) and type(value) is hint:
        return value
    raise ContractError(f"{where} must be of type {hint.__name__}, got {_shown(value)}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
