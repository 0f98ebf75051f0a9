"""Rows as a file, in the format that its suffix promises.

    .npz      paths, embeddings, texts, text_embeddings, failed, reasons, contract
    .csv      path, text, and a column a number: e0, e1, ...
    .jsonl    {"path", "embedding"} or {"text", "embedding"} a line, as --json prints them
    .parquet  path, text, and embedding, a list of float32

In CSV and Parquet a picture's row has no text and a text's row no path. A name that is not UTF-8 is escaped there. Only
.npz has place for what failed and for the contract.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from contralto.cli.console import shown
from contralto.errors import ContraltoError, MissingExtraError
from contralto.files import require_file, written_whole
from contralto.search.walk import Unusable

Rows = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Embedded:
    """A unit row for each path and each text, (N, d) and (M, d); what failed; the contract as JSON."""

    paths: list[str]
    images: Rows
    texts: list[str]
    text_rows: Rows
    failures: list[Unusable]
    contract: str

    def each(self) -> Iterator[tuple[str | None, str | None, Rows]]:
        """(path, text, row): one of the two is None."""
        yield from ((path, None, row) for path, row in zip(self.paths, self.images, strict=True))
        yield from ((None, text, row) for text, row in zip(self.texts, self.text_rows, strict=True))


def require_writable(out: Path) -> None:
    """Raises ContraltoError where `write` could not, before the work; MissingExtraError for Parquet without pyarrow."""
    require_file(out)
    if _writer(out) is _parquet:
        _pyarrow()


def write(out: Path, embedded: Embedded) -> None:
    """Writes the file whole. Raises OSError, which names it."""
    writer = _writer(out)
    with written_whole(out) as file:
        writer(file, embedded)


def _npz(file: BinaryIO, embedded: Embedded) -> None:
    arrays = {
        "paths": np.array(embedded.paths, dtype=np.str_),
        "embeddings": embedded.images,
        "texts": np.array(embedded.texts, dtype=np.str_),
        "text_embeddings": embedded.text_rows,
        "failed": np.array([one.path for one in embedded.failures], dtype=np.str_),
        "reasons": np.array([one.reason for one in embedded.failures], dtype=np.str_),
        "contract": np.array(embedded.contract),
    }
    np.savez(file, **arrays)  # type: ignore[arg-type]


def _csv(file: BinaryIO, embedded: Embedded) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", "text", *(f"e{place}" for place in range(embedded.images.shape[1]))])
    for path, said, row in embedded.each():
        table.writerow([path, said, *map(str, row)])  # of a float32: the fewest digits that give it back
    text.detach()


def _json_lines(file: BinaryIO, embedded: Embedded) -> None:
    for path, said, row in embedded.each():
        kind, name = ("text", said) if path is None else ("path", path)
        file.write(json.dumps({kind: name, "embedding": row.tolist()}).encode() + b"\n")


def _parquet(file: BinaryIO, embedded: Embedded) -> None:
    pyarrow, parquet = _pyarrow()
    none = pyarrow.nulls(len(embedded.texts), pyarrow.string()), pyarrow.nulls(len(embedded.paths), pyarrow.string())
    names = [pyarrow.array(map(_utf8, some), pyarrow.string()) for some in (embedded.paths, embedded.texts)]
    numbers = np.concatenate([embedded.images, embedded.text_rows])
    columns = {
        "path": pyarrow.concat_arrays([names[0], none[0]]),
        "text": pyarrow.concat_arrays([none[1], names[1]]),
        "embedding": pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(numbers.ravel()), numbers.shape[1]),
    }
    parquet.write_table(pyarrow.table(columns), file)


WRITERS = {".npz": _npz, ".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}


def _writer(out: Path) -> Any:
    """By the suffix; a pipe or a device promises nothing and gets .npz."""
    if out.exists() and not out.is_file():
        return _npz
    if (writer := WRITERS.get(out.suffix.lower())) is None:
        raise ContraltoError(f"{shown(str(out))}: the suffix tells the format: {', '.join(WRITERS)}")
    return writer


def _utf8(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("writing Parquet", "evaluate") from error
    return pyarrow, parquet
