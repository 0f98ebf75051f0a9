"""The page's sentences and names in words. Whatever comes from data is escaped here."""

from __future__ import annotations

from typing import Final

import numpy as np

from contralto.adaptation.curve import Curve
from contralto.adaptation.report import AdaptationReport
from contralto.adaptation.verdict import Verdict
from contralto.evaluation.outcome import Figure, Outcome
from contralto.evaluation.report.words import p_value, signed, text
from contralto.sets.data_set import DataSet
from contralto.weights.adaptation import AdaptationMethod

METHOD_WORDS: Final[dict[AdaptationMethod, str]] = {
    "zero-shot": "the base as it is, asked with the names of the classes",
    "prototypes": "the name of each class, moved towards the mean of its pictures",
    "tip": "the names of the classes, and a vote of the fitted pictures that are most alike",
    "tip-f": "as tip, with the stored rows of the pictures trained further",
    "gaussian": "the names of the classes, and a cloud of pictures for each class, all of the same shape",
    "kernel": "the names of the classes, corrected by how alike a picture is to each fitted one",
    "probe": "a linear classifier on what the picture tower sees",
    "prompt": "learned vectors, before the name of each class or beside the patches of a picture",
    "projection": "the last matrix of the towers, trained but held near its old value",
    "adapter": "a small layer behind the towers",
    "lora": "small changes within the towers, of low rank",
    "full": "a change of all weights",
    "long": "a small pooler that joins the parts of a long text",
}
FLAT: Final = 0.005  # a smaller gain by twice as many pictures is none


def figure_of(outcome: Outcome, metric: str) -> Figure:
    """The outcome's figure by that metric, which it has."""
    return next(one for one in outcome.figures if one.metric == metric)


def share(value: float) -> str:
    """A share in percent with one digit."""
    return f"{100 * value:.1f}%"


def points(verdict: Verdict) -> str:
    """A difference with its interval, in points."""
    low, high = signed(100 * verdict.low), signed(100 * verdict.high)
    return f"{signed(100 * verdict.difference)} [{low}, {high}]"


def tested(verdict: Verdict) -> str:
    """p and n."""
    return f"{text(p_value(verdict.p))}, n = {verdict.n:,}"


def part(data: DataSet) -> str:
    """The name of a data set and of its split."""
    return f"{text(data.name)} ({text(data.split)})"


def queries(report: AdaptationReport) -> str:
    """What the n items of the verdict are, with their number."""
    n = report.measured.verdict.n
    captions = report.measured.verdict.metric.endswith("text_to_image")
    return f"{n:,} {'caption' if captions else 'picture'}{'' if n == 1 else 's'}"


def size(count: int) -> str:
    """A number of bytes for people."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:,.0f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.1f} MB"


def duration(seconds: float) -> str:
    """A time for people."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def headline(report: AdaptationReport) -> str:
    """The verdict in a few words."""
    return {"helped": "Adapting helped", "no difference": "No difference", "hurt": "Adapting hurt"}[
        report.measured.verdict.word
    ]


def advice(report: AdaptationReport) -> str:
    """What follows from the verdict: how large a gain could have shown, or what to use instead. May be empty."""
    verdict = report.measured.verdict
    if verdict.word == "hurt":
        return "The base is better here. Use the base, or try another method with <code>--method</code>."
    if verdict.word == "helped":
        return ""
    if report.described.method == "zero-shot":
        return "No method was better than the base, so the base answers as before."
    if report.data.task == "retrieval":
        return "A difference anywhere within the interval is possible. More measured pictures make it narrower."
    if verdict.detectable is None:
        return f"{queries(report)} are too few: no gain on so few could be told from chance. Measure on more."
    return (
        f"The smallest gain that {queries(report)} could have shown here is {100 * verdict.detectable:.1f} points. "
        "There may be a smaller one. More measured pictures could show it."
    )


def turned(report: AdaptationReport) -> str:
    """How many answers became right and wrong; empty for captions."""
    if report.data.task == "retrieval":
        return ""
    before, after = (one.records.rank == 0 for one in (report.measured.zero_shot, report.measured.adapted))
    right, wrong = int(np.sum(~before & after)), int(np.sum(before & ~after))
    return f"{right:,} answers became right, {wrong:,} became wrong."


def more_pictures(curve: Curve, measured: int) -> str:
    """What twice as many pictures would bring, from the last doubling. measured: the number of measured pictures."""
    gain = curve.last_doubling
    if gain is None:
        return "No class has two pictures: there is no curve yet."
    if abs(gain) < max(FLAT, 1 / max(measured, 1)):
        return "The curve is flat at its end: twice as many pictures would change little."
    if gain < 0:
        return f"The last doubling brought {signed(100 * gain)} points: more pictures like these are unlikely to help."
    return f"Twice as many pictures would bring about {signed(100 * gain)} points, if the curve goes on."
