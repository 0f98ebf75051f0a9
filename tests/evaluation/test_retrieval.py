"""Retrieval, choices and pairs, in cases worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.planned_clip import PlannedClip, picture, planned_set

from contralto.embeddings import unit
from contralto.evaluation.cached_embeddings import PictureEmbeddings, TextEmbeddings
from contralto.evaluation.choice import choice
from contralto.evaluation.retrieval import captions, retrieval
from contralto.evaluation.session import open_session
from contralto.sets.data_set import DataSet, Item


def given(rows):
    rows = unit(np.array(rows, float))
    return PictureEmbeddings(rows, tuple(bytes([i] * 32) for i in range(len(rows))), {})


def test_both_definitions_and_both_directions():
    a2 = "a2, which is longer than the context of this model"
    items = [Item("a", picture(0), captions=("a1", a2)), Item("b", picture(1), captions=("b1",))]
    data = DataSet("pairs", "test", "retrieval", "r1_image_to_text", items)
    texts = {"a1": [1.0, 0.1, 0, 0], a2: [0.1, 1.0, 0, 0], "b1": [0.5, 0.6, 0, 0]}  # a2 looks like b
    several, owners = captions(data, "a photo of {}")
    assert several == ["a photo of a1", f"a photo of {a2}", "a photo of b1"]
    assert owners.tolist() == [0, 0, 1]
    with open_session(PlannedClip(np.eye(4), texts)) as session:
        outcome = retrieval(session, data, given([[1, 0, 0, 0], [0, 1, 0, 0]]))
    figures = {figure.metric: figure.value for figure in outcome.figures}
    assert figures["r1_image_to_text"] == 0.5, "b's best text is a2"
    assert figures["share1_image_to_text"] == pytest.approx(0.25), "a: one of its two; b: none"
    assert figures["share5_image_to_text"] == 1
    assert figures["r1_text_to_image"] == pytest.approx(2 / 3)
    assert figures["median_rank_image_to_text"] == 1.5
    assert outcome.protocol["captions_cut_to_context"] == 1
    assert outcome.protocol["overlong"] == {"how": "truncate", "count": 1, "of": 3}
    assert outcome.records.direction.tolist() == ["image_to_text"] * 2 + ["text_to_image"] * 3
    assert outcome.records.text.tolist() == [-1, -1, 0, 1, 2]
    assert outcome.records.key.tolist() == ["a", "b", "a", "a", "b"]
    assert [figure.n for figure in outcome.figures][-1] == 3


def test_a_choice_is_right_above_every_wrong_text_and_each_group_has_an_outcome():
    items = [
        Item("a", picture(0), 1, captions=("x", "y", "z"), groups={"kind": "long"}),
        Item("b", picture(1), 0, captions=("x", "y"), groups={"kind": "short"}),
        Item("c", picture(2), 0, captions=("x", "y"), groups={"kind": "short"}),
    ]
    data = DataSet("choices", "test", "choice", "top1", items)
    clip = PlannedClip(np.eye(4), {})
    x, y, z = np.eye(4, dtype=np.float32)[:3]
    rows = given([[0, 1, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0]])  # y; y though x is true; a tie
    outcomes = choice(clip, data, rows, TextEmbeddings(np.stack([x, y, z, x, y, x, y]), 0, "truncate"))
    assert [(one.variant, one.figures[0].n) for one in outcomes] == [("", 3), ("kind=long", 1), ("kind=short", 2)]
    assert outcomes[0].records.predicted.tolist() == [1, 1, 1], "a tie is told as the wrong one"
    assert outcomes[0].records.rank.tolist() == [0, 1, 1]
    assert outcomes[0].figures[0].chance == pytest.approx((1 / 3 + 1 / 2 + 1 / 2) / 3)
    assert [one.figures[0].value for one in outcomes] == pytest.approx([1 / 3, 1, 0])


def test_winoground_s_three_scores():
    def pair(key):
        return [
            Item(f"{key}/0", picture(0), 0, captions=("first", "second")),
            Item(f"{key}/1", picture(1), 1, captions=("first", "second")),
        ]

    data = DataSet("pairs", "test", "pairs", "group_score", [*pair("good"), *pair("text only")])
    clip = PlannedClip(np.eye(4), {})
    first, second = np.eye(4, dtype=np.float32)[:2]
    rows = np.array([[0.9, 0.1, 0, 0], [0.1, 0.9, 0, 0], [0.3, 0.2, 0, 0], [0.5, 0.6, 0, 0]], np.float32)
    # of the second pair each picture prefers its own text, but both texts prefer the second picture
    texts = TextEmbeddings(np.stack([first, second] * 4), 1, "window")
    outcomes = choice(clip, data, replace(given(rows), embeddings=rows), texts)
    assert outcomes[0].protocol["overlong"] == {"how": "window", "count": 1, "of": 8}
    scores = {figure.metric: (figure.value, figure.chance) for figure in outcomes[0].figures}
    assert scores["text_score"] == (1, 1 / 4)
    assert scores["image_score"] == (0.5, 1 / 4)
    assert scores["group_score"] == (0.5, 1 / 6)


def test_several_labels_are_averaged_over_classes():
    from contralto.evaluation.multi_label import multi_label

    clip = PlannedClip(np.eye(4), {"a": [1, 0, 0, 0], "b": [0, 1, 0, 0]})
    data = planned_set([0, 1, 0], "ab", task="labels", metric="map11")
    items = [
        replace(data.items[0], labels=(0,)),
        replace(data.items[1], labels=(0, 1)),
        replace(data.items[2], labels=(), ignored=(0,)),
    ]
    outcome = multi_label(
        clip, replace(data, items=items), given([[0.9, 0.1, 0, 0], [0.5, 0.5, 0, 0], [1, 0, 0, 0]]), ("{}",), "bare"
    )
    assert outcome.figures[0].metric == "map11"
    assert outcome.figures[0].value == 1, "the picture that outranks them for a is not counted either way"
    assert outcome.records.scores.shape == (3, 2)
