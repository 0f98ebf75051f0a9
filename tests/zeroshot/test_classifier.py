"""The classifier asks the text tower for no prompt twice, in bounded portions, and ranks stably."""

from __future__ import annotations

import types

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from contralto.contract import Score, preset
from contralto.zeroshot import classifier


class Texts:
    """Stands for a Clip: a row for each text, and a list of what was asked."""

    contract = preset("tiny")

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def encode_text(self, texts: list[str]) -> np.ndarray:
        self.asked.append(texts)
        rows = [np.random.default_rng(list(text.encode())).standard_normal(8) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], np.float32)


def test_equal_prompts_are_encoded_once():
    clip = Texts()
    rows = classifier.build(clip, {"a": ["x", "y"], "b": "x", "c": ["x"]}, ["{} here", "the {}", "{} here"]).rows
    assert clip.asked == [["x here", "the x", "y here", "the y"]]
    np.testing.assert_array_equal(rows[1], rows[2])
    x, the_x = Texts().encode_text(["x here", "the x"]).astype(np.float64)
    mean = (2 * x + the_x) / 3
    np.testing.assert_allclose(rows[1], mean / np.linalg.norm(mean), atol=1e-6)


def test_portions_change_nothing(monkeypatch):
    names = [str(n) for n in range(50)]
    whole = classifier.build(Texts(), names, "imagenet-7").rows
    monkeypatch.setattr(classifier, "PROMPTS_AT_ONCE", 20)
    clip = Texts()
    np.testing.assert_array_equal(classifier.build(clip, names, "imagenet-7").rows, whole)
    assert max(map(len, clip.asked)) <= 20


def test_opposite_prompts_make_no_nan():
    clip = types.SimpleNamespace(contract=Texts.contract, encode_text=lambda t: np.array([[1, 0], [-1, 0]], np.float32))
    made = classifier.build(clip, ["a"], ["{}", "not {}"])
    assert (made.rows == 0).all()
    assert made(np.array([[1, 0]], np.float32)) == [[("a", 1.0)]]


@settings(max_examples=60)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=8), st.integers(1, 10))
def test_the_best_come_first_and_equals_as_listed(cosines, top):
    rows = np.array([[c, np.sqrt(1 - c * c)] for c in cosines], np.float32)
    made = classifier.Classifier(tuple(map(str, range(len(cosines)))), rows, Score("softmax", 5))
    [answer] = made(np.array([[1, 0]], np.float32), top)
    order = sorted(range(len(cosines)), key=lambda j: (-cosines[j], j))[:top]
    assert [int(p.label) for p in answer] == order
    powers = np.exp(5 * np.array(cosines))
    np.testing.assert_allclose([p.score for p in answer], (powers / powers.sum())[order], rtol=1e-5)
