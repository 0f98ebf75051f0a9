"""Where files of the Hugging Face hub name the classes of a column: a ClassLabel among their features.

It stands in the files' own schema, else in dataset_info.json, else in the head of README.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from contralto.errors import DataError, one_line


def label_names(column: str, schema: Any, folders: Sequence[Path]) -> tuple[str, ...]:
    """The names of the column's classes by index; none if nothing states them.

    schema: of Arrow. folders: where the two other files may lie. Raises DataError if one of them is damaged.
    """
    if names := _names(_marked(schema).get(column)):
        return names
    for folder in folders:
        if (file := folder / "dataset_info.json").is_file():
            features = read_json(file).get("features")
            if isinstance(features, dict) and (names := _names(features.get(column))):
                return names
        if (file := folder / "README.md").is_file() and (names := _in_card(file, column)):
            return names
    return ()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises DataError."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON: {one_line(str(error))}") from error
    if not isinstance(value, dict):
        raise DataError(f"{path} must be an object")
    return value


def _marked(schema: Any) -> Mapping[str, Any]:
    """What the library `datasets` keeps in a schema; nothing if others wrote it."""
    try:
        found = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _in_card(path: Path, column: str) -> tuple[str, ...]:
    """The names in a card's head. Where it describes several configurations they must agree."""
    from huggingface_hub.repocard import metadata_load

    try:
        described = (metadata_load(path) or {}).get("dataset_info")
    except Exception as error:  # whatever the YAML reader, which is not ours, makes of a stranger's file
        raise DataError(f"{path}: its head is not YAML: {one_line(str(error))}") from error
    found = set()
    for configuration in described if isinstance(described, list) else [described]:
        features = configuration.get("features") if isinstance(configuration, dict) else None
        for feature in features if isinstance(features, list) else []:
            if isinstance(feature, dict) and feature.get("name") == column:
                found.add(_names(feature.get("dtype", feature.get("sequence", feature.get("list")))))
    return found.pop() if len(found) == 1 else ()


def _names(feature: object) -> tuple[str, ...]:
    """The names of a ClassLabel, or of a list of them; a card writes them as {"class_label": {"names": {"0": ..}}}."""
    if isinstance(feature, list):
        return _names(feature[0]) if feature else ()
    if not isinstance(feature, dict):
        return ()
    names = feature.get("names")
    if isinstance(names, dict):
        names = [names.get(str(index)) for index in range(len(names))]
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return tuple(names)
    return _names(feature.get("feature", feature.get("class_label")))
