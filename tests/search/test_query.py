import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contralto.errors import ContraltoError
from contralto.search.query import BLOCK, query_embedding, rank


def unit(*values):
    row = np.array(values, np.float64)
    return (row / np.linalg.norm(row)).astype(np.float32)


class Encoder:
    ROWS = {"dog": unit(1, 0, 0), "beach": unit(0, 1, 0), "snow": unit(1, 0, 1), "cat": unit(0, 0, 1)}  # noqa: RUF012

    def encode_text(self, texts, overlong="error"):
        return np.stack([self.ROWS[text] for text in texts])

    encode_image = encode_text


def test_text_alone_and_picture_alone_are_their_own_rows():
    np.testing.assert_allclose(query_embedding(Encoder(), "dog"), unit(1, 0, 0))
    np.testing.assert_allclose(query_embedding(Encoder(), None, "beach"), unit(0, 1, 0))


def test_text_and_picture_weigh_the_same():
    np.testing.assert_allclose(query_embedding(Encoder(), "dog", "beach"), unit(1, 1, 0), atol=1e-7)


def test_half_the_mean_direction_of_what_is_not_wanted_is_subtracted():
    root = 0.5**0.5
    np.testing.assert_allclose(
        query_embedding(Encoder(), "dog", None, ["snow"]), unit(1 - root / 2, 0, -root / 2), atol=1e-7
    )
    several = query_embedding(Encoder(), "dog", None, ["cat", "beach"])
    np.testing.assert_allclose(several, unit(1, -root / 2, -root / 2), atol=1e-7)
    np.testing.assert_allclose(
        query_embedding(Encoder(), "dog", None, ["cat", "cat"]), query_embedding(Encoder(), "dog", None, ["cat"])
    )


def test_excluding_the_very_thing_still_leaves_a_unit_row():
    np.testing.assert_allclose(query_embedding(Encoder(), "dog", None, ["dog"]), unit(1, 0, 0))


def test_nothing_to_look_for_is_an_error():
    with pytest.raises(ContraltoError, match="nothing to look for"):
        query_embedding(Encoder(), None, None, ["snow"])


@given(st.integers(0, 40), st.integers(1, 50), st.integers(0, 2**31))
def test_rank_is_the_sorted_list_with_ties_by_position(n, top, seed):
    rows = np.random.default_rng(seed).integers(-1, 2, (n, 3)).astype(np.float32)  # many ties
    wanted = unit(3, 2, 1)
    cosines = [round(float(np.dot(row.astype(np.float64), wanted.astype(np.float64))), 9) for row in rows]
    expected = sorted(range(n), key=lambda i: (-cosines[i], i))[:top]
    assert [i for i, _ in rank(rows, wanted, top)] == expected


def test_equal_rows_are_equal_in_whatever_block_they_stand():
    row = np.random.default_rng(0).standard_normal(37).astype(np.float32)
    rows = np.tile(row, (BLOCK + 13, 1))
    ranking = rank(rows, row, BLOCK + 13)
    assert [i for i, _ in ranking] == list(range(BLOCK + 13))
    assert len({score for _, score in ranking}) == 1


def test_no_rows_no_hits():
    assert rank(np.empty((0, 3), np.float32), unit(1, 0, 0), 5) == []
