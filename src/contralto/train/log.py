"""The figures of a run, one JSON object a line and a step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contralto.files import written_whole


class Log:
    """Appends to `path`. Opening it drops what lies after `step` steps, such as the end of a run that was killed.

    A line is of a step, or holds "validation". `validated`: the last step that has such a line, -1 for none.
    """

    def __init__(self, path: Path, step: int) -> None:
        kept = [line for line in _lines(path) if line["step"] <= step]
        self.validated = max((line["step"] for line in kept if "validation" in line), default=-1)
        with written_whole(path) as file:
            file.write("".join(json.dumps(line) + "\n" for line in kept).encode())
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115 (closed by __exit__)

    def write(self, figures: dict[str, object]) -> None:
        """Appends one line; `figures["step"]` counts the steps done."""
        self._file.write(json.dumps(figures) + "\n")
        self._file.flush()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines that are whole; a killed process may leave half of one."""
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
