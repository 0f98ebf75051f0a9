"""Class names, or texts about each class, of the user's own: read from a file, and put in the place of a set's."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from contralto.errors import DataError, one_line
from contralto.files import text_of
from contralto.sets.data_set import Class

ClassNames: TypeAlias = Sequence[str | tuple[str, Sequence[str]] | Class] | Mapping[str, Sequence[str]]
"""By index: a name, a name with its synonyms, or a whole class. By name: the texts of each class."""


def read_classes(path: str | os.PathLike[str]) -> tuple[Class, ...] | dict[str, tuple[str, ...]]:
    """The classes by index: a UTF-8 file with a name a line, or a JSON list of names or of [name, [synonyms]].

    A JSON object is by name instead: class -> text or list of texts, such as descriptions. Raises DataError.
    """
    where = one_line(os.fspath(path), 200)
    text = text_of(path, "classes file")
    if not text.lstrip().startswith(("[", "{")):
        return _checked([line.strip() for line in text.splitlines() if line.strip()], where)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"classes file {where} is not JSON: {error}") from error
    if isinstance(value, list):
        return _checked(value, where)
    return {name: _texts([texts] if isinstance(texts, str) else texts, where, name) for name, texts in value.items()}


def renamed(known: tuple[Class, ...], given: ClassNames, where: str) -> tuple[tuple[Class, ...], bool]:
    """The classes of a set with the given names, and whether those are whole texts rather than names.

    By index where a sequence was given. A mapping goes by the names or folders of `known`, or by its own order if the
    set names none. known: empty if it does not. Folders and groups are kept.
    Raises DataError for another number of classes than the set has, and for a name that it does not have.
    """
    if isinstance(given, Mapping):
        texts = {name: _texts(listed, where, name) for name, listed in given.items()}
        _check_count(known, len(texts), where)
        return tuple(_by_name(known, texts, where)), True
    classes = _checked(given, where)
    _check_count(known, len(classes), where)
    return tuple(_put(*pair) for pair in zip(known or classes, classes, strict=True)), False


def _check_count(known: tuple[Class, ...], given: int, where: str) -> None:
    if known and given != len(known):
        raise DataError(f"{where} has {len(known)} classes, but {given} are given")


def _put(old: Class, new: Class) -> Class:
    return Class(new.name, new.names, new.folder or old.folder, new.group or old.group)


def _by_name(known: tuple[Class, ...], texts: Mapping[str, tuple[str, ...]], where: str) -> list[Class]:
    if not known:
        return [Class(name, listed) for name, listed in texts.items()]
    found = []
    for old in known:
        listed = texts.get(old.name, texts.get(old.folder))
        if listed is None:
            raise DataError(f"{where}: nothing is given for the class {one_line(old.name, 80)!r}")
        found.append(Class(old.name, listed, old.folder, old.group))
    return found


def _checked(given: Sequence[Any], where: str) -> tuple[Class, ...]:
    """Raises DataError for anything but a name, a name with synonyms, or a class; and for no class at all."""
    found = []
    for number, entry in enumerate(given):
        if isinstance(entry, Class):
            found.append(entry)
        elif isinstance(entry, str) and entry:
            found.append(Class(entry))
        elif isinstance(entry, tuple | list) and len(entry) == 2 and isinstance(entry[0], str) and entry[0]:
            found.append(Class(entry[0], _texts(entry[1], where, entry[0])))
        else:
            raise DataError(f"{where}: class {number} must be a name, or a name with a list of synonyms")
    if not found:
        raise DataError(f"{where} names no class")
    return tuple(found)


def _texts(given: object, where: str, name: str) -> tuple[str, ...]:
    if not isinstance(given, tuple | list) or not given or not all(isinstance(text, str) and text for text in given):
        raise DataError(f"{where}: the class {one_line(name, 80)!r} needs a list of texts")
    return tuple(given)
