"""Plots place values correctly, and outcomes belong to their families."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from support import fabricated_outcomes as fabricated

from contralto.evaluation.outcome import Figure
from contralto.evaluation.report import plots, words
from contralto.evaluation.report.svg import Frame, logit, padded_range, ticks
from contralto.evaluation.report.variants import by_split, headline
from contralto.metrics.calibration import reliability


def test_a_frame_maps_its_corners():
    frame = Frame((0, 2), (10, 20), width=100, height=80, left=10, right=10, top=5, bottom=15)
    assert [frame.across(v) for v in (0, 1, 2)] == [10, 50, 90]
    assert [frame.down(v) for v in (10, 15, 20)] == [65, 35, 5]


def test_a_logit_scale_is_symmetric_and_ends_are_finite():
    frame = Frame((0.1, 0.9), (0.1, 0.9), left=0, right=0, width=100, x_scale=logit)
    assert frame.across(0.5) == pytest.approx(50)
    assert frame.across(0.25) + frame.across(0.75) == pytest.approx(100)
    assert all(math.isfinite(logit(end)) for end in (0.0, 1.0))


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ([0.5], (0.45, 0.55)),
        ([0.0, 1.0], (0.0, 1.0)),
        ([0.2, 0.7], (0.16, 0.74)),
        ([math.nan], (0.0, 1.0)),
        ([1.0], (0.95, 1.0)),
    ],
)
def test_the_room_around_values(values, marks):
    assert padded_range(values) == pytest.approx(marks)


@pytest.mark.parametrize(
    ("low", "high", "names"),
    [
        (0.0, 1.0, ["0%", "20%", "40%", "60%", "80%", "100%"]),
        (0.71, 0.83, ["72%", "74%", "76%", "78%", "80%", "82%"]),
        (0.9, 0.93, ["90%", "91%", "92%", "93%"]),
    ],
)
def test_ticks_are_round(low, high, names):
    assert [name for _, name in ticks(low, high)] == names


def dots(svg: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r'<circle class="mark" cx="([\d.-]+)" cy="([\d.-]+)"', svg)]


def test_a_bin_stands_at_its_confidence_and_accuracy():
    svg = plots.reliability(reliability([0.62, 0.64, 0.62, 0.64], [True, False, False, False], bins=5))
    frame = Frame((0, 1), (0, 1), 400, 330, top=26, bottom=92)
    assert dots(svg) == [pytest.approx((frame.across(0.63), frame.down(0.25)), abs=0.06)]
    bar = re.search(r'<rect class="bar" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"', svg)
    assert float(bar[1]) == pytest.approx(frame.across(0.6) + 1, abs=0.06)
    assert float(bar[3]) == pytest.approx(frame.across(0.8) - frame.across(0.6) - 2, abs=0.11)
    assert svg.count('class="count"') == 1


def test_a_curve_has_a_dot_and_a_whisker_for_each_value():
    figures = [Figure("top1", v, v - 0.1, v + 0.1, 9) for v in (0.2, 0.4, 0.8)]
    points = [plots.plot_point(x, figure) for x, figure in enumerate(figures)]
    svg = plots.curve("Few-shot", points, ["1", "2", "4"], "shots", ("zero-shot", 0.5), limits=(0.0, 1.0))
    marks = dots(svg)
    assert marks[1][0] - marks[0][0] == pytest.approx(marks[2][0] - marks[1][0], abs=0.2)
    frame = Frame((0, 1), (0, 1), 400, 280)
    assert [y for _, y in marks] == pytest.approx([frame.down(v) for v in (0.2, 0.4, 0.8)], abs=0.06)
    assert svg.count('class="whisker"') == 3
    assert "zero-shot" in svg


def test_recall_at_k_counts_ranks_below_k():
    svg = plots.recall([("image → text", np.array([0, 0, 3, 99]))])
    points = [tuple(map(float, at.split(","))) for at in re.search(r'"curve" points="([^"]+)"', svg)[1].split()]
    frame = Frame((0, 2), (0, 1))
    assert points[0] == pytest.approx((frame.across(0), frame.down(0.5)), abs=0.06)
    assert points[-1] == pytest.approx((frame.across(2), frame.down(1.0)), abs=0.06)
    before = [y for x, y in points if x < frame.across(math.log10(4)) - 0.06]
    assert min(before) == pytest.approx(frame.down(0.5), abs=0.06)


def test_the_small_strip_runs_from_0_to_1():
    assert dots(plots.interval_track(Figure("top1", 0.25, 0.2, 0.3, 9))) == [(24.0, 7.0)]


def test_variants_find_their_family():
    names = [
        "",
        "templates imagenet-7",
        "few-shot 16",
        "gaussian_noise 3",
        "gaussian_noise 1",
        "linear probe",
        "k-NN 5",
    ]
    outcomes = [fabricated.outcome(variant=name) for name in names]
    split, other = by_split([*outcomes, fabricated.outcome(set="other")])
    assert [one.variant for one in split.others] == ["", "linear probe", "k-NN 5"]
    assert split.main is outcomes[0]
    assert list(split.templates) == ["imagenet-7"]
    assert list(split.few_shot) == [16]
    assert {name: sorted(each) for name, each in split.corruptions.items()} == {"gaussian_noise": [1, 3]}
    assert len(split.all) == len(outcomes)
    assert (other.set, len(other.all)) == ("other", 1)


def test_the_headline_is_the_metric_asked_for_or_else_the_first():
    outcome = fabricated.outcome()
    assert headline(outcome).metric == "top1"
    assert headline(outcome, "mean_per_class").metric == "mean_per_class"
    assert headline(outcome, "auc").metric == "top1"
    assert headline(fabricated.outcome(figures=())) is None
    assert headline(fabricated.outcome(figures=(Figure("auc", math.nan, None, None, 1),))) is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("top1", "top-1"),
        ("r10_text_to_image", "R@10, text → image"),
        ("median_rank_image_to_text", "median rank, image → text"),
        ("map11", "11-point mAP"),
        ("group_score", "group score"),
        ("<b>", "&lt;b&gt;"),
    ],
)
def test_metrics_have_names_for_people(name, said):
    assert words.metric(name) == said


def test_numbers_are_said_in_percent_but_for_ranks():
    assert words.number("top1", 0.8449) == "84.5"
    assert words.number("median_rank_image_to_text", 2.5) == "2.5"
    assert words.number("auc", math.nan) == "–"
    assert [words.signed(v) for v in (1.25, -0.31, -0.04, 0.0)] == ["+1.2", "−0.3", "0.0", "0.0"]
