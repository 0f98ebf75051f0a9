"""Class names, or texts for each class, from a user's file: they replace the class names of a data set."""

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
    """Reads classes by index: a UTF-8 file with one name per line, or a JSON list of names or of [name, [synonyms]].

    A JSON object is read by name: class -> text or list of texts, such as descriptions. Raises DataError.
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


def rename_classes(old_classes: tuple[Class, ...], names: ClassNames, where: str) -> tuple[tuple[Class, ...], bool]:
    """The classes of a data set with new names, and whether the new names are whole texts.

    old_classes: the classes of the data set; empty if it names none. A sequence of names is matched by index. A mapping
    is matched by the old names or folders; if the data set has no names, the order of the mapping is the order of the
    classes. Folders and groups stay. Raises DataError if the number of classes differs, or if the mapping lacks a
    class.
    """
    if isinstance(names, Mapping):
        texts = {name: _texts(listed, where, name) for name, listed in names.items()}
        _check_count(old_classes, len(texts), where)
        return tuple(_by_name(old_classes, texts, where)), True
    classes = _checked(names, where)
    _check_count(old_classes, len(classes), where)
    return tuple(_with_names(*pair) for pair in zip(old_classes or classes, classes, strict=True)), False


def _check_count(old_classes: tuple[Class, ...], count: int, where: str) -> None:
    if old_classes and count != len(old_classes):
        raise DataError(f"{where} has {len(old_classes)} classes, but {count} are given")


def _with_names(old: Class, new: Class) -> Class:
    return Class(new.name, new.names, new.folder or old.folder, new.group or old.group)


def _by_name(old_classes: tuple[Class, ...], texts: Mapping[str, tuple[str, ...]], where: str) -> list[Class]:
    if not old_classes:
        return [Class(name, listed) for name, listed in texts.items()]
    classes = []
    for old in old_classes:
        listed = texts.get(old.name, texts.get(old.folder))
        if listed is None:
            raise DataError(f"{where}: nothing is given for the class {one_line(old.name, 80)!r}")
        classes.append(Class(old.name, listed, old.folder, old.group))
    return classes


def _checked(entries: Sequence[Any], where: str) -> tuple[Class, ...]:
    """Raises DataError if an entry is not a name, a name with synonyms, or a class; and if there is no entry."""
    classes = []
    for number, entry in enumerate(entries):
        if isinstance(entry, Class):
            classes.append(entry)
        elif isinstance(entry, str) and entry:
            classes.append(Class(entry))
        elif isinstance(entry, tuple | list) and len(entry) == 2 and isinstance(entry[0], str) and entry[0]:
            classes.append(Class(entry[0], _texts(entry[1], where, entry[0])))
        else:
            raise DataError(f"{where}: class {number} must be a name, or a name with a list of synonyms")
    if not classes:
        raise DataError(f"{where} names no class")
    return tuple(classes)


def _texts(texts: object, where: str, name: str) -> tuple[str, ...]:
    if not isinstance(texts, tuple | list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise DataError(f"{where}: the class {one_line(name, 80)!r} needs a list of texts")
    return tuple(texts)
