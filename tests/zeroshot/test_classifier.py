"""The classifier asks the text tower for no prompt twice, in bounded portions, and ranks stably."""

from __future__ import annotations

import tracemalloc
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contralto import embeddings
from contralto.contract import Score, preset
from contralto.zeroshot import classifier


class Texts:
    """Stands for a Clip: a row for each text, and a list of what was asked."""

    contract = preset("tiny")

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.expected: list[int] = []

    def expect(self, *, texts: int) -> None:
        self.expected.append(texts)

    def encode_text(self, texts: list[str]) -> np.ndarray:
        self.asked.append(texts)
        drawn = [np.random.default_rng(list(text.encode())).standard_normal(8) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in drawn], np.float32)


def test_equal_prompts_are_encoded_once():
    clip = Texts()
    made = classifier.build(clip, {"a": ["x", "y"], "b": "x", "c": ["x"]}, ["{} here", "the {}", "{} here"]).embeddings
    assert clip.asked == [["x here", "the x", "y here", "the y"]]
    np.testing.assert_array_equal(made[1], made[2])
    x, the_x = Texts().encode_text(["x here", "the x"]).astype(np.float64)
    mean = (2 * x + the_x) / 3
    np.testing.assert_allclose(made[1], mean / np.linalg.norm(mean), atol=1e-6)


def test_portions_change_nothing(monkeypatch):
    names = [str(n) for n in range(50)]
    whole = classifier.build(Texts(), names, "imagenet-7").embeddings
    monkeypatch.setattr(classifier, "PROMPTS_AT_ONCE", 20)
    clip = Texts()
    np.testing.assert_array_equal(classifier.build(clip, names, "imagenet-7").embeddings, whole)
    assert max(map(len, clip.asked)) <= 20
    assert clip.expected == [sum(map(len, clip.asked))], "told before the first portion, so that auto can choose"


def test_many_prompts_tell_how_far_they_are(monkeypatch, caplog):
    monkeypatch.setattr(classifier, "PROMPTS_AT_ONCE", 20)
    caplog.set_level("INFO", "contralto")
    classifier.build(Texts(), ["one", "two"], "imagenet-7")
    assert not caplog.records
    classifier.build(Texts(), ["one", "two", "three", "four", "five"], "imagenet-7")
    assert [(record.done, record.total) for record in caplog.records] == [(0, 35), (14, 35), (28, 35), (35, 35)]


def test_opposite_prompts_make_no_nan():
    clip = types.SimpleNamespace(contract=Texts.contract, encode_text=lambda t: np.array([[1, 0], [-1, 0]], np.float32))
    made = classifier.build(clip, ["a"], ["{}", "not {}"])
    assert (made.embeddings == 0).all()
    assert made(np.array([[1, 0]], np.float32)) == [[("a", 1.0)]]


@settings(max_examples=60)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=8), st.integers(1, 10))
def test_the_best_come_first_and_equals_as_listed(cosines, top):
    texts = np.array([[c, np.sqrt(1 - c * c)] for c in cosines], np.float32)
    made = classifier.Classifier(tuple(map(str, range(len(cosines)))), texts, Score("softmax", 5))
    [answer] = made(np.array([[1, 0]], np.float32), top)
    order = sorted(range(len(cosines)), key=lambda j: (-cosines[j], j))[:top]
    assert [int(p.label) for p in answer] == order
    powers = np.exp(5 * np.array(cosines))
    np.testing.assert_allclose([p.score for p in answer], (powers / powers.sum())[order], rtol=1e-5)


def plain_answers(made, images, top):
    """All scores at once, all of them sorted."""
    logits = made.rule.scale * (images @ made.embeddings.T).astype(np.float64) + (made.rule.bias or 0)
    if made.rule.rule == "sigmoid":
        powers = np.exp(-np.abs(logits))
        scores = np.where(logits >= 0, 1, powers) / (1 + powers)
    else:
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = powers / powers.sum(axis=1, keepdims=True)
    scores = scores.astype(np.float32)
    orders = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    return [[(made.labels[j], float(row[j])) for j in order] for row, order in zip(scores, orders, strict=True)]


