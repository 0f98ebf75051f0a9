"""What a contest found: a table for people or, with --json, an object a row; and whether ours kept its bounds."""

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

Side = Literal["image", "text"]

DISTURBED = 0.1
# The least cosine of a row to the reference's: the precision computed in -> pictures, texts. What auto takes on its
# own must be closer than what is asked for by name.
BOUNDS = {"fp32": (0.99999, 0.99999), "bf16": (0.999, 0.9999), "fp16": (0.999, 0.9999), "int8": (0.99, 0.999)}
AUTO = {"int8": (0.999, 0.999)}


@dataclass(frozen=True)
class Row:
    """A contender's line. operations: of the plain tower for one item, None where they say nothing."""

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


def bound(name: str, side: Side, precision: str) -> float:
    of = AUTO if "auto" in name and precision in AUTO else BOUNDS
    return of[precision][0 if side == "image" else 1]


def cosines(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) of unit rows, each with its own."""
    return np.einsum("nd,nd->n", rows.astype(np.float64), others.astype(np.float64))


def reference(names: Sequence[str]) -> str | None:
    """Whose rows count as right: an independent implementation that rounds nothing, else our plain one."""
    wanted = ("transformers", "open_clip", "contralto eager", "contralto fp32")
    return next((name for want in wanted for name in names if name.startswith(want) and "bf16" not in name), None)


class Report:
    """Prints as it goes. `broken` collects what of ours is outside its bound."""

    def __init__(self, options: argparse.Namespace, peaks: dict[str, float]) -> None:
        self._json, self.peaks = options.json, peaks
        self.broken: list[str] = []

    def say(self, line: str = "") -> None:
        """For people: on stdout, or beside it when that is for programs."""
        print(line, file=sys.stderr if self._json else sys.stdout, flush=True)

    def head(self, contest: Contest, *remarks: str) -> None:
        """The machine, its limit, who takes part and who does not."""
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
        if others.part > DISTURBED:
            self.say(
                f"BUSY MACHINE: others took {others.part:.0%} of it between turns; run this again when it is quiet"
            )

    def absent(self, contest: Contest) -> None:
        for name, reason in contest.absent.items():
            self.say(f"absent: {name}: {reason}")

    def rates(self, title: str, unit: str, rows: list[Row]) -> None:
        """Items a second of each; "ratio": to the fastest baseline; "alike": to the fastest peer in its precision."""
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
        """peak: what the matrix peak would allow, in the row's unit. peers: of a row of ours, everyone else's value."""
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
        """Exits 1 if anything of ours was outside its bound."""
        if contest is not None:
            self.absent(contest)
        if self.broken:
            sys.exit("\n".join(["outside the bounds:", *self.broken]))


def rows(
    contest: Contest, results: dict[str, Result], side: Side, counts: dict[str, int], operations: float | None
) -> list[Row]:
    """A Row of each contender whose result is unit rows; counts: how many items each did a round."""
    computed = contest.ask("precision", side=side)
    right = reference(list(results))
    found = []
    for name, result in results.items():
        precision = computed[name]
        same = None if right is None or name == right else cosines(result.value, results[right].value)
        limit = bound(name, side, precision)
        rate = counts[name] / result.median
        found.append(Row(name, contest.kinds[name], rate, precision, operations, same, limit))
    return found
