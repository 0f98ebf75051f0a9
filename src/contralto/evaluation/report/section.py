"""The section of one split of a data set: its plots, its mistakes, and its exact protocol."""

from __future__ import annotations

import numpy as np

from contralto.evaluation.outcome import Outcome
from contralto.evaluation.report import plots
from contralto.evaluation.report.audits import audits
from contralto.evaluation.report.boxes import box_gallery
from contralto.evaluation.report.details import failures, protocols
from contralto.evaluation.report.document import plot_figure
from contralto.evaluation.report.mistakes import PictureLookup, confused, confusion, gallery
from contralto.evaluation.report.svg import padded_range
from contralto.evaluation.report.table import table
from contralto.evaluation.report.variants import SplitOutcomes, headline
from contralto.evaluation.report.words import metric, percent, text
from contralto.metrics.calibration import ece
from contralto.metrics.calibration import reliability as binned
from contralto.metrics.robustness import mean_corruption_error


def section(outcomes: SplitOutcomes, model: str, pictures: PictureLookup, max_pictures: int) -> str:
    """HTML of one split. max_pictures: the largest number of mistakes shown as pictures."""
    main = outcomes.main
    judged = main if main is not None and main.classes and main.task == "classes" else None
    grid = [_reliability(main), _recall(main)]
    grid += [confusion(judged), confused(judged)] if judged else []
    grid += [_templates(outcomes), _few_shot(outcomes), _others(outcomes)]
    parts = [f'<div class="plots">{"".join(grid)}</div>' if any(grid) else "", _corruptions(outcomes)]
    parts += [gallery(judged, pictures, max_pictures) if judged else "", audits(outcomes.others, pictures)]
    parts += [box_gallery(main, pictures, max_pictures) if main is not None else ""]
    parts += [failures(outcomes.all), _details(outcomes, model)]
    return f"""<section id="{text(anchor(outcomes))}">
<h2>{text(outcomes.set)} <small>{text(outcomes.split)}</small></h2>
<p class="about">{_about(outcomes)}</p>
{"".join(parts)}
</section>
"""


def anchor(outcomes: SplitOutcomes) -> str:
    """The section's id on the page."""
    return f"{outcomes.set}-{outcomes.split}".replace(" ", "-")


def _about(outcomes: SplitOutcomes) -> str:
    first = outcomes.main or outcomes.all[0]
    keys = len(np.unique(first.records.key.astype(str)))
    counts = [f"{keys:,} pictures" if keys else "", f"{len(first.classes):,} classes" if first.classes else ""]
    counted = ", ".join(part for part in counts if part)
    best = "; ".join(f"{metric(one.metric)} {100 * one.value:.1f}%" for one in first.figures[:1] if one.value <= 1)
    return "; ".join(part for part in (counted, best) if part)


def _reliability(main: Outcome | None) -> str:
    """For tasks with one right answer per item, if the records hold a confidence."""
    if main is None or main.task == "labels":
        return ""
    records = main.records
    known = (records.direction == "") & np.isfinite(records.confidence)
    if not known.any():
        return ""
    confidence, right = records.confidence[known], records.rank[known] == 0
    sure, hit, off = float(confidence.mean()), float(right.mean()), ece(confidence, right)
    judgement = "overconfident" if sure > hit else "underconfident"
    judgement = "well calibrated on average" if percent(sure) == percent(hit) else judgement
    about = f"On average {percent(sure)} sure and {percent(hit)} right: {judgement}. ECE {100 * off:.1f}, 15 bins."
    return plot_figure("Reliability", about, plots.reliability(binned(confidence, right)))


def _recall(main: Outcome | None) -> str:
    if main is None:
        return ""
    records = main.records
    ways = [way for way in ("image_to_text", "text_to_image") if (records.direction == way).any()]
    ranks = [(way.replace("_to_", " → "), records.rank[records.direction == way]) for way in ways]
    about = "Share of queries with the right answer among the k best."
    return plot_figure("Recall at k", about, plots.recall(ranks)) if ranks else ""


def _templates(outcomes: SplitOutcomes) -> str:
    """The template sets that were compared, in addition to the data set's own."""
    main = headline(outcomes.main) if outcomes.main else None
    name = main.metric if main else None
    rows = [(name_, figure) for name_, one in outcomes.templates.items() if (figure := headline(one, name))]
    if not rows:
        return ""
    shown = rows + ([("the set's own", main)] if main and all(name_ != "own" for name_, _ in rows) else [])
    about = f"{metric(rows[0][1].metric)} with each set of templates, with 95% intervals."
    return plot_figure("Templates", about, plots.whiskers("Templates compared", shown))


def _others(outcomes: SplitOutcomes) -> str:
    """The data set's own metric under other conditions, in addition to the plain one."""
    main = headline(outcomes.main) if outcomes.main else None
    rows = [
        (one.variant, one.figures[0]) for one in outcomes.conditions if main and one.figures[0].metric == main.metric
    ]
    if not rows or main is None:
        return ""
    about = f"{metric(main.metric)} of the same pictures under other conditions, with 95% intervals."
    return plot_figure("Other conditions", about, plots.whiskers("Other conditions", [("as it is", main), *rows]))


def _few_shot(outcomes: SplitOutcomes) -> str:
    main = headline(outcomes.main) if outcomes.main else None
    shots = sorted(outcomes.few_shot)
    figures = [(k, headline(outcomes.few_shot[k], main.metric if main else None)) for k in shots]
    points = [plots.plot_point(float(np.log2(k)), figure) for k, figure in figures if figure]
    if not points:
        return ""
    reference = ("zero-shot", main.value) if main else None
    about = "A linear probe on few labelled pictures per class, against zero-shot."
    names = [str(k) for k, figure in figures if figure]
    return plot_figure(
        "Few-shot", about, plots.curve("Few-shot", points, names, "labelled pictures per class", reference)
    )


def _corruptions(outcomes: SplitOutcomes) -> str:
    """Small plots on one scale, one per corruption, against the data set as it is."""
    main = headline(outcomes.main) if outcomes.main else None
    name = main.metric if main else None
    figures = {
        corruption: {severity: figure for severity in sorted(each) if (figure := headline(each[severity], name))}
        for corruption, each in outcomes.corruptions.items()
    }
    values = [f.value for each in figures.values() for f in each.values()] + ([main.value] if main else [])
    if len(values) < 2:
        return ""
    limits, panels = padded_range(values), []
    for corruption, each in figures.items():
        points = [plots.plot_point(severity, figure)._replace(low=None, high=None) for severity, figure in each.items()]
        reference = ("", main.value) if main else None
        title, names = corruption.replace("_", " "), [str(severity) for severity in each]
        drawn = plots.curve(title, points, names, "severity", reference, limits, (240, 180))
        panels.append(f'<figure class="panel"><figcaption>{text(title)}</figcaption>{drawn}</figure>')
    error = mean_corruption_error({key: [1 - f.value for f in each.values()] for key, each in figures.items()})
    about = f"Dashed: the set as it is. Mean error over all corruptions and severities: {100 * error:.1f}%."
    return f'<h3>Corruptions</h3><p class="about">{about}</p><div class="panels">{"".join(panels)}</div>'


def _details(outcomes: SplitOutcomes, model: str) -> str:
    """The protocols, and a table of all figures that the page's first table does not show."""
    others = [one for one in outcomes.all if one not in outcomes.first]
    return protocols(outcomes.all) + (
        f"<details><summary>All other figures</summary>{table(others, model)}</details>" if others else ""
    )
