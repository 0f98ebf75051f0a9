"""Retrieval against scores computed pair by pair in float64, to the last tie, and the two definitions of recall."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contralto.errors import DataError
from contralto.metrics import counting, median_rank, recall, retrieval_ranks, share_recall, top_k
from contralto.metrics.counting import exact


def scored(images, texts):
    return np.array([[(a.astype(np.float64) * b.astype(np.float64)).sum() for b in texts] for a in images])


def plain(images, texts, owners):
    """Both directions, and for the share the place of each text among all when its picture asks, by sorting."""
    scores = scored(images, texts)
    to_text, own_texts = np.empty(len(images), int), np.empty(len(texts), int)
    for i, row in enumerate(scores):
        order = sorted(range(len(texts)), key=lambda j: (-row[j], owners[j] == i))
        places = [order.index(j) for j in range(len(texts)) if owners[j] == i]
        to_text[i] = min(places)
        own_texts[owners == i] = places
    to_image = [
        sorted(range(len(images)), key=lambda i: (-scores[i, j], i == owners[j])).index(owners[j])
        for j in range(len(texts))
    ]
    return to_text, np.array(to_image), own_texts


def owned(random, pictures, more):
    return random.permutation(np.concatenate([np.arange(pictures), random.integers(0, pictures, more)]))


def rows(random, kind, count, width):
    matrix = random.standard_normal((count, width)).astype(np.float32)
    if kind == "whole numbers":
        return matrix.round()
    if kind == "repeated":
        return matrix[random.integers(0, max(1, count // 3), count)]
    if kind == "nearly equal":
        return (1 + matrix * 1e-7).astype(np.float32)
    if kind == "half":
        return matrix.astype(np.float16)
    if kind == "double":
        return matrix.astype(np.float64) / 3
    if kind == "of all sizes":
        return (matrix * 10.0 ** random.integers(-30, 19, (count, 1))).astype(np.float32)
    if kind == "beyond float32":
        return matrix * 10.0 ** random.integers(-250, 150, (count, 1)).astype(np.float64)
    return matrix


KINDS = ["any", "whole numbers", "repeated", "nearly equal", "half", "double", "of all sizes", "beyond float32"]


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 10_000), st.integers(1, 14), st.integers(0, 25), st.integers(1, 40), st.sampled_from(KINDS))
def test_ranks_are_those_of_sorting_float64_scores(seed, pictures, more, width, kind):
    random = np.random.default_rng(seed)
    owners = owned(random, pictures, more)
    images, texts = rows(random, kind, pictures, width), rows(random, kind, len(owners), width)
    if kind == "repeated":
        texts[random.random(len(texts)) < 0.3] = images[0]
    ranks = retrieval_ranks(images, texts, owners)
    for ours, theirs in zip(ranks[:2], plain(images, texts, owners)[:2], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    _, _, own_texts = plain(images, texts, owners)
    for k in (1, 2, 5):
        shares = [np.mean(own_texts[owners == i] < k) for i in range(pictures)]
        assert share_recall(ranks.own_texts, owners, k) == pytest.approx(np.mean(shares))


@pytest.mark.parametrize("kind", KINDS)
def test_it_does_not_matter_where_blocks_end(kind, monkeypatch):
    random = np.random.default_rng(5)
    owners = owned(random, 40, 90)
    images, texts = rows(random, kind, 40, 24), rows(random, kind, 130, 24)
    whole = retrieval_ranks(images, texts, owners)
    for name, size in {
        "TEXTS_PER_BLOCK": 7,
        "IMAGES_PER_BLOCK": 9,
        "IMAGES_PER_STRIPE": 4,
        "SCORES_COMPARED": 30,
        "VALUES_PER_STEP": 50,
    }.items():
        monkeypatch.setattr(counting, name, size)
    for ours, theirs in zip(whole, retrieval_ranks(images, texts, owners), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dense", [1, 10**9])
def test_single_pairs_and_blocks_of_float64_agree(dense, kind, monkeypatch):
    random = np.random.default_rng(6)
    owners = owned(random, 20, 30)
    images, texts = rows(random, kind, 20, 50), rows(random, kind, 50, 50)
    monkeypatch.setattr(counting, "PAIRS_PER_EXACT", dense)
    for ours, theirs in zip(retrieval_ranks(images, texts, owners)[:2], plain(images, texts, owners)[:2], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 700))
def test_a_pair_scores_the_same_alone_and_among_others(seed, count, width):
    random = np.random.default_rng(seed)
    images, texts = random.standard_normal((2, count, width)).astype(np.float32)
    alone = [(a.astype(np.float64) * b.astype(np.float64)).sum() for a, b in zip(images, texts, strict=True)]
    np.testing.assert_array_equal(exact(images, texts, np.arange(count), np.arange(count)), alone)


def test_rounding_in_float32_alone_would_give_another_answer():
    """The right text is better by less than float32 can tell, in a sum whose order matters to it."""
    images = np.array([[1.0, 1e4, -1e4]], np.float32)
    texts = np.array([[1e-4, 1.0, 1.0], [0.0, 1.0, 1.0]], np.float32)
    ranks = retrieval_ranks(np.concatenate([images, -images]), texts, np.array([0, 1]))
    assert ranks.image_to_text.tolist() == [0, 0]
    assert ranks.text_to_image.tolist() == [0, 1]


def test_a_constant_model_finds_nothing_even_among_many():
    owners = np.repeat(np.arange(3000), 5)
    ranks = retrieval_ranks(np.ones((3000, 64), np.float32), np.ones((15000, 64), np.float32), owners)
    assert set(ranks.image_to_text) == {14995}
    assert set(ranks.text_to_image) == {2999}
    assert share_recall(ranks.own_texts, owners, 10) == 0.0


def test_recall_by_hand():
    images = np.array([[1, 0], [0, 1]], np.float32)
    texts = np.array([[1, 0], [0.9, 0.5], [0.8, 0.6], [0, 1]], np.float32)  # the third is of picture 1, but nearer to 0
    owners = [0, 0, 1, 1]
    assert recall(images, texts, owners, 1) == (1.0, 0.75)
    assert recall(images, texts, owners, 2).text_to_image == 1.0
    ranks = retrieval_ranks(images, texts, owners)
    assert ranks.own_texts.tolist() == [0, 1, 1, 0]
    assert share_recall(ranks.own_texts, owners, 1) == 0.5
    assert share_recall(ranks.own_texts, owners, 2) == 1.0


def test_share_and_any_agree_for_one_text_a_picture():
    random = np.random.default_rng(2)
    images, texts = random.standard_normal((2, 60, 8)).astype(np.float32)
    ranks = retrieval_ranks(images, texts, np.arange(60))
    for k in (1, 5, 10):
        assert share_recall(ranks.own_texts, np.arange(60), k) == top_k(ranks.image_to_text, k)


def test_the_median_rank_counts_from_one():
    assert median_rank([0, 0, 4]) == 1.0
    assert median_rank([0, 1]) == 1.5
    with pytest.raises(DataError, match="at least one item"):
        median_rank([])


def test_progress_ends_at_all_pairs(monkeypatch):
    monkeypatch.setattr(counting, "TEXTS_PER_BLOCK", 4)
    seen = []
    rows_ = np.random.default_rng(0).standard_normal((10, 3)).astype(np.float32)
    retrieval_ranks(rows_, rows_, np.arange(10), progress=lambda *now: seen.append(now))
    assert seen == [(40, 100), (80, 100), (100, 100)]


ROWS = np.eye(3, dtype=np.float32)


@pytest.mark.parametrize(
    ("images", "texts", "owners", "message"),
    [
        (ROWS, ROWS[:, :2], [0, 1, 2], "disagree"),
        (ROWS, ROWS, [0, 1], "one for each text"),
        (ROWS, ROWS, [0.0, 1.0, 2.0], "whole numbers"),
        (ROWS, ROWS, [0, 1, 3], r"owners\[2\] is 3, which is not one of the 3 pictures"),
        (ROWS, ROWS, [0, -1, 2], r"owners\[1\] is -1"),
        (ROWS, ROWS, [0, 0, 2], "picture 1 has no text"),
        (ROWS[:0], ROWS[:0], np.array([], int), "at least one picture"),
        (ROWS * np.nan, ROWS, [0, 1, 2], "row 0 of the images is not finite"),
        (ROWS, np.where(ROWS == 1, np.inf, 0), [0, 1, 2], "row 0 of the texts is not finite"),
    ],
)
def test_what_cannot_be_ranked_is_said_in_a_line(images, texts, owners, message):
    with pytest.raises(DataError, match=message):
        retrieval_ranks(images, texts, np.asarray(owners))
