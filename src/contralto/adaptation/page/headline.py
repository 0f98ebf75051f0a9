"""Did it help? The answer in words, both figures, and their difference against zero."""

from __future__ import annotations

from contralto.adaptation.page import plots
from contralto.adaptation.page.words import (
    advice,
    duration,
    figure_of,
    headline,
    part,
    points,
    queries,
    share,
    size,
    tested,
    turned,
)
from contralto.adaptation.report import AdaptationReport
from contralto.evaluation.report.document import fact_list, plot_figure
from contralto.evaluation.report.plots import whiskers
from contralto.evaluation.report.words import metric, text


def header(report: AdaptationReport) -> str:
    """The title, the two figures, and what was adapted to what."""
    verdict = report.measured.verdict
    before, after = (figure_of(one, verdict.metric) for one in (report.measured.zero_shot, report.measured.adapted))
    kind = {"helped": "good", "hurt": "bad", "no difference": "soft"}[verdict.word]
    described, trained = report.described, report.described.trained_on
    facts = {
        "method": described.method,
        "base": described.base.name,
        "fitted to": trained and f"{trained.items:,} pictures of {trained.set} ({trained.split})",
        "measured on": f"{len(report.data.items):,} pictures of {report.data.name} ({report.data.split})",
        "classes": len(described.classes) if described.classes else None,
        "size": f"{size(report.bytes)} on top of {described.base.name}",
        "took": duration(report.seconds),
    }
    return f"""<h1>{headline(report)}</h1>
<p class="answer">{share(before.value)} → <b class="{kind}">{share(after.value)}</b> <small>{metric(verdict.metric)},
{queries(report)}, looked at once</small></p>
<p class="lead">{text(described.base.name)} was adapted to {part(report.fit)} and measured on {part(report.data)}.
Difference: {points(verdict)} points, {tested(verdict)}. {turned(report)}</p>
{fact_list(facts)}"""


def verdict_section(report: AdaptationReport) -> str:
    """Both figures with their intervals, the difference, and what follows from it."""
    verdict = report.measured.verdict
    rows = [("zero-shot", report.measured.zero_shot), ("adapted", report.measured.adapted)]
    figures = [(name, figure_of(one, verdict.metric)) for name, one in rows]
    before_after = whiskers("Before and after", figures)
    about = f"{metric(verdict.metric)} of {queries(report)}, with 95% intervals."
    against = plots.differences("Difference", [("adapted − zero-shot", verdict)])
    test = "McNemar’s exact test" if report.data.task != "retrieval" else "a paired bootstrap"
    word = {
        "helped": "That is hardly chance.",
        "hurt": "That is hardly chance.",
        "no difference": "This may be chance.",
    }[verdict.word]
    beside = f"{points(verdict)} points, {tested(verdict)}. {word}"
    said = f'<p class="plain">{advice(report)}</p>' if advice(report) else ""
    how = f"The same pictures before and after. p is of {test}; helped or hurt where it is below 0.05."
    return (
        f'<p class="about">{how}</p>{said}<div class="plots">'
        f"{plot_figure('Before and after', about, before_after)}{plot_figure('Difference', beside, against)}</div>"
    )
