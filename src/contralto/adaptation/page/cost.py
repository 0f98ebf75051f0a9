"""What the adaptation costs elsewhere: nothing where the towers are untouched, else kept sets and agreement."""

from __future__ import annotations

from contralto.adaptation.forgetting import KeptSet
from contralto.adaptation.page import plots
from contralto.adaptation.page.words import figure_of, points
from contralto.adaptation.report import AdaptationReport
from contralto.evaluation.outcome import Figure
from contralto.evaluation.report.document import plot_figure
from contralto.evaluation.report.words import interval, metric, number, p_value, percent, text

UNTOUCHED = "Nothing is forgotten: the towers are untouched, and every index stays valid."
LONG_ONLY = (
    "The towers are untouched. Pictures and texts that fit keep their embeddings, and indexes of pictures stay valid. "
    "Only texts that are too long get other embeddings."
)
CHANGED = "The embeddings have changed, and those of the base don’t fit them: build every index anew."
HOW_TO_KEEP = "To measure what is lost on a data set, name it: <code>contralto adapt ... --keep SET</code>."


def cost(report: AdaptationReport) -> str:
    """What is forgotten, and whether indexes stay valid."""
    measured = report.measured
    if report.keeps_towers:
        return f'<p class="plain">{UNTOUCHED}</p>'
    parts = [f'<p class="plain">{LONG_ONLY if report.described.method == "long" else CHANGED}</p>']
    if measured.kept:
        parts += [_kept_table(measured.kept), _kept_plot(measured.kept)]
    elif report.described.method != "long":
        parts.append(f'<p class="plain">{HOW_TO_KEEP}</p>')
    parts.append(_label_free(report))
    return "".join(parts)


def _kept_table(kept: tuple[KeptSet, ...]) -> str:
    names = ("kept set", "metric", "before", "after", "difference, in points", "p", "n", "")
    numeric = ("before", "after", "p", "n")
    head = "".join(f'<th scope="col"{_numeric(name in numeric)}>{name}</th>' for name in names)
    rows = "".join(_kept_row(one) for one in kept)
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _numeric(holds: bool) -> str:
    return ' class="n"' if holds else ""


def _kept_row(one: KeptSet) -> str:
    verdict = one.verdict
    before, after = (figure_of(outcome, verdict.metric) for outcome in (one.before, one.after))
    kind = {"helped": "good", "hurt": "bad", "no difference": "soft"}[verdict.word]
    word = {"helped": "better", "hurt": "worse", "no difference": "no difference"}[verdict.word]
    cells = [
        f'<th scope="row">{text(one.set)}</th><td>{metric(verdict.metric)}</td>',
        f'<td class="n">{_value(before)}</td><td class="n">{_value(after)}</td><td>{points(verdict)}</td>',
        f'<td class="n">{text(p_value(verdict.p).removeprefix("p ").removeprefix("= "))}</td>',
        f'<td class="n soft">{verdict.n:,}</td><td class="{kind}">{word}</td>',
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _value(figure: Figure) -> str:
    return f"<b>{number(figure.metric, figure.value)}</b> <small>{interval(figure)}</small>"


def _kept_plot(kept: tuple[KeptSet, ...]) -> str:
    drawn = plots.differences("Kept sets", [(one.set, one.verdict) for one in kept])
    about = "Adapted minus base, in points, with 95% intervals. Left of zero: forgotten."
    return f'<div class="plots">{plot_figure("Kept sets", about, drawn)}</div>'


def _label_free(report: AdaptationReport) -> str:
    if (figures := report.measured.label_free) is None:
        return ""
    agreement = (
        f"<b>{percent(figures.agreement)}</b> of the measured pictures get the same answer as before "
        "when asked for the best of ImageNet’s 1,000 names."
    )
    cosine = (
        f"<b>{figures.cosine:.3f}</b> is the mean cosine of these names’ embeddings before and after; 1 is no change."
    )
    return f'<ul class="notes"><li>{agreement}</li><li>{cosine}</li></ul>'
