"""Class names in files of the Hugging Face hub: the feature `ClassLabel` of a column.

It is in the file's schema, else in dataset_info.json, else in the YAML head of README.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from contralto.errors import DataError, one_line


def label_names(column: str, schema: Any, folders: Sequence[Path]) -> tuple[str, ...]:
    """The names of the column's classes by index; empty if no file states them.

    schema: an Arrow schema. folders: may hold the two other files. Raises DataError if one of these is damaged.
    """
    if names := _names(_schema_features(schema).get(column)):
        return names
    for folder in folders:
        if (file := folder / "dataset_info.json").is_file():
            features = read_json(file).get("features")
            if isinstance(features, dict) and (names := _names(features.get(column))):
                return names
        if (file := folder / "README.md").is_file() and (names := _card_names(file, column)):
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


def _schema_features(schema: Any) -> Mapping[str, Any]:
    """The features that the library `datasets` writes into a schema; empty if another program wrote the file."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _card_names(path: Path, column: str) -> tuple[str, ...]:
    """The names in the head of a dataset card; empty if its configurations do not agree."""
    from huggingface_hub.repocard import metadata_load

    try:
        info = (metadata_load(path) or {}).get("dataset_info")
    except Exception as error:  # the YAML reader may raise any exception on a damaged file
        raise DataError(f"{path}: its head is not YAML: {one_line(str(error))}") from error
    candidates = set()
    for configuration in info if isinstance(info, list) else [info]:
        features = configuration.get("features") if isinstance(configuration, dict) else None
        for feature in features if isinstance(features, list) else []:
            if isinstance(feature, dict) and feature.get("name") == column:
                candidates.add(_names(feature.get("dtype", feature.get("sequence", feature.get("list")))))
    return candidates.pop() if len(candidates) == 1 else ()


def _names(feature: object) -> tuple[str, ...]:
    """The names of a ClassLabel, or of a list of ClassLabel. A card has {"class_label": {"names": {"0": ...}}}."""
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
