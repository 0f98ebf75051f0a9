"""The whole page of an adaptation: one self-contained HTML file that loads nothing and runs no script."""

from __future__ import annotations

from contralto.adaptation.page.choice import choice
from contralto.adaptation.page.cost import cost
from contralto.adaptation.page.headline import header, verdict_section
from contralto.adaptation.page.more import learning_curve, mixes
from contralto.adaptation.page.pictures import changes, doubtful_labels
from contralto.adaptation.page.style import ADAPTATION_CSS
from contralto.adaptation.page.use import files, use
from contralto.adaptation.report import AdaptationReport
from contralto.evaluation.report.details import failures, protocols
from contralto.evaluation.report.document import document
from contralto.evaluation.report.mistakes import PictureLookup
from contralto.evaluation.report.table import table
from contralto.evaluation.report.words import text
from contralto.version import __version__

Section = tuple[str, str, str]
"""(id, title, content as HTML); a section without content is left out."""


def page(report: AdaptationReport, pictures: PictureLookup) -> str:
    """The whole report as HTML.

    pictures: gives the picture of an item by set, split and key, or None. Fitted pictures with a doubtful label and
    measured pictures whose answer changed are requested, no others. All text from data is escaped.
    """
    sections = [one for one in _sections(report, pictures) if one[2]]
    links = "".join(f'<a href="#{name}">{title}</a>' for name, title, _ in sections)
    contents = f'<nav aria-label="Sections">{links}</nav>'
    written = "".join(
        f'<section id="{name}">\n<h2>{title}</h2>\n{content}\n</section>\n' for name, title, content in sections
    )
    body = f"""<header>
<p class="mark">contralto</p>
{header(report)}
{contents}
</header>
<main>
{written}</main>
<footer>
<p>Shares are in percent, with 95% intervals. A wrong answer with the same score as the right one counts as wrong, and
so does a picture that could not be used.</p>
<p>Made with contralto {text(__version__)}. This page is self-contained and loads nothing.</p>
</footer>
"""
    return document(
        f"{report.described.method} on {report.described.base.name}, adapted by Contralto", body, ADAPTATION_CSS
    )


def _sections(report: AdaptationReport, pictures: PictureLookup) -> list[Section]:
    return [
        ("verdict", "Did it help?", verdict_section(report)),
        ("choice", "How it was chosen", choice(report)),
        ("more", "Would more pictures help?", learning_curve(report)),
        ("mix", "How much of it", mixes(report)),
        ("cost", "What it costs elsewhere", cost(report)),
        ("labels", "Labels worth a second look", doubtful_labels(report, pictures)),
        ("changes", "What changed", changes(report, pictures)),
        ("use", "Use, share, undo", use(report)),
        ("files", "What is in the files", files(report)),
        ("figures", "All figures", _figures(report)),
    ]


def _figures(report: AdaptationReport) -> str:
    measured = report.measured
    name = str(report.model.get("name", report.described.base.name))
    blocks = [
        table(report.outcomes, name),
        failures(report.outcomes),
        protocols([measured.zero_shot, measured.adapted]),
    ]
    blocks += [protocols([one.before, one.after], f"The exact protocol of {one.set}") for one in measured.kept]
    return "".join(blocks)
