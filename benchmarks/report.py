"""The results of a contest: a table, or with --json an object per line; and whether ours are within their bounds."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from contest import Contest, Kind, Result
from machine import Disturbance, described

TowerName = Literal["image", "text"]

BUSY_SHARE = 0.1
# Lowest cosine of an embedding to the reference: precision of the computation -> (pictures, texts). A precision that
# auto chooses must be closer than one that the user requests.
BOUNDS = {"fp32": (0.99999, 0.99999), "bf16": (0.999, 0.9999), "fp16": (0.999, 0.9999), "int8": (0.99, 0.999)}
AUTO_BOUNDS = {"int8": (0.999, 0.999)}


@dataclass(frozen=True)
class Row:
    """One contender in the table. operations: of the plain tower for one item; None if they have no meaning here."""

    name: str
    kind: Kind
    rate: float
    precision: str
    operations: float | None
    cosines: np.ndarray | None
    bound: float

    @property
    def holds(self) -> bool:
        return self.cosines is None or bool(self.cosines.min() >= self.bound)


def bound(name: str, tower: TowerName, precision: str) -> float:
    of = AUTO_BOUNDS if "auto" in name and precision in AUTO_BOUNDS else BOUNDS
    return of[precision][0 if tower == "image" else 1]


def cosines(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Cosines (N,) of unit vectors (N, d) and (N, d), pair by pair."""
    return np.einsum("nd,nd->n", rows.astype(np.float64), others.astype(np.float64))


def reference(names: Sequence[str]) -> str | None:
    """The contender that counts as correct: an independent implementation in float32, otherwise our plain one."""
    wanted = ("transformers", "open_clip", "contralto eager", "contralto fp32")
    return next((name for want in wanted for name in names if name.startswith(want) and "bf16" not in name), None)


class Report:
    """Prints the results at once. `broken` collects our results that are outside their bounds."""

    def __init__(self, options: argparse.Namespace, peaks: dict[str, float]) -> None:
        self._json, self.peaks = options.json, peaks
        self.broken: list[str] = []

    def say(self, line: str = "") -> None:
        """Prints a line for people: on stdout, or on stderr with --json."""
        print(line, file=sys.stderr if self._json else sys.stdout, flush=True)

    def head(self, contest: Contest, *remarks: str) -> None:
        """Prints the machine, its limit, and the contenders."""
        self.say(described())
        self.warn(contest.others)
        if self.peaks:
            limits = ", ".join(f"{name} {rate / 1e9:.0f}" for name, rate in self.peaks.items())
            self.say(f"matrix peak, GFLOP/s: {limits}")
        for name, worker in contest.workers.items():
            self.say(f"  {name}: {worker.about}")
        for remark in remarks:
            self.say(remark)

    def warn(self, others: Disturbance) -> None:
        if others.part > BUSY_SHARE:
            self.say(
                f"BUSY MACHINE: other processes used {others.part:.0%} of it between turns; run again when it is idle"
            )

    def absent(self, contest: Contest) -> None:
        for name, reason in contest.absent.items():
            self.say(f"absent: {name}: {reason}")

    def rates(self, title: str, unit: str, rows: list[Row]) -> None:
        """Items per second. "ratio": to the fastest baseline; "alike": to the fastest peer in the same precision."""
        baseline = max((row.rate for row in rows if row.kind == "baseline"), default=None)
        width = max([len(row.name) for row in rows] + [9])
        self.say(f"\n{title}")
        heads = f"{unit:>12}{'ratio':>9}{'alike':>9}{'precision':>11}{'GFLOP/s':>9}{'of peak':>9}"
        self.say(f"{'contender':{width}}{heads}{'least cosine':>14}{'bound':>9}")
        for row in rows:
            self.say(self._line(row, rows, baseline, width))
            if self._json:
                print(json.dumps(self._object(title, unit, row, rows)), flush=True)
            if row.kind == "ours" and not row.holds:
                assert row.cosines is not None
                self.broken.append(f"{title}, {row.name}: cosine {row.cosines.min():.6f} is below {row.bound}")

    def _line(self, row: Row, rows: list[Row], baseline: float | None, width: int) -> str:
        alike = [other.rate for other in rows if other.kind != "ours" and other.precision == row.precision]
        fraction = self._fraction(row)
        cells = [
            f"{row.rate:12.1f}",
            f"{row.rate / baseline:8.2f}x" if baseline else f"{'-':>9}",
            f"{row.rate / max(alike):8.2f}x" if alike and row.kind == "ours" else f"{'-':>9}",
            f"{row.precision:>11}",
            f"{row.rate * row.operations / 1e9:9.0f}" if row.operations else f"{'-':>9}",
            f"{fraction:9.0%}" if fraction else f"{'-':>9}",
            f"{'reference' if row.cosines is None else f'{row.cosines.min():.6f}':>14}",
            f"{row.bound:9}" if row.kind == "ours" else f"{'-':>9}",
            "" if row.holds or row.kind != "ours" else "  OUTSIDE",
        ]
        return f"{row.name:{width}}" + "".join(cells)

    def _fraction(self, row: Row) -> float | None:
        if not row.operations or row.precision not in self.peaks:
            return None
        return row.rate * row.operations / self.peaks[row.precision]

    def _object(self, title: str, unit: str, row: Row, rows: list[Row]) -> dict[str, object]:
        """peak: the rate at the matrix peak, in the unit of the row. peers: for our rows, the values of all others."""
        fraction = self._fraction(row)
        others = {other.name: round(other.rate, 2) for other in rows if other.kind != "ours"}
        return {
            "what": f"{title}, {row.name}",
            "value": round(row.rate, 2),
            "unit": unit,
            "peak": round(row.rate / fraction, 2) if fraction else None,
            "fraction": round(fraction, 4) if fraction else None,
            "peers": others if row.kind == "ours" else {},
        }

    def end(self, contest: Contest | None = None) -> None:
        """Exits 1 if any of our results was outside its bound."""
        if contest is not None:
            self.absent(contest)
        if self.broken:
            sys.exit("\n".join(["outside the bounds:", *self.broken]))


def rows(
    contest: Contest, results: dict[str, Result], tower: TowerName, counts: dict[str, int], operations: float | None
) -> list[Row]:
    """A Row per contender; their results are embeddings. counts: items per round."""
    computed = contest.ask("precision", tower=tower)
    right = reference(list(results))
    table = []
    for name, result in results.items():
        precision = computed[name]
        same = None if right is None or name == right else cosines(result.value, results[right].value)
        limit = bound(name, tower, precision)
        rate = counts[name] / result.median
        table.append(Row(name, contest.kinds[name], rate, precision, operations, same, limit))
    return table
