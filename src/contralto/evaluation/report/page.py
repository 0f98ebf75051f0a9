"""The whole page: one self-contained HTML file that loads nothing and runs no script."""

from __future__ import annotations

from typing import Final

from contralto.evaluation.published_figures import Published
from contralto.evaluation.report.document import document, fact_list
from contralto.evaluation.report.mistakes import PictureLookup
from contralto.evaluation.report.section import anchor, section
from contralto.evaluation.report.shifts import robustness
from contralto.evaluation.report.table import published_in_table, table
from contralto.evaluation.report.variants import SplitOutcomes, by_split
from contralto.evaluation.report.words import text
from contralto.evaluation.report_files import EvaluationReport

MAX_MISTAKES: Final = 320  # pictures of mistakes on the page, which keeps it below about 3 MB
MIN_PER_SECTION: Final = 6
MAX_PER_SECTION: Final = 24


def page(report: EvaluationReport, pictures: PictureLookup) -> str:
    """The whole report as HTML.

    pictures: gives the picture of an item by set, split and key, or None. Only pictures of mistakes and duplicates are
    requested. All text from data is escaped.
    """
    splits = by_split(report.outcomes)
    max_pictures = max(MIN_PER_SECTION, min(MAX_PER_SECTION, MAX_MISTAKES // max(len(splits), 1)))
    name = str(report.model.get("name", "a model"))
    first = [one for each in splits for one in each.first]
    sections = "".join(section(one, name, pictures, max_pictures) for one in splits)
    body = f"""<header>
<p class="mark">contralto</p>
<h1>{text(name)}</h1>
<p class="lead">{_lead(report, splits)}</p>
{fact_list({key: value for key, value in report.model.items() if key != "name"})}
{_contents(splits)}
</header>
<main>
<section id="figures">
<h2>Figures</h2>
<p class="about">Shares in percent with 95% intervals. In the small drawings the dot is the value, the thick line its
interval, and the upright tick chance.</p>
{table(first, name)}
{_notes(published_in_table(first, name))}
</section>
{robustness(splits)}
{sections}
</main>
<footer>
<p>A wrong answer with the same score as the right one counts against the model, and so does a picture that could not be
used. Every item's answer is in <code>items.parquet</code>, the figures and protocols are in
<code>report.json</code>;
<code>contralto compare</code> compares two such folders.</p>
<p>Measured with contralto {text(report.version)}. This page is self-contained and loads nothing.</p>
</footer>
"""
    return document(f"{name}, measured by Contralto", body)


def _lead(report: EvaluationReport, splits: list[SplitOutcomes]) -> str:
    items = sum(len(one.main.records) for one in splits if one.main is not None)
    sets = "1 set" if len(splits) == 1 else f"{len(splits)} sets"
    figures = sum(len(one.figures) for one in report.outcomes)
    when = f' on <span class="date">{text(report.measured)}</span>' if report.measured else ""
    return f"{figures:,} figures on {sets}, from {items:,} recorded answers. Measured{when}."


def _contents(splits: list[SplitOutcomes]) -> str:
    if len(splits) < 2:
        return ""
    links = "".join(f'<a href="#{text(anchor(one))}">{text(one.set)}</a>' for one in splits)
    return f'<nav aria-label="Sets">{links}</nav>'


def _notes(known: list[Published]) -> str:
    """Explains the marks next to published figures, if the table has any."""
    if not known:
        return ""
    notes = [
        "✓ the interval contains the published figure; ≠ it does not.",
        "paper: Radford et al. 2021. open_clip: that project's re-runs, whose prompts and splits differ in places.",
    ]
    if not all(one.verified for one in known):
        notes.append("† from memory, not verified in its source.")
    return f'<p class="note">{" ".join(notes)}</p>'
