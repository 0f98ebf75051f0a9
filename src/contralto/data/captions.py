"""A folder of pictures with a CSV of captions: columns `path` and `caption`, a row for each caption of a picture."""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath

from contralto.data.source import Sample
from contralto.errors import DataError


class CsvCaptions:
    """`folder/file`, UTF-8 with a header; other columns are ignored. Paths are relative to the folder and stay in it.

    A `Source`. Raises DataError for a table that is missing, damaged or laid out differently; whether the pictures are
    there shows when they are decoded.
    """

    def __init__(self, folder: str | Path, file: str = "captions.csv") -> None:
        self.folder = Path(folder)
        self.name = self.folder.name
        self.skipped: dict[str, int] = {}
        captions: dict[str, list[str]] = {}
        for line, path, caption in _rows(self.folder / file):
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or not path:
                raise DataError(f"{self.folder / file} line {line}: path {path!r} must lie within the folder")
            if caption.strip():
                captions.setdefault(path, []).append(caption.strip())
            else:
                self.skipped["no caption"] = self.skipped.get("no caption", 0) + 1
        if not captions:
            raise DataError(f"{self.folder / file} holds no captions")
        self._samples = [(path, tuple(texts)) for path, texts in captions.items()]

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        path, captions = self._samples[index]
        return Sample(self.folder / path, captions, path)


def _rows(path: Path) -> list[tuple[int, str, str]]:
    """(line, path, caption) of each row."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if missing := {"path", "caption"} - set(reader.fieldnames or ()):
                there = ", ".join(reader.fieldnames or ()) or "none"
                raise DataError(f"{path} has no column {' and no '.join(sorted(missing))} (its columns: {there})")
            rows = [(reader.line_num, row["path"], row["caption"]) for row in reader]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a CSV in UTF-8: {error}") from error
    if short := next((line for line, _, caption in rows if caption is None), None):
        raise DataError(f"{path} line {short}: the row has too few columns")
    return rows
