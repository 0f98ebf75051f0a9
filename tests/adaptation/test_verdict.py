"""The verdict: the exact test, what could have shown, and no help where there is nothing to learn."""

from __future__ import annotations

from dataclasses import replace
from math import comb

import numpy as np
import pytest
from support import fabricated_outcomes as fabricated
from support.adaptable import drawn_rows
from support.adaptation_reports import pair

from contralto.adaptation.choose import choose
from contralto.adaptation.methods import CLASSIFIERS
from contralto.adaptation.verdict import SIGNIFICANCE, verdict
from contralto.errors import DataError
from contralto.metrics import mcnemar


def exact(won, lost):
    """McNemar's exact two-sided p: a fair coin for each answer that turned."""
    turned = won + lost
    return min(1.0, 2 * sum(comb(turned, k) for k in range(min(won, lost) + 1)) / 2**turned)


@pytest.mark.parametrize(
    ("won", "lost", "word"),
    [(14, 2, "helped"), (2, 14, "hurt"), (6, 0, "helped"), (5, 0, "no difference"), (0, 0, "no difference"),
     (9, 3, "no difference"), (10, 2, "helped"), (7, 7, "no difference")],
)  # fmt: skip
def test_the_word_follows_the_exact_test(won, lost, word):
    got = verdict(*pair(won, lost), "top1")
    assert got.word == word
    assert got.p == pytest.approx(exact(won, lost))
    assert got.difference == pytest.approx((won - lost) / 60)
    assert got.low <= got.difference <= got.high
    assert (got.metric, got.n) == ("top1", 60)


@pytest.mark.parametrize("lost", [0, 1, 3, 10])
def test_the_detectable_gain_is_the_smallest_with_p_below_5_percent(lost):
    """By the coin: with this many lost answers, one won answer less would not do."""
    detectable = verdict(*pair(lost, lost), "top1").detectable
    won = round(detectable * 60) + lost
    assert exact(won, lost) < SIGNIFICANCE <= exact(won - 1, lost)


def test_no_gain_is_detectable_where_too_few_answers_are_wrong():
    """60 pictures, of which the base gets 55 right: five won answers have p = 1 / 16."""
    before, after = (replace(one, records=replace(one.records)) for one in pair(0, 0))
    for wrong, detectable in ((5, None), (6, 0.1)):
        records = replace(before.records, rank=np.where(np.arange(60) < wrong, 1, 0))
        value = 1 - wrong / 60
        figures = tuple(replace(one, value=value) for one in before.figures if one.metric == "top1")
        outcomes = [replace(one, records=records, figures=figures) for one in (before, after)]
        got = verdict(*outcomes, "top1")
        assert got.detectable == (None if detectable is None else pytest.approx(detectable))


def test_captions_have_no_detectable_gain_and_a_bootstrap_p():
    one, other = fabricated.retrieval(), fabricated.retrieval(seed=1)
    got = verdict(one, other, "r1_image_to_text")
    assert got.detectable is None
    assert 0 <= got.p <= 1


def test_other_pictures_are_refused():
    one, other = pair()
    with pytest.raises(DataError, match="before and after cannot be compared: the splits differ"):
        verdict(one, replace(other, protocol={"split_sha256": "0" * 64}), "top1")


@pytest.mark.parametrize("names", [("kernel",), ("prototypes",), ("zero-shot", "prototypes", "kernel")])
def test_random_labels_are_called_helped_in_at_most_5_of_100_draws(names):
    """40 pictures to fit and 60 to measure, whose labels say nothing about them. The base is no better than chance."""
    helped = 0
    for seed in range(100):
        rows = drawn_rows((50, 50), seed=1000 + seed, views=1, columns=8)
        labels = np.random.default_rng(seed).permutation(rows.labels)
        rows = replace(rows, labels=labels, folds=np.arange(100) % 5)
        fit = replace(rows.of_places(np.arange(40)), folds=rows.folds[:40])
        choice = choose([CLASSIFIERS[name] for name in names], fit, lambda *told: None)
        x, own = rows.embeddings[40:], labels[40:]
        after = choice.fit(fit).classifier(rows.scale).logits(x).argmax(axis=1) == own
        before = (x @ rows.zero_shot.T).argmax(axis=1) == own
        helped += bool(mcnemar(after, before) < SIGNIFICANCE and after.sum() > before.sum())
    assert helped <= 5
