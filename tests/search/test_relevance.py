import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contralto.search import relevance
from contralto.search.query import Query, cosines
from contralto.search.relevance import BY_IMAGE, BY_TEXT, FEWEST, NEAR_BEST, NOUNS, PER_SIZE, threshold

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


def relevant(rows, query):
    scores = cosines(rows, query.embedding())
    return scores > threshold(Encoder(), query, rows, scores)


def words(away=NOTHING):
    return Query(WANTED, None, away)


@pytest.mark.parametrize("others", [0, 1, 4, 19, 199, 5000])
@pytest.mark.parametrize("fitting", [0, 1, 3])
def test_what_stands_out_is_relevant_in_a_collection_of_any_size(fitting, others):
    rows = collection(fitting, others)
    assert relevant(rows, words()).tolist() == [True] * fitting + [False] * others


def test_most_of_a_collection_may_be_relevant():
    assert relevant(collection(95, 5), words()).tolist() == [True] * 95 + [False] * 5
    assert relevant(collection(100, 0), words()).all()


def graded(*deviations):
    """Unit rows whose cosines with WANTED are these numbers of deviations above the background, about."""
    share = np.array(deviations)[:, None] / np.sqrt(WIDTH)
    rest = noise(len(deviations), seed=3)
    rest = unit(rest - np.outer(rest @ WANTED, WANTED))
    return unit(share * WANTED + np.sqrt(1 - share**2) * rest)


@pytest.mark.parametrize("best", [4.0, 5.0, 7.0])
def test_pictures_half_as_far_out_as_the_best_are_relevant(best):
    rows = graded(best, 0.6 * best, 0.4 * best, *[0.0] * 10)
    assert relevant(rows, words()).tolist() == [True, True] + [False] * 11


def test_whether_anything_fits_is_judged_more_strictly_than_which_pictures_do():
    """Two deviations are not enough for the best of a hundred pictures, but enough beside a better one."""
    others = [0.0] * 98
    assert not relevant(graded(2, 2, *others), words()).any()
    assert relevant(graded(4, 2.4, *others), words()).tolist() == [True, True] + [False] * 98


def test_the_best_of_a_large_collection_must_stand_out_more():
    def anything(others):
        return relevant(graded(3.5, *np.linspace(-1, 1, others)), words()).any()

    assert [anything(n) for n in (0, 5, 20, 1000, 3000)] == [True, True, True, False, False]


def test_the_threshold_by_hand():
    """Half of the best where the best stands out, else what it would have to reach: above all of them."""
    for rows in (graded(5, 1, 0), graded(1, 0.5, 0)):
        background = rows @ Encoder().encode_labels([*NOUNS], None).T
        scores = cosines(rows, WANTED)
        best = (scores.max() - background.mean()) / background.std()
        least = BY_TEXT + PER_SIZE * np.log(3)
        z = NEAR_BEST * best if best >= least else least
        expected = background.mean() + z * background.std()
        assert threshold(Encoder(), words(), rows, scores) == pytest.approx(expected, abs=1e-9)


def test_copies_of_pictures_change_nothing():
    rows = graded(3.2, 2, *np.linspace(-1, 1, 18))
    once, scores = threshold(Encoder(), words(), rows, cosines(rows, WANTED)), cosines(rows, WANTED)
    for copies in (2, 50):
        many = threshold(Encoder(), words(), np.tile(rows, (copies, 1)), np.tile(scores, copies))
        assert many == pytest.approx(once, abs=1e-6)


def test_better_pictures_are_never_called_worse():
    """Relevance grows with the cosine, whatever the rows."""
    rows = np.concatenate([graded(6, 4, 3.2, 2.5, 1, 0), noise(40, seed=5)])
    scores = cosines(rows, WANTED)
    called = relevant(rows, words())[np.argsort(-scores)]
    assert called.any()
    assert not called.all()
    assert called.tolist() == sorted(called.tolist(), reverse=True)


def test_the_unit_is_the_background_so_that_a_models_own_cosines_do_not_matter():
    """All rows, nouns and the query share a direction that makes every cosine larger, and the spread smaller."""

    def shifted(rows):
        return unit(np.concatenate([rows, np.full((len(rows), 1), 1.5)], axis=1))

    class Shifted(Encoder):
        def encode_labels(self, labels, templates):
            return shifted(super().encode_labels(labels, templates))

    rows = shifted(collection(3, 60))
    query = Query(shifted(WANTED[None])[0], None, np.empty((0, WIDTH + 1), np.float32))
    scores = cosines(rows, query.embedding())
    assert scores.min() > 0.6
    assert (scores > threshold(Shifted(), query, rows, scores)).tolist() == [True] * 3 + [False] * 60


def test_a_question_by_a_picture_is_judged_by_the_other_pictures():
    query = Query(None, WANTED, NOTHING)
    assert relevant(collection(2, 60), query).tolist() == [True] * 2 + [False] * 60
    assert not relevant(collection(0, 60), query).any()
    both = Query(noise(1, seed=9)[0], WANTED, NOTHING)
    assert relevant(collection(2, 60), both).tolist() == [True] * 2 + [False] * 60


def test_a_picture_is_no_background_to_itself():
    rows = collection(0, FEWEST)
    scores = relevance._by_image(Encoder(), Query(None, WANTED, NOTHING), rows)
    np.testing.assert_allclose(np.sort(scores), np.sort((rows @ rows.T)[~np.eye(FEWEST, dtype=bool)]), atol=1e-6)
    assert scores.max() < 0.9
    assert BY_IMAGE != BY_TEXT


def test_where_there_is_nothing_to_judge_by_everything_counts():
    assert relevant(collection(0, FEWEST - 1), Query(None, WANTED, NOTHING)).all()
    same = np.tile(WANTED, (20, 1))
    assert relevant(same, Query(None, WANTED, NOTHING)).all()  # a background that does not vary
    assert threshold(Encoder(), words(), NOTHING, np.empty(0)) == -np.inf


def test_what_is_not_wanted_is_not_wanted_of_the_background_either():
    away = noise(1, seed=7)
    assert relevant(collection(3, 60), words(away)).tolist() == [True] * 3 + [False] * 60


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**31), st.booleans(), st.booleans())
def test_it_is_a_threshold_the_same_again_for_whatever_rows(n, seed, text, image):
    """Of random rows, as a random model makes them; the order of the rows does not matter."""
    rows = noise(n, seed)
    query = Query(WANTED if text or not image else None, noise(1, seed + 1)[0] if image else None, noise(1, seed + 2))
    scores = cosines(rows, query.embedding())
    least = threshold(Encoder(), query, rows, scores)
    assert least == -np.inf or np.isfinite(least)
    assert least == threshold(Encoder(), query, rows, scores)
    if n <= len(NOUNS) and query.image is None:
        assert least == pytest.approx(threshold(Encoder(), query, rows[::-1], scores[::-1]), abs=1e-6)
