"""The log of a run: one JSON object per line, one line per step."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contralto.errors import DataError
from contralto.files import written_whole


class Log:
    """Appends to `path`. Opening drops the lines after `step`, such as the end of a killed run.

    A line describes a step, or holds "validation". `validated`: the last step with a validation line, -1 for none.
    Raises DataError if the file cannot be written.
    """

    def __init__(self, path: Path, step: int) -> None:
        earlier = [line for line in _lines(path) if line["step"] <= step]
        self.validated = max((line["step"] for line in earlier if "validation" in line), default=-1)
        self._path = path
        with self._named(), written_whole(path) as file:
            file.write("".join(json.dumps(line) + "\n" for line in earlier).encode())
        with self._named():
            self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115 (closed by __exit__)

    def write(self, figures: dict[str, object]) -> None:
        """Appends one line; `figures["step"]` is the number of completed steps."""
        with self._named():
            self._file.write(json.dumps(figures) + "\n")
            self._file.flush()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):  # closing repeats a write that failed
            self._file.close()

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Adds the file's name to errors of the disk; Python's own lack it when a write fails."""
        try:
            yield
        except OSError as error:
            raise DataError(f"{self._path} cannot be written: {(error.strerror or str(error)).lower()}") from error


def _lines(path: Path) -> list[dict[str, Any]]:
    """The complete lines; a killed process may leave an incomplete last line."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            break
        lines.append(line)
    return lines
