"""Reports of adaptations of random numbers, whose verdicts come from their records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from support import fabricated_outcomes as fabricated

from contralto.adaptation.curve import Curve
from contralto.adaptation.forgetting import KeptSet, LabelFree
from contralto.adaptation.measure import MIXES, Measured, MixPoint
from contralto.adaptation.report import AdaptationReport
from contralto.adaptation.suspects import Suspect
from contralto.adaptation.verdict import verdict
from contralto.evaluation.condition import Condition
from contralto.evaluation.outcome import Outcome
from contralto.sets.data_set import Class, DataSet, Item
from contralto.weights.adaptation import AdaptationBase, AdaptationDescription, TrainedOn

CLASSES = ("ring", "cube", "cone", "disc")
SHOTS = (1, 2, 4, 8, 13)
BASE = AdaptationBase("nano", "ab" * 32, "nano")


def pair(won: int = 14, lost: int = 2, n: int = 60, **other: Any) -> tuple[Outcome, Outcome]:
    """Before and after on the same items: `won` answers become right, `lost` become wrong. Half are right before."""
    was = np.arange(n) < n // 2
    now = was.copy()
    now[:lost] = False
    now[n // 2 : n // 2 + won] = True
    return (
        fabricated.outcome(_answers(was, 0.6), "zero-shot", **other),
        fabricated.outcome(_answers(now, 0.8), "adapted", **other),
    )


def _answers(right: np.ndarray, confidence: float) -> Any:
    made = fabricated.records(len(right))
    made.predicted[:] = np.where(right, made.label, (made.label + 1) % len(CLASSES))
    made.rank[:] = np.where(right, 0, 1)
    made.confidence[:] = confidence - 0.001 * np.arange(len(right))
    return made


def kept(name: str, won: int, lost: int) -> KeptSet:
    """A data set that the adaptation should not harm."""
    before, after = pair(won, lost, set=name)
    return KeptSet(name, before, after, verdict(before, after, "top1"))


def frozen(won: int = 14, lost: int = 2, method: str = "kernel", **other: Any) -> AdaptationReport:
    """A classifier on top of frozen towers, with everything that a page can show. other: fields to replace."""
    before, after = pair(won, lost)
    ends = before.figures[0].value, after.figures[0].value
    draws = ((0.4 + 0.05 * i, 0.45 + 0.06 * i, 0.5 + 0.05 * i) for i in range(4))
    curve = Curve(SHOTS, (*draws, (0.71,)), ends[0])
    mixes = tuple(MixPoint(mix, ends[0] + mix * (ends[1] - ends[0])) for mix in MIXES)
    measured = Measured(before, after, verdict(before, after, "top1"), curve, mixes)
    doubtful = tuple(Suspect(f"train/{i}.jpg", "ring", "cube", 0.99 - 0.001 * i) for i in range(30))
    whole: dict[str, Any] = {
        "described": _described(method, {"temperature": 1.25, "beta": 5.5}, classes=True),
        "model": {"name": "nano", "contract": "ab" * 32},
        "measured": measured,
        "why": "chosen among 5 methods by five folds of the 52 pictures to fit",
        "candidates": {"zero-shot": 0.612, "prototypes": 0.694, "tip": 0.703, "kernel": 0.751, "probe": 0.758},
        "notes": ("2 pictures that are measured too were left out",),
        "suspects": doubtful,
        "fit": data_set("train", 52),
        "data": data_set("test", 60),
        "seconds": 12.0,
        "bytes": 48_452,
    }
    return AdaptationReport(**whole | other)


def towers(won: int = 14, lost: int = 2, keep: bool = True, method: str = "lora") -> AdaptationReport:
    """Changed towers, with two kept sets or none."""
    report = frozen(won, lost)
    before, after = report.measured.zero_shot, report.measured.adapted
    several = (kept("flowers", 1, 9), kept("pets", 6, 5)) if keep else ()
    start = several[0].before.figures[0].value if keep else 1.0
    fall = start - several[0].after.figures[0].value if keep else 0.12
    own = before.figures[0].value, after.figures[0].value
    mixes = tuple(
        MixPoint(mix, own[0] + (own[1] - own[0]) * min(1.0, 1.6 * mix - 0.6 * mix**2), start - fall * mix**2)
        for mix in MIXES
    )
    unlabelled = LabelFree(0.883, 0.9712)
    measured = Measured(before, after, report.measured.verdict, None, mixes, several, unlabelled)
    described = _described(method, {"rank": 2}, classes=True)
    why = "as asked for; 340 steps, chosen by five folds"
    return replace(report, described=described, measured=measured, why=why, candidates={}, suspects=(), bytes=1_204_000)


def captions(method: str = "adapter") -> AdaptationReport:
    """An adaptation to pictures with captions."""
    metric = "r1_text_to_image"
    before, after = (
        replace(fabricated.retrieval(spread=spread), condition=Condition(kind))
        for spread, kind in ((6, "zero_shot"), (3, "adapted"))
    )
    measured = Measured(before, after, verdict(before, after, metric))
    data = DataSet("captions", "test", "retrieval", metric, _items("test", 20))
    fit = replace(data, split="train", items=_items("train", 80))
    described = _described(method, {"ratio": 0.2}, classes=False)
    return AdaptationReport(
        described, {"name": "nano"}, measured, "as asked for", {}, (), (), fit, data, seconds=230.0, bytes=820
    )


def data_set(split: str, count: int, name: str = "shapes") -> DataSet:
    """A split whose items have no usable picture."""
    classes = tuple(Class(one) for one in CLASSES)
    return DataSet(name, split, "classes", "top1", _items(split, count), classes, ("a photo of a {}.",))


def _items(split: str, count: int) -> tuple[Item, ...]:
    return tuple(Item(f"{split}/{i}.jpg", b"", i % len(CLASSES)) for i in range(count))


def _described(method: Any, settings: dict[str, Any], *, classes: bool) -> AdaptationDescription:
    return AdaptationDescription(
        method,
        BASE,
        tuple((one,) for one in CLASSES) if classes else None,
        ("a photo of a {}.",) if classes else (),
        settings,
        sha256="cd" * 32,
        trained_on=TrainedOn("shapes" if classes else "captions", "train", 52 if classes else 80, "ef" * 32),
    )
