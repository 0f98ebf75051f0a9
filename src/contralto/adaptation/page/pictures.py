"""Pictures to look at: fitted ones with a doubtful label, and measured ones whose answer changed."""

from __future__ import annotations

from typing import Final

import numpy as np

from contralto.adaptation.report import AdaptationReport
from contralto.adaptation.suspects import CERTAIN, Suspect
from contralto.evaluation.report.mistakes import PictureLookup, card, confused, confusion
from contralto.evaluation.report.words import percent, text

MAX_SUSPECTS: Final = 24
MAX_CHANGES: Final = 12  # of each kind
LABEL_LIMIT: Final = 80  # characters


def doubtful_labels(report: AdaptationReport, pictures: PictureLookup) -> str:
    """The fitted pictures that the other folds contradict. Empty if there were no folds to tell."""
    several = report.suspects
    if not several:
        told = report.keeps_towers and bool(report.candidates)
        return (
            f'<p class="plain">No fitted picture is contradicted with more than {percent(CERTAIN)}.</p>' if told else ""
        )
    count = "picture is" if len(several) == 1 else "pictures are"
    first = f" The {MAX_SUSPECTS} most certain:" if len(several) > MAX_SUSPECTS else ""
    about = (
        f"{len(several):,} fitted {count} contradicted by the classifier of the other folds, with more than "
        f"{percent(CERTAIN)}. The label may be wrong, or the picture unusual. Nothing was relabelled.{first}"
    )
    cards = "".join(_suspect(report, one, pictures) for one in several[:MAX_SUSPECTS])
    return f'<p class="about">{about}</p><div class="mistakes">{cards}</div>'


def _suspect(report: AdaptationReport, one: Suspect, pictures: PictureLookup) -> str:
    label, other = text(one.label, LABEL_LIMIT), text(one.other, LABEL_LIMIT)
    said = f'<span class="soft">rather</span> <span class="bad">{other}</span> <small>{_sure(one.probability)}</small>'
    caption = f'<span class="soft">labelled</span> {label}<br>{said}'
    return card(one.key, pictures(report.fit.name, report.fit.split, one.key), caption)


def changes(report: AdaptationReport, pictures: PictureLookup) -> str:
    """Measured pictures that became right and wrong, and what is still confused. Empty for captions."""
    before, after = report.measured.zero_shot, report.measured.adapted
    if report.data.task == "retrieval" or not after.classes:
        return ""
    was, is_now = before.records.rank == 0, after.records.rank == 0
    parts = [
        _gallery(report, np.flatnonzero(~was & is_now), "Became right", pictures),
        _gallery(report, np.flatnonzero(was & ~is_now), "Became wrong", pictures),
    ]
    if not any(parts):
        parts = ['<p class="plain">No answer became right or wrong.</p>']
    grid = [confusion(after), confused(after)]
    return "".join(parts) + (f'<div class="plots">{"".join(grid)}</div>' if any(grid) else "")


def _gallery(report: AdaptationReport, places: np.ndarray, title: str, pictures: PictureLookup) -> str:
    if not len(places):
        return ""
    confidence = report.measured.adapted.records.confidence[places]
    shown = places[np.argsort(-confidence, kind="stable")][:MAX_CHANGES]
    cards = "".join(_change(report, int(place), pictures) for place in shown)
    most = f", the {MAX_CHANGES} most certain" if len(places) > MAX_CHANGES else ""
    return f'<h3>{title} <small>{len(places):,}{most}</small></h3><div class="mistakes">{cards}</div>'


def _change(report: AdaptationReport, place: int, pictures: PictureLookup) -> str:
    """A measured picture: the answer now with its score, and what it was or should be."""
    before, after = report.measured.zero_shot, report.measured.adapted
    records, key = after.records, str(after.records.key[place])
    names = [_name(after.classes, int(column[place])) for column in (records.predicted, records.label)]
    answer, true = names
    former = _name(before.classes, int(before.records.predicted[place]))
    kind, beside = (
        ("good", f'<span class="soft">was</span> {former}')
        if records.rank[place] == 0
        else ("bad", f'<span class="soft">is</span> {true}')
    )
    caption = (
        f'<span class="{kind}">{answer}</span> <small>{_sure(float(records.confidence[place]))}</small><br>{beside}'
    )
    return card(key, pictures(after.set, after.split, key), caption)


def _name(classes: tuple[str, ...], place: int) -> str:
    return text(classes[place], LABEL_LIMIT) if 0 <= place < len(classes) else "–"


def _sure(probability: float) -> str:
    """A probability in whole percent, never rounded up to 100."""
    return f"{min(100 * probability, 99):.0f}%"