EIGHTHS = st.integers(-8, 8).map(lambda n: n / 8)  # sums of their products are exact, in whatever order


@settings(max_examples=150)
@given(
    st.data(),
    st.integers(0, 7),
    st.integers(1, 30),
    st.integers(1, 12),
    st.integers(1, 40),
    st.sampled_from([Score(), Score("softmax", 3.7), Score("softmax", 1e5), Score("sigmoid", 9.1, -4.2)]),
)
def test_in_parts_answers_are_those_of_the_plain_way(data, images, labels, top, numbers, rule):
    values = data.draw(st.lists(EIGHTHS, min_size=2 * (images + labels), max_size=2 * (images + labels)))
    drawn = np.array(values, np.float32).reshape(-1, 2)
    made = classifier.Classifier(tuple(map(str, range(labels))), drawn[images:], rule)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embeddings, "NUMBERS_AT_ONCE", numbers)
        assert made(drawn[:images], top) == plain_answers(made, drawn[:images], top)
        whole = np.array([[dict(answer)[label] for label in made.labels] for answer in made(drawn[:images], labels)])
        scores = embeddings.probabilities(drawn[:images] @ drawn[images:].T, rule)
    np.testing.assert_array_equal(scores, whole.reshape(images, labels))


def test_what_is_no_number_comes_last():
    texts = np.array([[np.nan], [0], [1], [1]], np.float32)
    made = classifier.Classifier(("a", "b", "c", "d"), texts, Score("sigmoid"))
    assert [p.label for p in made(np.ones((1, 1), np.float32), 3)[0]] == ["c", "d", "b"]
    softmax = classifier.Classifier(made.labels, texts, Score())
    assert [p.label for p in softmax(np.ones((1, 1), np.float32), 3)[0]] == ["a", "b", "c"]


def peak(work):
    """(the most memory in bytes that was in use beside what was there before, the result)"""
    tracemalloc.start()
    try:
        result = work()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rule", [Score(), Score("sigmoid", 10, -10)])
def test_a_hundred_thousand_labels_are_asked_in_bounded_memory(rule):
    generator = np.random.default_rng(0)
    texts, images = (embeddings.unit(generator.standard_normal((n, 16))) for n in (100_000, 64))
    made = classifier.Classifier(tuple(map(str, range(len(texts)))), texts, rule)
    most, answers = peak(lambda: made(images))
    assert most < 72 * 2**20  # one matrix (64, 100,000) in float64 has 49 MB, and the plain way makes several
    for answer, expected in zip(answers, plain_answers(made, images, 5), strict=True):
        assert [label for label, _ in answer] == [label for label, _ in expected]
        np.testing.assert_allclose([s for _, s in answer], [s for _, s in expected], rtol=1e-4)  # sums in another order
    cosines = embeddings.cosines(images, texts)
    most, scores = peak(lambda: embeddings.probabilities(cosines, rule))
    assert most - scores.nbytes < 56 * 2**20


def test_a_hundred_thousand_labels_are_built_in_bounded_memory():
    known = embeddings.unit(np.random.default_rng(0).standard_normal((classifier.PROMPTS_AT_ONCE, 64)))
    clip = types.SimpleNamespace(
        contract=Texts.contract,
        encode_text=lambda texts: known[: len(texts)].copy(),
        expect=lambda *, texts: None,
    )
    names = [str(n) for n in range(100_000)]
    most, made = peak(lambda: classifier.build(clip, names, None))
    assert made.embeddings.shape == (100_000, 64)
    np.testing.assert_allclose(made.embeddings[-1], known[99_999 % len(known)], atol=1e-6)
    assert (
        most < 2 * made.embeddings.nbytes + 120 * 2**20
    )  # twice the matrix, one part of the work, and names with places
