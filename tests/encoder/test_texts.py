"""Texts through a Clip: shapes, order, batches no longer than their texts, and failures."""

from __future__ import annotations

import numpy as np
import pytest

import contralto
from contralto.encoder import runner
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
    assert max(shape[0] for shape in clip.fake.texts) <= (batch_size or len(TEXTS))
    assert clip.fake.expected == [("text", len(TEXTS))]
    np.testing.assert_allclose(rows, one_by_one(clip, TEXTS), atol=1e-6)


def test_texts_that_begin_alike_go_together(clip):
    clip.encode_text(["a red car", "two dogs", "a red house", "two cats"], batch_size=2)
    together = [clip.fake.ids[i][:, 1] for i in range(2)]
    assert all(len(set(firsts)) == 1 for firsts in together)


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


@pytest.mark.parametrize(("count", "told"), [(9, False), (10, True)])
def test_many_texts_tell_how_far_they_are_unless_the_caller_is_told(clip, monkeypatch, caplog, count, told):
    monkeypatch.setattr(runner, "MANY_TEXTS", 9)
    caplog.set_level("INFO", "contralto")
    clip.encode_text(["a cat"] * count, progress=lambda done, total: None)
    assert not caplog.records
    clip.encode_text(["a cat"] * count, batch_size=4)
    assert [(record.done, record.total) for record in caplog.records] == [(n, 10) for n in (0, 4, 8, 10)] * told
