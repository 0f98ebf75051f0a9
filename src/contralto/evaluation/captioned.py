"""Reads files of pictures with captions to score: CSV with a header line, or JSON lines.

    path,text,references
    a.jpg,a dog,"[""a brown dog"", ""a puppy""]"

    {"path": "a.jpg", "text": "a dog", "references": ["a brown dog", "a puppy"]}

`references` is optional. It is a text or a list of texts; within CSV a list is written as JSON. Paths are relative to
the folder of the file.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contralto.errors import DataError, one_line


@dataclass(frozen=True)
class CaptionedPicture:
    """A picture, the caption to score, and its reference captions, which people wrote."""

    path: str
    text: str
    references: tuple[str, ...] = ()


def read(path: str | os.PathLike[str]) -> list[CaptionedPicture]:
    """All lines of the file, in order. Raises DataError, which names file and line."""
    file = Path(path)
    readers = {".csv": _csv, ".jsonl": _json_lines}
    if file.suffix.lower() not in readers:
        raise DataError(f"{_shown(file)} is neither .csv nor .jsonl: the suffix tells how it is read")
    try:
        entries = [_captioned(value, file, line) for line, value in readers[file.suffix.lower()](file)]
    except OSError as error:
        raise DataError(f"{_shown(file)}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{_shown(file)} is not UTF-8 text") from error
    except csv.Error as error:
        raise DataError(f"{_shown(file)} is not CSV: {error}") from error
    if not entries:
        raise DataError(f"{_shown(file)} holds no captions")
    return entries


def _csv(file: Path) -> Iterator[tuple[int, Any]]:
    with open(file, encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        for row in reader:
            references: Any = row.get("references") or []
            if isinstance(references, str) and references.lstrip().startswith("["):
                references = _parsed(references, file, reader.line_num)
            yield reader.line_num, {**row, "references": references}


def _json_lines(file: Path) -> Iterator[tuple[int, Any]]:
    with open(file, encoding="utf-8-sig") as stream:
        for line, text in enumerate(stream, 1):
            if text.strip():
                yield line, _parsed(text, file, line)


def _parsed(text: str, file: Path, line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{_shown(file)}, line {line} is not JSON: {one_line(str(error), 100)}") from error


def _captioned(value: Any, file: Path, line: int) -> CaptionedPicture:
    given = value if isinstance(value, dict) else {}
    path, text, references = given.get("path"), given.get("text"), given.get("references") or []
    several = [references] if isinstance(references, str) else references
    if not isinstance(several, list) or not all(isinstance(one, str) for one in (path, text, *several)):
        raise DataError(f"{_shown(file)}, line {line}: `path` and `text` are needed, `references` is a list of texts")
    where = str(path) if "://" in str(path) else str(file.parent / str(path))  # an address is refused as it stands
    return CaptionedPicture(where, str(text), tuple(several))


def _shown(file: Path) -> str:
    return one_line(str(file), 200)
