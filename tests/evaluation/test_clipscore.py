import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contralto.errors import ContraltoError
from contralto.evaluation.clipscore import clip_scores, prefixed, scores_of_embeddings


def unit(*values):
    row = np.array(values, np.float64)
    return (row / np.linalg.norm(row)).astype(np.float32)


class Encoder:
    """Texts by what they say, pictures as they are; remembers what it encoded."""

    ROWS = {"dog": unit(3, 4, 0), "puppy": unit(4, 3, 0), "not": unit(-1, -1, 0), "sky": unit(0, 0, 1)}  # noqa: RUF012

    def __init__(self):
        self.texts = []

    def encode_image(self, rows):
        return np.asarray(rows)

    def encode_text(self, texts, truncate=False, overlong="error"):
        self.texts += texts
        return np.stack([self.ROWS[text.split()[-1]] for text in texts])


def test_a_case_by_hand():
    scores = clip_scores(Encoder(), [unit(1, 0, 0)] * 3, ["dog", "dog", "not"], [["sky", "puppy"], [], ["puppy"]])
    np.testing.assert_allclose(scores.clipscore, [2.5 * 0.6, 2.5 * 0.6, 0], rtol=1e-6)
    # the largest cosine to a reference, 24/25, is not weighted by 2.5
    np.testing.assert_allclose(scores.refclipscore, [2 * 1.5 * 0.96 / (1.5 + 0.96), math.nan, 0], rtol=1e-6)


def test_the_prefix_stands_before_captions_and_references_and_each_text_is_encoded_once():
    encoder = Encoder()
    clip_scores(encoder, [unit(1, 0, 0)] * 2, ["dog", "dog"], [["puppy"], ["dog", "puppy"]])
    assert encoder.texts == ["A photo depicts dog", "A photo depicts puppy"]
    clip_scores(encoder, [unit(1, 0, 0)], ["sky"], prefix="")
    assert encoder.texts[-1] == "sky"
    assert prefixed("sky", "Here is") == "Here is sky"  # as in the authors' code


def test_a_caption_that_nothing_supports_has_0_and_not_nan():
    scores = scores_of_embeddings(unit(0, 0, 1)[None], unit(1, 0, 0)[None], [unit(0, 1, 0)[None]])
    assert (scores.clipscore[0], scores.refclipscore[0]) == (0, 0)


@given(st.integers(1, 6), st.integers(0, 2**31))
def test_equal_to_the_published_definition(n, seed):
    random = np.random.default_rng(seed)

    def rows(count):
        vectors = random.standard_normal((count, 5)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    images, captions = rows(n), rows(n)
    references = [rows(random.integers(1, 4)) for _ in range(n)]
    scores = scores_of_embeddings(images, captions, references)
    for i in range(n):
        score = 2.5 * max(float(np.dot(images[i].astype(float), captions[i].astype(float))), 0)
        best = max(max(float(np.dot(captions[i].astype(float), r.astype(float))), 0) for r in references[i])
        mean = 0 if score == 0 or best == 0 else 2 / (1 / score + 1 / best)
        assert scores.clipscore[i] == pytest.approx(score, abs=1e-9)
        assert scores.refclipscore[i] == pytest.approx(mean, abs=1e-9)


def test_no_pictures_no_scores():
    scores = scores_of_embeddings(np.empty((0, 3), np.float32), np.empty((0, 3), np.float32), [])
    assert (scores.clipscore.shape, scores.refclipscore.shape) == ((0,), (0,))


def test_lengths_that_disagree_are_an_error():
    with pytest.raises(ContraltoError, match="got 1 pictures, 2 texts and 2 lists"):
        clip_scores(Encoder(), [unit(1, 0, 0)], ["dog", "sky"])
