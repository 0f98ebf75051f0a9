"""Compares two models on the same data sets: each figure side by side, with paired tests.

DIR is a folder that `contralto evaluate ... --report DIR` wrote. The difference is the first model minus the second,
with its 95% interval. Holm's method adjusts p for all rows of the table.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from contralto.cli import options as shared
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import exit_code
from contralto.errors import DataError

if TYPE_CHECKING:
    from contralto.evaluation.compare import Comparison
    from contralto.evaluation.outcome import Outcome
    from contralto.evaluation.report_files import EvaluationReport

FIELDS = ("set", "split", "variant", "metric", "a", "b", "difference", "low", "high", "p", "p_holm", "n")
SIGNIFICANCE_LEVEL = 0.05


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto compare`."""
    parser.add_argument("a", metavar="DIR", help="report of the first model")
    parser.add_argument("b", metavar="DIR", help="report of the second model")
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints one line per figure. A figure that cannot be compared is reported with the reason."""
    from contralto.evaluation.compare import compare, shared_outcomes
    from contralto.evaluation.report_files import read

    a, b = read(Path(args.a)), read(Path(args.b))
    pairs = shared_outcomes(a, b)
    _notes(a, b, pairs, console)
    with console.progress("figures", sum(len(one.figures) for one, _ in pairs)) as advance:
        rows = compare(a, b, advance=advance)
    if not rows:
        raise DataError(f"{args.a} and {args.b} have no figure in common: measure both models on the same data sets")
    compared = [row for row in rows if row.difference is not None]
    for row in rows:
        if row.difference is None:
            console.failure(_label(row), row.reason)
        elif row.reason:
            console.note(f"{_label(row)}: {row.reason}")
    if console.json:
        for row in compared:
            fields = asdict(row)
            console.record({name: fields[name] for name in FIELDS})
    elif compared:
        _table(compared, (a, b), console)
    return exit_code(len(compared), len(rows) - len(compared))


def _notes(a: EvaluationReport, b: EvaluationReport, pairs: list[tuple[Outcome, Outcome]], console: Console) -> None:
    """Notes outcomes with different protocols, and outcomes that only one report has."""
    from contralto.evaluation.compare import differing_entries

    for one, other in pairs:
        if names := differing_entries(one, other):
            label = " ".join(filter(None, (one.set, one.split, one.variant)))
            console.note(f"{label}: the protocols differ in {', '.join(names)}")
    alone = len(a.outcomes) + len(b.outcomes) - 2 * len(pairs)
    if alone:
        console.note(f"{alone} of the outcomes are in only one of the two reports")


def _table(rows: list[Comparison], reports: tuple[EvaluationReport, EvaluationReport], console: Console) -> None:
    from contralto.evaluation.metric_table import metric_named

    labels = [printable(_label(row)) for row in rows]
    wide = max(map(len, labels))
    names = [printable(str(report.model.get("name", "?"))) for report in reports]
    console.line(f"a: {names[0]}\nb: {names[1]}\n")
    console.line(
        console.dim(f"{'':{wide}}  {'a':>6}  {'b':>6}  {'a - b':>6}  {'95% interval':>16}  {'p (Holm)':>8}  {'n':>7}")
    )
    for label, row in zip(labels, rows, strict=True):
        scale = 1.0 if metric_named(row.metric).unit == "rank" else 100.0
        interval, p = "", ""
        if row.low is not None and row.high is not None:
            interval = f"[{scale * row.low:+.1f}, {scale * row.high:+.1f}]"
        if row.p_holm is not None:
            p = "<0.0001" if row.p_holm < 0.0001 else f"{row.p_holm:.4f}"
        values = f"{scale * row.a:6.1f}  {scale * row.b:6.1f}  {scale * (row.a - row.b):+6.1f}"
        line = f"{label:{wide}}  {values}  {interval:>16}  {p:>8}  {row.n:>7,}"
        console.line(console.bold(line) if row.p_holm is not None and row.p_holm < SIGNIFICANCE_LEVEL else line)


def _label(row: Comparison) -> str:
    return " ".join(filter(None, (row.set, row.split, row.variant, row.metric)))
