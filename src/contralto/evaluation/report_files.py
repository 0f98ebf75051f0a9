"""The two files of a stored report: `report.json` for figures and protocols, `items.parquet` for the records.

The records of all outcomes follow each other in the order of `report.json`, which states how many belong to each and
the hash of the file that holds them, so that the files of two runs are never mixed up.
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
from contralto.evaluation.condition import Condition, condition_of
from contralto.evaluation.outcome import BoxExample, Column, Corners, Figure, Outcome, Records
from contralto.files import require_folder, written_whole
from contralto.version import __version__

REPORT_VERSION = 1
REPORT_FILE, RECORDS_FILE = "report.json", "items.parquet"
ROW_GROUP = 2**17  # records of a Parquet row group, each of which costs kilobytes
TEXT_COLUMNS, INTEGER_COLUMNS = ("set", "split", "variant", "item", "direction"), ("text", "label", "predicted", "rank")


@dataclass(frozen=True, eq=False)
class EvaluationReport:
    """The outcomes of one model.

    model: facts ready for JSON, `name` and `contract` (its hash) among them. measured: the date. version: of Contralto
    when it measured.
    """

    model: Mapping[str, Any]
    outcomes: tuple[Outcome, ...]
    measured: str = ""
    version: str = __version__


def write(
    folder: Path, outcomes: Iterable[Outcome], model: Mapping[str, Any], *, measured: str = ""
) -> EvaluationReport:
    """Writes `report.json` and `items.parquet` into an existing folder, and returns what `read` will return.

    Raises DataError if two outcomes have the same set, split and variant; MissingExtraError; OSError.
    """
    report = EvaluationReport(dict(model), tuple(outcomes), measured)
    seen = set()
    for one in report.outcomes:
        if one.identity in seen:
            place = " ".join(filter(None, one.identity))
            raise DataError(f"{place} was measured twice: give each outcome a condition of its own")
        seen.add(one.identity)
    _write_items(folder / RECORDS_FILE, report.outcomes)
    stated = {
        "report": REPORT_VERSION,
        "version": report.version,
        "measured": measured,
        "model": report.model,
        "items": {"file": RECORDS_FILE, "sha256": _sha256(folder / RECORDS_FILE)},
        "outcomes": [_stated(one) for one in report.outcomes],
    }
    with written_whole(folder / REPORT_FILE) as file:
        file.write((json.dumps(stated, separators=(",", ":"), allow_nan=False) + "\n").encode())
    return report


def require(folder: Path) -> None:
    """Raises ContraltoError if `write` could not write a report. Call it before the work."""
    _pyarrow()
    require_folder(folder)


def read(folder: Path) -> EvaluationReport:
    """The report that `write` wrote.

    Raises DataError for a file that is missing, damaged, foreign or of a newer version; MissingExtraError.
    """
    path = folder / REPORT_FILE
    try:
        stated = json.loads(path.read_bytes())
    except OSError as error:
        hint = ": contralto evaluate ... --report writes it"
        raise DataError(f"{path} cannot be read: {error.strerror or error}{hint}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {one_line(str(error))}") from error
    version = stated.get("report") if isinstance(stated, dict) else None
    if version != REPORT_VERSION:
        newer = isinstance(version, int) and version > REPORT_VERSION
        why = (
            f"is version {version}, written by a newer contralto" if newer else "is not a report of contralto evaluate"
        )
        raise DataError(f"{path} {why}")
    try:
        counts = [int(one["records"]) for one in stated["outcomes"]]
        records = _read_items(folder / RECORDS_FILE, stated["items"]["sha256"], counts)
        outcomes = tuple(_read_outcome(*pair) for pair in zip(stated["outcomes"], records, strict=True))
        return EvaluationReport(dict(stated["model"]), outcomes, str(stated["measured"]), str(stated["version"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} is damaged: {type(error).__name__}: {one_line(str(error))}") from error


def _stated(outcome: Outcome) -> dict[str, Any]:
    """An outcome without its records, for JSON. JSON has no NaN, so a value that is not a number is null."""
    figures = [asdict(one) | {"value": one.value if math.isfinite(one.value) else None} for one in outcome.figures]
    plain = {name: getattr(outcome, name) for name in ("set", "split", "task", "variant")}
    rest = {"protocol": dict(outcome.protocol), "classes": outcome.classes, "failures": dict(outcome.failures)}
    counted = {"records": len(outcome.records), "condition": asdict(outcome.condition)}
    shown = {"examples": outcome.examples} if outcome.examples else {}
    return plain | {"figures": figures} | rest | counted | shown


def _read_outcome(stated: dict[str, Any], records: Records) -> Outcome:
    figures = tuple(Figure(**one | {"value": _float(one["value"])}) for one in stated["figures"])
    return Outcome(
        set=str(stated["set"]),
        split=str(stated["split"]),
        task=str(stated["task"]),
        condition=_read_condition(stated),
        figures=figures,
        protocol=stated["protocol"],
        records=records,
        classes=tuple(map(str, stated["classes"])),
        failures=dict(stated["failures"]),
        examples=tuple(_read_example(*one) for one in stated.get("examples", ())),
    )


def _read_example(key: str, true: list[Any], detected: list[Any]) -> BoxExample:
    """JSON knows lists alone."""

    def corners(box: list[Any]) -> Corners:
        x0, y0, x1, y1 = map(float, box)
        return x0, y0, x1, y1

    there = tuple((str(label), corners(box)) for label, box in true)
    return BoxExample(
        str(key), there, tuple((str(label), float(score), corners(box)) for label, score, box in detected)
    )


def _read_condition(stated: dict[str, Any]) -> Condition:
    """The condition; reports from before it was stored have only its display name."""
    if "condition" not in stated:
        return condition_of(str(stated["variant"]))
    return Condition(**stated["condition"])


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _write_items(path: Path, outcomes: Sequence[Outcome]) -> None:
    pyarrow, parquet = _pyarrow()
    strings, integers = (
        ((name, pyarrow.string()) for name in TEXT_COLUMNS),
        ((name, pyarrow.int64()) for name in INTEGER_COLUMNS),
    )
    scores = ("scores", pyarrow.list_(pyarrow.float32()))
    schema = pyarrow.schema([*strings, *integers, ("confidence", pyarrow.float64()), scores])
    queue: list[Any] = []
    with written_whole(path) as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for one in outcomes:
            records, n = one.records, len(one.records)
            columns: dict[str, Any] = {name: [getattr(one, name)] * n for name in ("set", "split", "variant")}
            columns |= {"item": _utf8(records.key), "direction": records.direction.tolist()}
            columns |= {name: np.asarray(getattr(records, name), np.int64) for name in INTEGER_COLUMNS}
            columns |= {"confidence": np.asarray(records.confidence, np.float64)}
            columns |= {"scores": [None] * n if records.scores is None else list(records.scores)}
            queue.append(pyarrow.table(columns, schema=schema))
            if sum(map(len, queue)) >= ROW_GROUP:
                writer.write_table(pyarrow.concat_tables(queue))
                queue = []
        writer.write_table(pyarrow.concat_tables([schema.empty_table(), *queue]))


def _read_items(path: Path, sha256: str, counts: list[int]) -> list[Records]:
    pyarrow, parquet = _pyarrow()
    try:
        if _sha256(path) != sha256:
            raise DataError(f"{path} does not belong to the {REPORT_FILE} next to it: measure again")
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read: {one_line(str(error))}") from error
    if sum(counts) != len(table):
        raise ValueError(f"{sum(counts)} records are stated, but the table has {len(table)}")
    starts = np.cumsum([0, *counts])
    return [_records(table.slice(start, n)) for start, n in zip(starts.tolist(), counts, strict=False)]


def _records(rows: Any) -> Records:
    """The records of one outcome, from its rows of the table."""
    column = {name: rows.column(name).to_numpy() for name in rows.column_names if name != "scores"}
    scores = rows.column("scores")
    matrix = None
    if len(rows) and not scores.null_count:
        flat = np.concatenate([chunk.flatten().to_numpy(zero_copy_only=False) for chunk in scores.chunks])
        matrix = flat.reshape(len(rows), -1)
    numbers = {name: column[name] for name in (*INTEGER_COLUMNS, "confidence")}
    return Records(key=column["item"], direction=column["direction"], scores=matrix, **numbers)


def _utf8(names: Column) -> list[str]:
    """Names as Parquet can hold them: bytes of a file name that are not UTF-8 are escaped."""
    return [str(name).encode("utf-8", "backslashreplace").decode() for name in names]


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("storing records", "evaluate") from error
    return pyarrow, parquet
