"""Words are left out one at a time."""

from __future__ import annotations

import numpy as np

from contralto.apply.explain import WordEffect
from contralto.apply.explain.by_words import effects


class Counting:
    """Encodes a text as the numbers of its first letters."""

    def __init__(self):
        self.calls = []

    def encode_text(self, texts):
        self.calls.append(list(texts))
        rows = np.array([[text.count(letter) for letter in "abc"] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_an_effect_is_what_the_cosine_loses():
    clip, picture = Counting(), np.array([1.0, 0.0, 0.0])
    result = effects(clip, " a  b\tc", picture, 1 / 3**0.5)
    assert clip.calls == [["b c", "a c", "a b"]]
    assert [one.word for one in result] == ["a", "b", "c"]
    np.testing.assert_allclose(
        [one.effect for one in result], [0.57735, 0.57735 - 0.70711, 0.57735 - 0.70711], atol=1e-4
    )


def test_a_text_of_one_word_has_no_shorter_text():
    clip = Counting()
    assert effects(clip, "dog ", np.ones(3), 0.5) == [WordEffect("dog", None)]
    assert effects(clip, "  ", np.ones(3), 0.5) == []
    assert clip.calls == []
