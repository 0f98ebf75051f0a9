import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contralto.search import relevance
from contralto.search.query import Question, cosines
from contralto.search.relevance import BY_IMAGE, BY_TEXT, FEWEST, NOUNS, threshold

WIDTH = 64
NOTHING = np.empty((0, WIDTH), np.float32)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def noise(n, seed=0):
    return unit(np.random.default_rng(seed).standard_normal((n, WIDTH)))


class Encoder:
    """Nouns are random directions: cosines of 0 on average, 1/8 their deviation."""

    def encode_labels(self, labels, templates):
        assert templates is None
        return noise(len(NOUNS), seed=1)[: len(labels)]


WANTED = noise(1, seed=2)[0]


def collection(fitting, others, *, cosine=0.9):
    """Rows of which the first `fitting` have this cosine with WANTED, the others none to speak of."""
    rest = noise(fitting + others, seed=3)
    rest = unit(rest - np.outer(rest @ WANTED, WANTED))
    share = np.where(np.arange(fitting + others) < fitting, cosine, 0)[:, None]
    return unit(share * WANTED + np.sqrt(1 - share**2) * rest)


def relevant(rows, question):
    found = cosines(rows, question.row())
    return found > threshold(Encoder(), question, rows, found)


def words(away=NOTHING):
    return Question(WANTED, None, away)


@pytest.mark.parametrize("others", [0, 1, 4, 19, 199, 5000])
@pytest.mark.parametrize("fitting", [0, 1, 3])
def test_what_stands_out_is_relevant_in_a_collection_of_any_size(fitting, others):
    rows = collection(fitting, others)
    assert relevant(rows, words()).tolist() == [True] * fitting + [False] * others


def test_most_of_a_collection_may_be_relevant():
    assert relevant(collection(95, 5), words()).tolist() == [True] * 95 + [False] * 5
    assert relevant(collection(100, 0), words()).all()


def test_a_rare_picture_needs_more_evidence_than_one_among_its_like():
    def least(rows):
        return threshold(Encoder(), words(), rows, cosines(rows, WANTED))

    assert least(collection(0, 1000)) > least(collection(1, 99)) > least(collection(50, 50)) > least(collection(99, 1))


def test_the_unit_is_the_background_so_that_a_models_own_cosines_do_not_matter():
    """All rows, nouns and the question share a direction that makes every cosine larger, and the spread smaller."""

    def shifted(rows):
        return unit(np.concatenate([rows, np.full((len(rows), 1), 1.5)], axis=1))

    class Shifted(Encoder):
        def encode_labels(self, labels, templates):
            return shifted(super().encode_labels(labels, templates))

    rows = shifted(collection(3, 60))
    question = Question(shifted(WANTED[None])[0], None, np.empty((0, WIDTH + 1), np.float32))
    found = cosines(rows, question.row())
    assert found.min() > 0.6
    assert (found > threshold(Shifted(), question, rows, found)).tolist() == [True] * 3 + [False] * 60


def test_the_threshold_is_where_the_odds_are_even():
    """By hand: the share is the fixed point of the mean probability, and there share * ratio = 1 - share."""
    z = np.concatenate([np.full(30, 5.0), np.full(70, 0.5)])
    cut = relevance._cut(z, BY_TEXT)
    share = 1 / (1 + np.exp(BY_TEXT.slope * (cut - BY_TEXT.middle)))
    ratio = np.exp(BY_TEXT.slope * (z - BY_TEXT.middle))
    fits = share * ratio / (share * ratio + 1 - share)
    assert share == pytest.approx((fits.sum() + 0.1) / (len(z) + 1.1), abs=1e-6)
    assert 0.25 < share < 0.35  # 30 of 100 stand out


def test_a_question_by_a_picture_is_judged_by_the_other_pictures():
    question = Question(None, WANTED, NOTHING)
    assert relevant(collection(2, 60), question).tolist() == [True] * 2 + [False] * 60
    assert not relevant(collection(0, 60), question).any()
    both = Question(noise(1, seed=9)[0], WANTED, NOTHING)
    assert relevant(collection(2, 60), both).tolist() == [True] * 2 + [False] * 60


def test_a_picture_is_no_background_to_itself():
    rows = collection(0, FEWEST)
    found = relevance._by_image(Encoder(), Question(None, WANTED, NOTHING), rows)
    np.testing.assert_allclose(np.sort(found), np.sort((rows @ rows.T)[~np.eye(FEWEST, dtype=bool)]), atol=1e-6)
    assert found.max() < 0.9
    assert BY_IMAGE != BY_TEXT


def test_where_there_is_nothing_to_judge_by_everything_counts():
    assert relevant(collection(0, FEWEST - 1), Question(None, WANTED, NOTHING)).all()
    same = np.tile(WANTED, (20, 1))
    assert relevant(same, Question(None, WANTED, NOTHING)).all()  # a background that does not vary
    assert threshold(Encoder(), words(), NOTHING, np.empty(0)) == -np.inf


def test_what_is_not_wanted_is_not_wanted_of_the_background_either():
    away = noise(1, seed=7)
    assert relevant(collection(3, 60), words(away)).tolist() == [True] * 3 + [False] * 60


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**31), st.booleans(), st.booleans())
def test_it_is_a_threshold_the_same_again_for_whatever_rows(n, seed, text, image):
    """Of random rows, as a random model makes them; the order of the rows does not matter."""
    rows = noise(n, seed)
    asked = Question(
        WANTED if text or not image else None, noise(1, seed + 1)[0] if image else None, noise(1, seed + 2)
    )
    found = cosines(rows, asked.row())
    least = threshold(Encoder(), asked, rows, found)
    assert least == -np.inf or np.isfinite(least)
    assert least == threshold(Encoder(), asked, rows, found)
    if n <= len(NOUNS) and asked.image is None:
        assert least == pytest.approx(threshold(Encoder(), asked, rows[::-1], found[::-1]), abs=1e-6)
