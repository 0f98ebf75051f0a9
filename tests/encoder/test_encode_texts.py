"""Texts through a Clip: shapes, order, batches no longer than their texts, and failures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import contralto
from contralto import contract
from contralto.encoder.runner import lengths
from contralto.errors import TextError

TEXTS = ["a dog", "cat", "two red cars beside a very small blue house!", "", "!!!", "a photo of a 7", "ñandú 🐈"] * 9


def one_by_one(clip, texts) -> np.ndarray:
    """The plain way: each text alone, padded to the full context."""
    rows = [clip.fake.text(clip.tokenize(text))[0].astype(np.float64) for text in texts]
    return np.stack([row / np.linalg.norm(row) for row in rows])


@pytest.mark.parametrize("batch_size", [None, 1, 5, 1000])
def test_a_list_keeps_its_order_whatever_the_batches(clip, batch_size):
    rows = clip.encode_text(TEXTS, batch_size=batch_size)
    assert rows.dtype == np.float32
    assert max(shape[0] for shape in clip.fake.texts) <= (batch_size or 32)
    np.testing.assert_allclose(rows, one_by_one(clip, TEXTS), atol=1e-6)


def test_batches_reach_no_further_than_their_longest_text(clip):
    clip.encode_text(["a " * n for n in range(1, 13)], batch_size=4)
    assert clip.fake.texts == [(4, 6), (4, 10), (4, 14)]  # start, words, end


def test_shapes(clip):
    width = clip.contract.embedding
    assert clip.encode_text("a dog").shape == (width,)
    assert clip.encode_text(["a dog"]).shape == (1, width)
    assert clip.encode_text([]).shape == (0, width)
    assert clip.encode_text(t for t in ("a", "b")).shape == (2, width)
    assert clip.encode_text(np.array(["a", "b"])).shape == (2, width)
    assert clip.tokenize("a dog").shape == (1, clip.contract.text.context)
    assert clip.tokenize([]).shape == (0, clip.contract.text.context)


@pytest.mark.parametrize("given", [None, 3, b"a dog", {"a": 1}])
def test_what_is_no_text_is_an_error(clip, given):
    with pytest.raises(contralto.ContraltoError, match="string"):
        clip.encode_text(given)


def test_an_over_long_text_is_named(clip):
    long = "every word counts " * 20
    with pytest.raises(TextError, match=r'text 1 "every word counts .*62 tokens.* 32'):
        clip.encode_text(["a", long])
    rows, failures = clip.encode_text(["a", long, "\ud800", "b", None], on_error="skip")
    np.testing.assert_allclose(rows, one_by_one(clip, ["a", "b"]), atol=1e-6)
    assert [(failure.index, failure.item) for failure in failures] == [(1, long), (2, "\ud800"), (4, None)]
    rows, failures = clip.encode_text(long, on_error="skip")
    assert (rows.shape, len(failures)) == ((0, clip.contract.embedding), 1)


def test_truncation_names_what_it_cut(clip):
    long = "word " * 40
    with pytest.warns(UserWarning, match=r"cut to 32 tokens: text 1 \('word ") as caught:
        rows = clip.encode_text(["a", long], truncate=True)
    assert caught[0].filename == __file__
    np.testing.assert_allclose(rows[1], clip.encode_text("word " * 30), atol=1e-6)
    with pytest.warns(UserWarning, match="and 2 more"):
        assert clip.tokenize([long] * 7, truncate=True).shape == (7, 32)


def test_progress_reaches_the_total(clip):
    seen = []
    clip.encode_text(TEXTS, batch_size=20, progress=lambda *p: seen.append(p))
    assert seen == [(20, 63), (40, 63), (60, 63), (63, 63)]


def ids_of(words: list[int], context: int, end: int | None, pad: int) -> list[int]:
    ids = [1, *words, *([end] if end is not None else [])]
    return ids + [pad] * (context - len(ids))


@settings(max_examples=50)
@given(st.lists(st.lists(st.integers(2, 40), max_size=6), min_size=1, max_size=5))
def test_lengths_cover_all_that_a_tower_sees_and_no_more(rows):
    spec = contract.preset("tiny").text
    causal = np.array([ids_of(row, 10, 49407, 0) for row in rows])
    assert lengths(causal, spec).tolist() == [len(row) + 2 for row in rows]
    unmasked = dataclasses.replace(spec, tower=dataclasses.replace(spec.tower, mask="none"))
    assert lengths(causal, unmasked).tolist() == [10] * len(rows)
    bert = contract.preset("nano").text
    assert lengths(np.array([ids_of(row, 10, 2, bert.pad) for row in rows]), bert).tolist() == [
        len(row) + 2 for row in rows
    ]
