"""Writes the table of figures into a model card, between two marks, so that nobody types it by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from contralto.errors import DataError
from contralto.evaluation.metric_table import metric_named
from contralto.evaluation.outcome import Figure, Outcome
from contralto.files import require_file, text_of, written_whole

BEGIN, END = "<!-- contralto evaluate: begin -->", "<!-- contralto evaluate: end -->"


def update(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Replaces the text between the marks of a Markdown file by the table of the outcomes.

    Raises DataError if the file cannot be read or lacks the marks; OSError if it cannot be written.
    """
    before, after = _around(path)
    with written_whole(path) as file:
        file.write(f"{before}{BEGIN}\n{table(outcomes)}\n{END}{after}".encode())


def require(path: Path) -> None:
    """Raises ContraltoError if `update` could not write the table. Call it before the work."""
    _around(path)
    require_file(path)


def _around(path: Path) -> tuple[str, str]:
    """The text before and after the marks of a file."""
    before, begin, rest = text_of(path, "model card").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise DataError(f"{path} has no place for the table: add two lines, {BEGIN} and {END}")
    return before, after


def table(outcomes: Sequence[Outcome]) -> str:
    """Markdown: one table per task and first metric, with a row per outcome and a column per metric; then the protocol.

    Single severities, sizes, groups and wordings are left to the report.
    """
    parts = []
    for several in _by_first_metric([one for one in outcomes if not one.condition.is_detail]):
        measured = list(dict.fromkeys(figure.metric for one in several for figure in one.figures))
        guessed = ["chance"] if any(one.figures[0].chance is not None for one in several) else []
        head = ["set", "split", "items", *guessed, *measured]
        lines = [_row(head), _row(["---"] * len(head))]
        for one in several:
            figures = {figure.metric: value(replace(figure, chance=None)) for figure in one.figures}
            name = f"{one.set}, {one.variant}" if one.variant else one.set
            chance = one.figures[0].chance
            guess = ["" if chance is None else f"{100 * chance:.1f}"] if guessed else []
            cells = [figures.get(metric, "") for metric in measured]
            lines.append(_row([name, one.split, str(one.figures[0].n), *guess, *cells]))
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, _protocol_line(outcomes)])


def _by_first_metric(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """Groups by task and first metric, in order of appearance."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault((one.task, one.figures[0].metric), []).append(one)
    return list(groups.values())


def _protocol_line(outcomes: Sequence[Outcome]) -> str:
    stated = outcomes[0].protocol
    hashes = {f"{one.set}:{one.split}": (one.split_sha256 or "")[:12] for one in outcomes if one.is_plain}
    splits = ", ".join(f"{name} {short}" for name, short in hashes.items())
    return (
        f"Measured by contralto {stated['contralto']} in {stated['precision']} ({stated['engine']}), contract "
        f"{stated['contract'][:12]}. Shares are in percent, with 95% intervals; {stated['ties']}. sha256 of the "
        f"splits: {splits}."
    )


def value(figure: Figure) -> str:
    """A figure for people: shares in percent, ranks as they are; with its interval and chance, if it has any."""
    percent = metric_named(figure.metric).unit == "share"
    numbers = [figure.value] if figure.low is None or figure.high is None else [figure.value, figure.low, figure.high]
    shown = [f"{100 * number:.1f}" if percent else f"{number:g}" for number in numbers]
    interval = f" [{shown[1]}, {shown[2]}]" if len(shown) > 1 else ""
    chance = f" (chance {100 * figure.chance:.1f})" if figure.chance is not None else ""
    return f"{shown[0]}{interval}{chance}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
