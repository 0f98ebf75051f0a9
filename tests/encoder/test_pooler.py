"""The learned pooler: its formula, its start, its gradient, and what it learns."""

from __future__ import annotations

import numpy as np
import pytest

from contralto.embeddings import unit
from contralto.encoder.overlong import pool_sentences
from contralto.encoder.pooler import LearnedPooler
from contralto.encoder.pooler_training import SENTENCES, PooledBatch, TextParts, fit_pooler, long_texts, parts_of
from contralto.errors import ContraltoError, WeightsError
from contralto.evaluation.long_texts import FILLER
from contralto.text.parts import sentences

WIDTH = 6


def zeros(width: int = WIDTH) -> dict[str, np.ndarray]:
    return {"pooler.query": np.zeros(width), "pooler.place": np.zeros(2), "pooler.length": np.zeros(())}


def drawn(count: int, seed: int = 0) -> list[TextParts]:
    random = np.random.default_rng(seed)
    several = []
    for number in range(count):
        size = 1 + number % 4
        tokens = random.integers(1, 60, size)
        several.append(TextParts(unit(random.standard_normal((size, WIDTH))), tokens))
    return several


def test_zero_parameters_give_the_sentences_row():
    pooler = LearnedPooler(zeros())
    for rows, tokens in drawn(12):
        np.testing.assert_allclose(pooler(rows, tokens), pool_sentences(rows, tokens), atol=1e-6)


def test_the_weights_are_the_formula():
    random = np.random.default_rng(1)
    query, place, length = random.standard_normal(WIDTH), random.standard_normal(2), 0.3
    pooler = LearnedPooler({"pooler.query": query, "pooler.place": place, "pooler.length": np.array(length)})
    for rows, tokens in drawn(8):
        total = np.zeros(WIDTH)
        for p, (row, count) in enumerate(zip(rows.astype(float), tokens, strict=True)):
            where = np.array([p / max(len(tokens) - 1, 1), 1 / (1 + p)])
            total += count * np.exp(query @ row + place @ where + length * np.log(count)) * row
        np.testing.assert_allclose(pooler(rows, tokens), total / np.linalg.norm(total), atol=1e-6)


def test_a_part_without_tokens_weighs_nothing():
    rows = np.eye(WIDTH, dtype=np.float32)[:2]
    pooler = LearnedPooler(zeros())
    assert pooler(rows, np.array([0, 5])).tolist() == rows[1].tolist()
    assert pooler(rows, np.array([0, 0])) == pytest.approx(unit(rows.sum(axis=0)))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"pooler.query": np.zeros((2, 3)), "pooler.place": np.zeros(2), "pooler.length": np.zeros(())},
        {**zeros(), "pooler.place": np.zeros(3)},
        {**zeros(), "pooler.length": np.zeros(1)},
        {**zeros(), "pooler.length": np.array(np.nan)},
        {**zeros(), "text": np.zeros(2)},
    ],
)
def test_other_tensors_are_refused(wrong):
    with pytest.raises(WeightsError, match="pooler") as caught:
        LearnedPooler(wrong)
    assert str(caught.value).isprintable()


def plain_loss(parts: list[TextParts], pictures: np.ndarray, owners: np.ndarray, scale: float, parameters) -> float:
    """Symmetric InfoNCE, pair by pair, in float64."""
    tensors = {"pooler.query": parameters[:-3], "pooler.place": parameters[-3:-1], "pooler.length": parameters[-1]}
    pooler = LearnedPooler(tensors)
    texts = [pooler(*one).astype(np.float64) for one in parts]
    total = 0.0
    for i in range(len(parts)):
        others = [j for j in range(len(parts)) if j == i or owners[j] != owners[i]]
        own = np.exp(scale * texts[i] @ pictures[owners[i]])
        total -= np.log(own / sum(np.exp(scale * texts[i] @ pictures[owners[j]]) for j in others))
        total -= np.log(own / sum(np.exp(scale * texts[j] @ pictures[owners[i]]) for j in others))
    return total / (2 * len(parts))


