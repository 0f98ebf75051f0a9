"""Embeddings as a file. The suffix of the file selects the format:

    .npz      paths, embeddings, texts, text_embeddings, failed, reasons, contract
    .csv      path, text, and one column per number: e0, e1, ...
    .jsonl    one object per line, as --json prints it: {"path", "embedding"} or {"text", "embedding"}
    .parquet  path, text, and embedding, a list of float32

In CSV and Parquet, the row of a picture has no text, and the row of a text has no path. These two formats escape names
that are not UTF-8. Only .npz can store the failures and the contract.
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

from contralto.cli.console import printable
from contralto.embeddings import Embeddings
from contralto.errors import ContraltoError, MissingExtraError
from contralto.files import require_file, written_whole
from contralto.search.walk import UnusableFile


@dataclass(frozen=True, eq=False)
class EmbeddingTable:
    """Embeddings of the paths (N, d) and of the texts (M, d), the failures, and the contract as JSON."""

    paths: list[str]
    image_embeddings: Embeddings
    texts: list[str]
    text_embeddings: Embeddings
    failures: list[UnusableFile]
    contract: str

    def rows(self) -> Iterator[tuple[str | None, str | None, Embeddings]]:
        """(path, text, embedding) for each picture, then for each text; the unused name is None."""
        yield from ((path, None, vector) for path, vector in zip(self.paths, self.image_embeddings, strict=True))
        yield from ((None, text, vector) for text, vector in zip(self.texts, self.text_embeddings, strict=True))


def require_writable(out: Path) -> None:
    """Checks, before the work, that `write` can write this file.

    Raises ContraltoError if it cannot; MissingExtraError for Parquet without pyarrow.
    """
    require_file(out)
    if _writer(out) is _parquet:
        _pyarrow()


def write(out: Path, table: EmbeddingTable) -> None:
    """Writes the whole file or nothing. Raises OSError, which names the file."""
    writer = _writer(out)
    with written_whole(out) as file:
        writer(file, table)


def _npz(file: BinaryIO, table: EmbeddingTable) -> None:
    arrays = {
        "paths": np.array(table.paths, dtype=np.str_),
        "embeddings": table.image_embeddings,
        "texts": np.array(table.texts, dtype=np.str_),
        "text_embeddings": table.text_embeddings,
        "failed": np.array([failure.path for failure in table.failures], dtype=np.str_),
        "reasons": np.array([failure.reason for failure in table.failures], dtype=np.str_),
        "contract": np.array(table.contract),
    }
    np.savez(file, **arrays)  # type: ignore[arg-type]


def _csv(file: BinaryIO, table: EmbeddingTable) -> None:
    stream = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["path", "text", *(f"e{index}" for index in range(table.image_embeddings.shape[1]))])
    for path, text, vector in table.rows():
        writer.writerow([path, text, *map(str, vector)])  # str of a float32: the shortest digits that restore it
    stream.detach()


def _json_lines(file: BinaryIO, table: EmbeddingTable) -> None:
    for path, text, vector in table.rows():
        kind, name = ("text", text) if path is None else ("path", path)
        file.write(json.dumps({kind: name, "embedding": vector.tolist()}).encode() + b"\n")


def _parquet(file: BinaryIO, table: EmbeddingTable) -> None:
    pyarrow, parquet = _pyarrow()
    none = pyarrow.nulls(len(table.texts), pyarrow.string()), pyarrow.nulls(len(table.paths), pyarrow.string())
    names = [pyarrow.array(map(_utf8, some), pyarrow.string()) for some in (table.paths, table.texts)]
    numbers = np.concatenate([table.image_embeddings, table.text_embeddings])
    columns = {
        "path": pyarrow.concat_arrays([names[0], none[0]]),
        "text": pyarrow.concat_arrays([none[1], names[1]]),
        "embedding": pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(numbers.ravel()), numbers.shape[1]),
    }
    parquet.write_table(pyarrow.table(columns), file)


WRITER_BY_SUFFIX = {".npz": _npz, ".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}


def _writer(out: Path) -> Any:
    """The writer for the suffix. A pipe or a device gets .npz, whatever its name."""
    if out.exists() and not out.is_file():
        return _npz
    if (writer := WRITER_BY_SUFFIX.get(out.suffix.lower())) is None:
        suffixes = ", ".join(WRITER_BY_SUFFIX)
        raise ContraltoError(f"{printable(str(out))}: the suffix selects the format: {suffixes}")
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
