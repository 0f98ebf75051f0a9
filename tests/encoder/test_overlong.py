"""Texts that are longer than the context: each way against its definition, recomputed one text at a time."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from support.plain_parts import fits, plain_sentence_spans, plain_sentences, plain_windows

import contralto
from contralto.encoder import overlong
from contralto.encoder.overlong import pool_sentences, pool_windows
from contralto.errors import ContraltoError, TextError
from contralto.text import tokenizer as tokenizers

SHORT = ["a dog", "", "a photo of a cat."]
LONG = [
    "A red dog runs. Two cats sleep in the sun! Where is the small blue house? It is by the sea, near a tree.\n"
    "The end. A red dog runs.",
    "word " * 50,
    "One two. " + "three four five " * 20 + "six. Seven!",
    "1234567890" * 9,
    "Tiny. " * 40,
]
PARTS = ("sentences", "window", "compress")


def unit(row: np.ndarray) -> np.ndarray:
    return row / np.linalg.norm(row)


@pytest.fixture
def plain(clip):
    """plain(text, way): the embedding by the definition, in float64."""
    words = tokenizers.load(clip.contract.text)
    room = clip.contract.text.context - 2

    def row(text: str) -> np.ndarray:
        return unit(clip.fake.text(words.tokenize(text, truncate=True))[0].astype(np.float64))

    def sentences(text: str) -> np.ndarray:
        return unit(sum(tokens * row(piece) for piece, tokens in plain_sentences(text, words, room)))

    def window(text: str) -> np.ndarray:
        rows = np.stack([row(piece) for piece, _ in plain_windows(text, words, room)])
        weights = np.exp(10 * rows @ unit(rows.mean(axis=0)))
        return unit((weights / weights.sum()) @ rows)

    def compress(text: str) -> np.ndarray:
        several = [text[spans[0][0] : spans[-1][1]] for spans in plain_sentence_spans(text)]
        whole = sentences(text)
        order = sorted(range(len(several)), key=lambda i: (-round(float(row(several[i]) @ whole), 6), i))
        taken: list[int] = []
        for place in order:
            if fits(words, " ".join(several[i] for i in sorted([*taken, place]))):
                taken.append(place)
        return row(" ".join(several[i] for i in sorted(taken)) or text)

    return lambda text, way: {"sentences": sentences, "window": window, "compress": compress}[way](text)


@pytest.mark.parametrize("way", PARTS)
def test_each_way_is_its_definition_and_texts_that_fit_are_as_ever(clip, plain, way):
    texts = [LONG[0], SHORT[0], LONG[1], *LONG[2:4], *SHORT[1:], LONG[4]]
    with pytest.warns(UserWarning, match=f"5 of 8 texts do not fit 32 tokens: each is {overlong.TOLD[way]}") as caught:
        rows = clip.encode_text(texts, overlong=way)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert rows.dtype == np.float32
    for text, row in zip(texts, rows, strict=True):
        if text in SHORT:
            np.testing.assert_allclose(row, clip.encode_text(text), atol=1e-6)
        else:
            np.testing.assert_allclose(row, plain(text, way), atol=1e-6)


@pytest.mark.parametrize("way", PARTS)
def test_all_parts_go_to_the_engine_together_and_equal_parts_once(clip, way):
    with pytest.warns(UserWarning, match="not fit"):
        clip.encode_text([*LONG, *SHORT, *LONG], overlong=way)
    assert len(clip.fake.expected) == (2 if way == "compress" else 1), "compress encodes its choice afterwards"
    several = clip.fake.ids[0]
    assert len(np.unique(several, axis=0)) == len(several)


@pytest.mark.parametrize("way", [*PARTS, "truncate"])
def test_texts_that_fit_are_told_nothing_and_go_one_way(clip, way):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = clip.encode_text(SHORT, overlong=way)
    assert rows.tobytes() == clip.encode_text(SHORT).tobytes()
    assert clip.encode_text([], overlong=way).shape == (0, clip.contract.embedding)


@pytest.mark.parametrize("way", PARTS)
def test_one_text_gives_one_row_and_failures_are_skipped(clip, way):
    with pytest.warns(UserWarning, match="1 of 1 texts does not fit"):
        alone = clip.encode_text(LONG[0], overlong=way)
    assert alone.shape == (clip.contract.embedding,)
    with pytest.warns(UserWarning, match="1 of 2 texts does"):
        rows, failures = clip.encode_text([None, "a dog", "\ud800", LONG[0]], overlong=way, on_error="skip")
    assert [(one.index, one.item) for one in failures] == [(0, None), (2, "\ud800")]
    np.testing.assert_allclose(rows, [clip.encode_text("a dog"), alone], atol=1e-6)
    with pytest.raises(TextError, match="text 0 None"):
        clip.encode_text([None, LONG[0]], overlong=way)


def test_a_word_that_lost_its_end_is_told(clip):
    with pytest.warns(UserWarning, match="by its sentences nearest to the whole; 1 word longer than the context lost"):
        row = clip.encode_text(LONG[3], overlong="compress")
    with pytest.warns(UserWarning, match="cut to 32 tokens"):
        np.testing.assert_allclose(row, clip.encode_text(LONG[3], overlong="truncate"), atol=1e-6)


def test_compress_keeps_the_old_order_and_the_earlier_of_equal_sentences(clip):
    words = tokenizers.load(clip.contract.text)
    text = "Where is the dog? " + "A red car. " * 12
    assert not fits(words, text)
    with pytest.warns(UserWarning, match="not fit"):
        clip.encode_text(text, overlong="compress")
    chosen = words.decode(clip.fake.ids[-1][0])
    assert chosen in (" ".join(["a red car ."] * 7), " ".join(["where is the dog ?", *["a red car ."] * 6]))


def test_truncate_and_overlong_are_one_choice(clip):
    with pytest.warns(UserWarning, match="cut to 32 tokens: text 0"):
        by_name = clip.encode_text(LONG[0], overlong="truncate")
    with pytest.warns(UserWarning, match="cut to 32 tokens: text 0"):
        assert (clip.encode_text(LONG[0], truncate=True, overlong="truncate") == by_name).all()
    with pytest.raises(ContraltoError, match="overlong='window' is given too"):
        clip.encode_text(LONG[0], truncate=True, overlong="window")
    with pytest.raises(TextError, match="the limit is 32"):
        clip.encode_text(LONG[0], overlong="error")


@pytest.mark.parametrize("wrong", ["cut", "", None, True, 3, [], "LEARNED"])
def test_an_unknown_way_is_one_line(clip, wrong):
    with pytest.raises(ContraltoError, match="overlong must be one of error, truncate") as caught:
        clip.encode_text("a", overlong=wrong)
    assert str(caught.value).isprintable()


def test_learned_needs_a_pooler_and_hands_it_the_parts_in_their_order(clip, make_clip):
    with pytest.raises(ContraltoError, match=r"no pooler.*contralto adapt CAPTIONS --method long"):
        clip.encode_text("a", overlong="learned")
    assert clip.overlong_ways == ("error", "truncate", "sentences", "window", "compress")
    seen = []

    def first_part(rows, tokens):
        seen.append((rows, tokens))
        return rows[0]

    learned = make_clip(pooler=first_part)
    assert learned.overlong_ways[-1] == "learned"
    with pytest.warns(UserWarning, match="1 of 2 texts does not fit 32 tokens: each is pooled .* the model's pooler"):
        rows = learned.encode_text(["a dog", LONG[2]], overlong="learned")
    ((given, tokens),) = seen
    words = tokenizers.load(clip.contract.text)
    pieces = plain_sentences(LONG[2], words, 30)
    assert tokens.tolist() == [count for _, count in pieces]
    np.testing.assert_allclose(given, clip.encode_text([piece for piece, _ in pieces]), atol=1e-6)
    assert (rows[1] == given[0]).all()


def test_pooling_by_hand():
    rows = np.eye(3, dtype=np.float32)[:2]
    assert pool_sentences(rows, np.array([3, 4])).tolist() == pytest.approx([0.6, 0.8, 0])
    assert pool_windows(rows).tolist() == pytest.approx([0.5**0.5, 0.5**0.5, 0])
    outlier = np.array([[1, 0], [1, 0], [-1, 0.0]], np.float32)  # mean (1/3, 0): logits 10, 10, -10
    assert pool_windows(outlier).tolist() == pytest.approx([1, 0], abs=1e-6)
    same = unit(np.array([1.0, 2, 3])).astype(np.float32)
    assert pool_windows(np.stack([same] * 4)) == pytest.approx(same)


def test_nano_reads_what_truncation_does_not():
    """The last sentence is what the text is about: it moves the row of every way that reads it."""
    clip = contralto.load("nano", precision="fp32")
    text = "Nothing is said here about any picture at all. " * 9 + "A brown dog runs on the beach."
    dog = clip.encode_text("A brown dog runs on the beach.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        cosine = {way: float(clip.encode_text(text, overlong=way) @ dog) for way in ("truncate", *PARTS)}
    assert all(cosine[way] > cosine["truncate"] for way in PARTS), cosine
