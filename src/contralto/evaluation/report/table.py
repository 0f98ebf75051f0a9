"""The table of all figures: values with intervals, chance, and what others published for the same model."""

from __future__ import annotations

from collections.abc import Iterable

from contralto.evaluation.outcome import Figure, Outcome
from contralto.evaluation.published_figures import Published, published
from contralto.evaluation.report.plots import interval_track
from contralto.evaluation.report.words import interval, is_share, metric, number, signed, text

STRIP_ENDS = '<span class="ends"><span>0</span><span>100</span></span>'
FIGURE_COLUMNS = {
    "set": "",
    "metric": "",
    "value": "n",
    "95% interval": "",
    STRIP_ENDS: "",
    "chance": "n",
    "items": "n",
}
PUBLISHED_COLUMN = "published, and the difference to it"


def table(outcomes: Iterable[Outcome], model: str) -> str:
    """One row per figure. model: its name in the registry, by which published figures are known."""
    shown = [one for one in outcomes if one.figures]
    columns = FIGURE_COLUMNS | ({PUBLISHED_COLUMN: ""} if published_in_table(shown, model) else {})
    head = "".join(f'<th scope="col" class="{kind}">{name}</th>' for name, kind in columns.items())
    bodies = "".join(_rows(one, model) for one in shown)
    return (
        f'<div class="scroll" tabindex="0"><table class="figures"><thead><tr>{head}</tr></thead>{bodies}</table></div>'
    )


def published_in_table(outcomes: Iterable[Outcome], model: str) -> list[Published]:
    """All published figures that the table shows."""
    return [known for one in outcomes for figure in one.figures for known in _known(one, figure, model)]


def _rows(outcome: Outcome, model: str) -> str:
    what = f"<b>{text(outcome.set)}</b> <small>{text(outcome.split)}</small>"
    variant = f'<small class="variant">{text(outcome.variant)}</small>' if outcome.variant else ""
    heads = [f'<th scope="rowgroup" rowspan="{len(outcome.figures)}">{what}{variant}</th>']
    heads += [""] * (len(outcome.figures) - 1)
    rows = (_row(head, outcome, one, model) for head, one in zip(heads, outcome.figures, strict=True))
    return f"<tbody>{''.join(rows)}</tbody>\n"


def _row(head: str, outcome: Outcome, figure: Figure, model: str) -> str:
    chance = "" if figure.chance is None else number(figure.metric, figure.chance)
    drawn = interval_track(figure) if is_share(figure.metric) and 0 <= figure.value <= 1 else ""
    known = "".join(_beside(one, figure) for one in _known(outcome, figure, model))
    cells = [
        f"<td>{metric(figure.metric)}</td>",
        f'<td class="n value">{number(figure.metric, figure.value)}</td>',
        f'<td class="range">{interval(figure)}</td>',
        f"<td>{drawn}</td>",
        f'<td class="n soft">{chance}</td>',
        f'<td class="n soft">{figure.n:,}</td>',
        f'<td class="known">{known}</td>' if known else "",
    ]
    return f"<tr>{head}{''.join(cells)}</tr>"


def _known(outcome: Outcome, figure: Figure, model: str) -> list[Published]:
    if outcome.condition.group:
        return []
    return published(model, outcome.set, figure.metric, outcome.condition.kind)


def _beside(known: Published, figure: Figure) -> str:
    """A published figure, our difference to it, and whether our interval contains it."""
    mark, why = "", ""
    if figure.low is not None and figure.high is not None:
        held = figure.low <= known.value <= figure.high
        mark = '<span class="good">✓</span>' if held else '<span class="bad">≠</span>'
        why = ' title="within the interval"' if held else ' title="outside the interval"'
    doubt = "" if known.verified else "<sup>†</sup>"
    cells = f"<span>{number(figure.metric, known.value)}{doubt}</span><small>{text(known.source)}</small>"
    return f"<div{why}>{cells}<span>{signed(100 * (figure.value - known.value))}</span>{mark}</div>"
