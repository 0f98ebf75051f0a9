"""The comparison of two reports: values against SciPy and by hand, and the cases that it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from support import fabricated_outcomes as fabricated

from contralto.evaluation.compare import compare, differing_entries
from contralto.evaluation.condition import PLAIN, Condition
from contralto.evaluation.outcome import Figure, Outcome, Records
from contralto.evaluation.report_files import EvaluationReport
from contralto.metrics.calibration import ece
from contralto.metrics.paired import holm


def report(*outcomes: Outcome) -> EvaluationReport:
    return EvaluationReport({"name": "m"}, outcomes)


def two(**other):
    """Two models on the same set, the first the better one."""
    return tuple(
        report(fabricated.outcome(fabricated.records(n=400, seed=seed, skill=skill), **other))
        for seed, skill in ((1, 2.5), (2, 1.5))
    )


def test_top1_has_the_exact_test_of_mcnemar():
    a, b = two()
    row = compare(a, b)[0]
    right = [one.outcomes[0].records.rank == 0 for one in (a, b)]
    only = [int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())]
    assert row.p == pytest.approx(scipy.stats.binomtest(only[0], sum(only)).pvalue, rel=1e-9)
    assert (row.metric, row.n) == ("top1", 400)
    assert row.difference == pytest.approx(right[0].mean() - right[1].mean(), abs=1e-12)
    assert row.low < row.difference < row.high
    spread = np.std(right[0].astype(float) - right[1]) / 20
    assert row.high - row.low == pytest.approx(2 * 1.96 * spread, rel=0.1)


def test_p_is_adjusted_over_all_rows():
    a, b = two()
    rows = compare(a, b)
    assert [row.p_holm for row in rows] == pytest.approx(holm([row.p for row in rows]).tolist())
    assert rows[0].p_holm > rows[0].p


def test_a_model_does_not_differ_from_itself():
    a = two()[0]
    for row in compare(a, a):
        assert (row.difference, row.low, row.high, row.p, row.p_holm, row.reason) == (0, 0, 0, 1, 1, "")


def test_the_seed_decides():
    a, b = two()
    assert compare(a, b, seed=3) == compare(a, b, seed=3)
    assert compare(a, b, seed=3)[0].low != compare(a, b, seed=4)[0].low


def test_captions_are_drawn_by_picture():
    """When all captions of a picture are right or wrong together, the interval is as wide as that of the pictures."""
    generator = np.random.default_rng(0)
    hits = [generator.random(200) < share for share in (0.7, 0.5)]

    def outcome(right, captions):
        made = Records(
            key=np.repeat([f"{i}.jpg" for i in range(200)], captions).astype(object),
            label=np.full(200 * captions, -1),
            predicted=np.full(200 * captions, -1),
            confidence=np.full(200 * captions, np.nan),
            rank=np.repeat(np.where(right, 0, 3), captions),
            direction=np.array(["text_to_image"] * 200 * captions, object),
            text=np.arange(200 * captions),
        )
        figure = Figure("r1_text_to_image", float(right.mean()), None, None, 200 * captions)
        return Outcome("captions", "test", "retrieval", PLAIN, (figure,), {}, made)

    one, five = (compare(*(report(outcome(right, captions)) for right in hits))[0] for captions in (1, 5))
    assert five.high - five.low == pytest.approx(one.high - one.low, rel=0.1)
    assert five.n == 1000


def test_both_directions_of_retrieval():
    a, b = (report(fabricated.retrieval(pictures=60, seed=seed, spread=spread)) for seed, spread in ((0, 3), (1, 6)))
    rows = {row.metric: row for row in compare(a, b)}
    assert all(row.reason == "" for row in rows.values())
    median = rows["median_rank_image_to_text"]
    assert median.difference == median.a - median.b < 0
    assert rows["r1_text_to_image"].p < 0.01


def pairs_won(scores, label):
    """The ROC area as it is defined."""
    return (scores[label == 1][:, None] > scores[label == 0]).mean()


@pytest.mark.parametrize("metric", ["mean_top1_top5", "ece", "auc", "top5"])
def test_every_metric_comes_out_of_the_records(metric):
    def outcome(seed, skill):
        made = fabricated.records(n=300, classes=2 if metric == "auc" else 8, seed=seed, skill=skill)
        value = {
            "mean_top1_top5": ((made.rank < 1).mean() + (made.rank < 5).mean()) / 2,
            "top5": (made.rank < 5).mean(),
            "ece": ece(made.confidence, made.rank == 0),
            "auc": pairs_won(made.scores[:, 0], made.label) if metric == "auc" else 0,
        }[metric]
        return fabricated.outcome(made, figures=(Figure(metric, float(value), None, None, 300),))

    row = compare(report(outcome(0, 2.0)), report(outcome(1, 0.5)), resamples=300)[0]
    assert row.reason == ""
    assert row.low < row.difference < row.high


def test_other_items_are_not_compared():
    a, b = two()
    made = b.outcomes[0]
    protocol = {**made.protocol, "split_sha256": "7" * 64}
    key = made.records.key.copy()
    key[5] = "another.jpg"
    for changed, reason in (
        (replace(made, protocol=protocol), "the splits differ (another hash)"),
        (replace(made, records=replace(made.records, key=key)), "the items differ"),
        (replace(made, records=fabricated.records(n=399)), "the items differ"),
    ):
        rows = compare(a, report(changed))
        assert [(row.difference, row.p, row.p_holm, row.reason) for row in rows] == [(None, None, None, reason)] * 2


def test_what_the_records_do_not_give_has_no_test():
    a = two()[0]
    figures = (
        Figure("top1", 0.123, 0.1, 0.2, 400),
        Figure("map11", 0.5, None, None, 400),
        Figure("ece", 0.1, 0, 1, 400),
    )
    odd = replace(a.outcomes[0], figures=figures)
    odd.records.confidence[3] = np.nan
    rows = compare(report(odd), report(odd))
    assert [row.reason.partition(": ")[2] for row in rows] == [
        "the records do not give the stated figure",
        "the records do not hold what this metric is made of",
        "the records do not give the stated figure",
    ]
    assert [(row.difference, row.low, row.p) for row in rows] == [(0, None, None)] * 3


def test_only_what_both_have_is_compared():
    a, b = two()
    extra = replace(a.outcomes[0], condition=Condition("linear_probe"))
    assert [row.variant for row in compare(report(extra, *a.outcomes), b)] == ["", ""]
    assert compare(report(extra), b) == []


def test_protocols_that_differ_are_named():
    same = {"split_sha256": "x"}
    a = fabricated.outcome(protocol={**same, "model": "a", "templates": ["{}"], "precision": "fp32"})
    b = fabricated.outcome(protocol={**same, "model": "b", "templates": ["a {}"], "scale": 100.0})
    assert differing_entries(a, b) == ["templates", "precision", "scale"]
    assert differing_entries(a, a) == []
