"""The page: one HTML file with everything in it. It asks nothing of the network and runs no script."""

from __future__ import annotations

from contralto.evaluation.files import Report
from contralto.evaluation.published import Published
from contralto.evaluation.report.mistakes import Pictures
from contralto.evaluation.report.section import anchor, section
from contralto.evaluation.report.shifts import robustness
from contralto.evaluation.report.style import CSS
from contralto.evaluation.report.table import beside, table
from contralto.evaluation.report.variants import Measured, gathered
from contralto.evaluation.report.words import text

MISTAKES, LEAST, MOST = 320, 6, 24  # pictures of mistakes in all, and in one section: the page stays below some 3 MB


def page(report: Report, pictures: Pictures) -> str:
    """The whole report as HTML.

    pictures: gives the picture of an item, by set, split and key, or None. Only the pictures of mistakes are asked for.
    Every text that comes from outside is escaped.
    """
    found = gathered(report.outcomes)
    most = max(LEAST, min(MOST, MISTAKES // max(len(found), 1)))
    name = str(report.model.get("name", "a model"))
    first = [one for each in found for one in each.first]
    sections = "".join(section(one, name, pictures, most) for one in found)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{text(name)}, measured by Contralto</title>
<style>{CSS}</style>
</head>
<body>
<header>
<p class="mark">contralto</p>
<h1>{text(name)}</h1>
<p class="lead">{_lead(report, found)}</p>
{_facts(report)}
{_contents(found)}
</header>
<main>
<section id="figures">
<h2>Figures</h2>
<p class="about">Shares in percent with 95% intervals. In the small drawings the dot is the value, the thick line its
interval, the upright tick chance.</p>
{table(first, name)}
{_notes(beside(first, name))}
</section>
{robustness(found)}
{sections}
</main>
<footer>
<p>A wrong answer with the same score as the right one counts against the model, and so does a picture that could not be
used. Every item's answer is in <code>items.parquet</code>, the figures and protocols in <code>report.json</code>;
<code>contralto compare</code> sets two such folders against each other.</p>
<p>Measured with contralto {text(report.version)}. This page holds everything in itself and loads nothing.</p>
</footer>
</body>
</html>
"""


def _lead(report: Report, found: list[Measured]) -> str:
    items = sum(len(one.main.records) for one in found if one.main is not None)
    sets = "1 set" if len(found) == 1 else f"{len(found)} sets"
    figures = sum(len(one.figures) for one in report.outcomes)
    when = f' on <span class="date">{text(report.measured)}</span>' if report.measured else ""
    return f"{figures:,} figures on {sets}, of {items:,} answers that are all kept. Measured{when}."


def _facts(report: Report) -> str:
    rows = "".join(
        f"<div><dt>{text(key.replace('_', ' '))}</dt><dd>{text(value)}</dd></div>"
        for key, value in report.model.items()
        if key != "name" and value is not None
    )
    return f'<dl class="facts">{rows}</dl>'


def _contents(found: list[Measured]) -> str:
    if len(found) < 2:
        return ""
    links = "".join(f'<a href="#{text(anchor(one))}">{text(one.set)}</a>' for one in found)
    return f'<nav aria-label="Sets">{links}</nav>'


def _notes(known: list[Published]) -> str:
    """What the marks beside published figures mean, where there are any."""
    if not known:
        return ""
    notes = [
        "✓ the interval holds the published figure; ≠ it does not.",
        "paper: Radford et al. 2021. open_clip: that project's re-runs, whose prompts and splits differ in places.",
    ]
    if not all(one.verified for one in known):
        notes.append("† recalled, and not read again in its source.")
    return f'<p class="note">{" ".join(notes)}</p>'
