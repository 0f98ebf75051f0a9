"""The two files that keep what was measured: `report.json` for figures and protocols, `items.parquet` for the records.

The records of all outcomes follow each other in the order of `report.json`, which states how many belong to each and
the hash of the file that holds them, so that files of two runs are never mixed up.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from contralto.errors import DataError, MissingExtraError, one_line
from contralto.evaluation.outcome import Column, Figure, Outcome, Records
from contralto.files import require_folder, written_whole
from contralto.version import __version__

VERSION = 1
REPORT, ITEMS = "report.json", "items.parquet"
GROUP = 2**17  # records that are written together: a group costs kilobytes of its own
STRINGS, INTEGERS = ("set", "split", "variant", "item", "direction"), ("text", "label", "predicted", "rank")


@dataclass(frozen=True, eq=False)
class Report:
    """What one model gave. model: facts fit for JSON, `name` and `contract` (its hash) among them. measured: the date,
    as whoever measured states it. version: of the contralto that measured."""

    model: Mapping[str, Any]
    outcomes: tuple[Outcome, ...]
    measured: str = ""
    version: str = __version__


def write(folder: Path, outcomes: Iterable[Outcome], model: Mapping[str, Any], *, measured: str = "") -> Report:
    """Writes `report.json` and `items.parquet` into a folder that exists, and gives what `read` will give.

    Raises DataError if two outcomes have the same set, split and variant; MissingExtraError; OSError.
    """
    report = Report(dict(model), tuple(outcomes), measured)
    seen = set()
    for one in report.outcomes:
        if (place := (one.set, one.split, one.variant)) in seen:
            raise DataError(
                f"{' '.join(filter(None, place))} was measured twice: give each outcome a variant of its own"
            )
        seen.add(place)
    _write_items(folder / ITEMS, report.outcomes)
    stated = {
        "report": VERSION,
        "version": report.version,
        "measured": measured,
        "model": report.model,
        "items": {"file": ITEMS, "sha256": _sha256(folder / ITEMS)},
        "outcomes": [_stated(one) for one in report.outcomes],
    }
    with written_whole(folder / REPORT) as file:
        file.write((json.dumps(stated, separators=(",", ":"), allow_nan=False) + "\n").encode())
    return report


def require(folder: Path) -> None:
    """Raises ContraltoError where `write` could not write a report: to be asked before the work."""
    _pyarrow()
    require_folder(folder)


def read(folder: Path) -> Report:
    """What `write` wrote there.

    Raises DataError for a file that is missing, damaged, foreign or of a newer version; MissingExtraError.
    """
    path = folder / REPORT
    try:
        stated = json.loads(path.read_bytes())
    except OSError as error:
        hint = ": contralto evaluate ... --report writes it"
        raise DataError(f"{path} cannot be read: {error.strerror or error}{hint}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {one_line(str(error))}") from error
    version = stated.get("report") if isinstance(stated, dict) else None
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        why = (
            f"is version {version}, written by a newer contralto" if newer else "is not a report of contralto evaluate"
        )
        raise DataError(f"{path} {why}")
    try:
        counts = [int(one["records"]) for one in stated["outcomes"]]
        records = _read_items(folder / ITEMS, stated["items"]["sha256"], counts)
        outcomes = tuple(_outcome(*pair) for pair in zip(stated["outcomes"], records, strict=True))
        return Report(dict(stated["model"]), outcomes, str(stated["measured"]), str(stated["version"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} is damaged: {type(error).__name__}: {one_line(str(error))}") from error


def _stated(outcome: Outcome) -> dict[str, Any]:
    """An outcome without its records, for JSON, which knows no NaN: a value that is not a number is null."""
    figures = [asdict(one) | {"value": one.value if math.isfinite(one.value) else None} for one in outcome.figures]
    plain = {name: getattr(outcome, name) for name in ("set", "split", "task", "variant")}
    rest = {"protocol": dict(outcome.protocol), "classes": outcome.classes, "failures": dict(outcome.failures)}
    return plain | {"figures": figures} | rest | {"records": len(outcome.records)}


def _outcome(stated: dict[str, Any], records: Records) -> Outcome:
    figures = tuple(Figure(**one | {"value": _float(one["value"])}) for one in stated["figures"])
    plain = {name: str(stated[name]) for name in ("set", "split", "task", "variant")}
    classes, failures = tuple(map(str, stated["classes"])), dict(stated["failures"])
    return Outcome(
        **plain, figures=figures, protocol=stated["protocol"], records=records, classes=classes, failures=failures
    )


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _write_items(path: Path, outcomes: Sequence[Outcome]) -> None:
    pyarrow, parquet = _pyarrow()
    strings, integers = ((name, pyarrow.string()) for name in STRINGS), ((name, pyarrow.int64()) for name in INTEGERS)
    scores = ("scores", pyarrow.list_(pyarrow.float32()))
    schema = pyarrow.schema([*strings, *integers, ("confidence", pyarrow.float64()), scores])
    waiting: list[Any] = []
    with written_whole(path) as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for one in outcomes:
            records, n = one.records, len(one.records)
            columns: dict[str, Any] = {name: [getattr(one, name)] * n for name in ("set", "split", "variant")}
            columns |= {"item": _utf8(records.key), "direction": records.direction.tolist()}
            columns |= {name: np.asarray(getattr(records, name), np.int64) for name in INTEGERS}
            columns |= {"confidence": np.asarray(records.confidence, np.float64)}
            columns |= {"scores": [None] * n if records.scores is None else list(records.scores)}
            waiting.append(pyarrow.table(columns, schema=schema))
            if sum(map(len, waiting)) >= GROUP:
                writer.write_table(pyarrow.concat_tables(waiting))
                waiting = []
        writer.write_table(pyarrow.concat_tables([schema.empty_table(), *waiting]))


def _read_items(path: Path, sha256: str, counts: list[int]) -> list[Records]:
    pyarrow, parquet = _pyarrow()
    try:
        found = _sha256(path)
        if found != sha256:
            raise DataError(f"{path} is not the file that {REPORT} beside it was written with: measure again")
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read: {one_line(str(error))}") from error
    if sum(counts) != len(table):
        raise ValueError(f"{sum(counts)} records are stated and {len(table)} are there")
    starts = np.cumsum([0, *counts])
    return [_records(table.slice(start, n)) for start, n in zip(starts.tolist(), counts, strict=False)]


def _records(rows: Any) -> Records:
    """The records of one outcome. Columns of texts are arrays of objects."""
    column = {name: rows.column(name).to_numpy() for name in rows.column_names if name != "scores"}
    scores = rows.column("scores")
    table = None
    if len(rows) and not scores.null_count:
        flat = np.concatenate([chunk.flatten().to_numpy(zero_copy_only=False) for chunk in scores.chunks])
        table = flat.reshape(len(rows), -1)
    numbers = {name: column[name] for name in (*INTEGERS, "confidence")}
    return Records(key=column["item"], direction=column["direction"], scores=table, **numbers)


def _utf8(names: Column) -> list[str]:
    """Names as Parquet can hold them: what is not UTF-8 in a file's name is escaped."""
    return [str(name).encode("utf-8", "backslashreplace").decode() for name in names]


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("keeping records", "evaluate") from error
    return pyarrow, parquet