def test_the_loss_is_the_plain_one_and_its_gradient_the_finite_differences():
    random = np.random.default_rng(2)
    parts, pictures = drawn(9), unit(random.standard_normal((6, WIDTH)))
    parts[0].tokens[0] = 0
    parts[3].tokens[1] = 0
    owners = np.array([0, 1, 2, 3, 4, 5, 0, 1, 2])
    batch = PooledBatch(parts, pictures[owners], owners, 5.0)
    parameters = random.standard_normal(WIDTH + 3)
    loss, gradient = batch.loss(parameters)
    assert loss == pytest.approx(plain_loss(parts, pictures.astype(float), owners, 5.0, parameters), abs=1e-5)
    for place in range(WIDTH + 3):
        step = np.zeros(WIDTH + 3)
        step[place] = 1e-5
        difference = (batch.loss(parameters + step)[0] - batch.loss(parameters - step)[0]) / 2e-5
        assert gradient[place] == pytest.approx(difference, abs=1e-6)


def test_it_learns_which_parts_say_nothing():
    """Each text is a part near its picture among parts near one direction, which is new in the texts not seen."""
    random = np.random.default_rng(3)
    pictures = random.standard_normal((200, 16))
    pictures[:, :4] = 0
    pictures = unit(pictures)
    parts = []
    for picture in pictures:
        idle = np.zeros((3, 16))
        idle[:, 0] = 1
        rows = unit(np.concatenate([idle, picture[None]]) + 0.1 * random.standard_normal((4, 16)))
        order = random.permutation(4)
        parts.append(TextParts(rows[order], random.integers(20, 60, 4)))
    owners = np.arange(200)
    tensors = fit_pooler(parts[:100], pictures, owners[:100], 20.0)

    def mean_cosine(pooler: LearnedPooler) -> float:
        return float(np.mean([pooler(*parts[i]) @ pictures[i] for i in range(100, 200)]))

    assert mean_cosine(LearnedPooler(zeros(16))) < 0.6
    assert mean_cosine(LearnedPooler(tensors)) > 0.85, "the noise of the rows allows 0.93"


def test_the_seed_decides_every_bit():
    parts, pictures = drawn(300), unit(np.random.default_rng(5).standard_normal((300, WIDTH)))
    first, again, other = (fit_pooler(parts, pictures, np.arange(300), 9.0, seed=s, steps=3) for s in (0, 0, 1))
    assert all(first[name].dtype == np.float32 for name in first)
    assert {name: first[name].tobytes() for name in first} == {name: again[name].tobytes() for name in again}
    assert any(first[name].tobytes() != other[name].tobytes() for name in first)


def test_arrays_that_do_not_fit_are_one_line():
    parts, pictures = drawn(3), unit(np.eye(WIDTH))
    for given in ([], parts[:2]):
        with pytest.raises(ContraltoError, match="texts and the picture of each"):
            fit_pooler(given, pictures, np.array([0, 1, 2]), 1.0)
    with pytest.raises(ContraltoError, match="texts and the picture of each"):
        fit_pooler(parts, pictures, np.array([0, 1, WIDTH]), 1.0)


def test_long_texts_hold_all_captions_between_sentences_that_say_nothing():
    captions = [[f"caption {i} of {n} ." for i in range(3)] for n in range(200)]
    texts = long_texts(captions, seed=4)
    assert texts == long_texts(captions, seed=4) != long_texts(captions, seed=5)
    before = after = 0
    for several, text in zip(captions, texts, strict=True):
        assert all(caption in text for caption in several)
        rest = text
        for caption in several:
            rest = rest.replace(caption, "")
        assert set(sentences(" ".join(rest.split()))) <= set(SENTENCES)
        before += not text.startswith("caption")
        after += not text.endswith(".") or sentences(text)[-1] in SENTENCES
    assert 105 < before < 150
    assert 60 < after < 110
    assert not set(SENTENCES) & set(FILLER), "the check must not measure sentences that were trained on"


def test_parts_are_those_of_the_clip(clip, make_clip):
    text = "A red dog runs. " * 9
    seen = []
    learned = make_clip(pooler=lambda rows, tokens: seen.append((rows, tokens)) or rows[0])
    with pytest.warns(UserWarning, match="does not fit"):
        learned.encode_text(text, overlong="learned")
    (parts, short) = parts_of(clip, [text, "a cat"])
    np.testing.assert_allclose(parts.rows, seen[0][0], atol=1e-6)
    assert parts.tokens.tolist() == seen[0][1].tolist()
    np.testing.assert_allclose(short.rows[0], clip.encode_text("a cat"), atol=1e-6)
    assert short.tokens.tolist() == [2]
