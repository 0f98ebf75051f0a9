import numpy as np
import pytest
from PIL import Image

from contralto.errors import DataError
from contralto.sets.data_set import DataSet, Item
from contralto.sets.variants.sizes import GREY, shrink


def data_set(count, height=40, width=60):
    """Pictures without the ground's grey."""
    random = np.random.default_rng(0)
    pictures = [random.choice(np.array([0, 255], np.uint8), (height, width, 3)) for _ in range(count)]
    return DataSet("set", "test", "classes", "top1", [Item(f"k{i}", p) for i, p in enumerate(pictures)])


def test_the_whole_picture_small_somewhere_on_grey():
    given, places = data_set(30), set()
    for item, small in zip(given.items, shrink(given, 0.25).items, strict=True):
        shown = np.asarray(small.encoder_input())
        y, x = np.nonzero((shown != GREY).any(2))
        top, left = max(0, y.min() - 1), max(0, x.min() - 1)
        expected = np.asarray(Image.fromarray(item.picture).resize((15, 10), Image.Resampling.BICUBIC))
        positions = [
            (row, column)
            for row in range(top, min(top + 3, 31))
            for column in range(left, min(left + 3, 46))
            if np.array_equal(shown[row : row + 10, column : column + 15], expected)
        ]
        assert len(positions) == 1
        places.add(positions[0])
        rest = shown.copy()
        rest[positions[0][0] : positions[0][0] + 10, positions[0][1] : positions[0][1] + 15] = GREY
        assert (rest == GREY).all()
        assert np.array_equal(shown, np.asarray(small.encoder_input()))
    assert len(places) > 20


def test_a_share_of_one_is_the_picture_itself_and_one_pixel_is_left():
    given = data_set(2)
    assert all(
        np.array_equal(item.picture, np.asarray(same.encoder_input()))
        for item, same in zip(given.items, shrink(given, 1).items, strict=True)
    )
    point = np.asarray(shrink(data_set(1, 3, 3), 0.01).items[0].encoder_input())
    assert ((point != GREY).any(2)).sum() <= 1
    assert point.shape == (3, 3, 3)


def test_shares_have_names_of_their_own():
    given = data_set(1)
    assert len({shrink(given, share).items[0].change.name for share in (1, 0.5, 0.25, 0.125, 0.0625)}) == 5


@pytest.mark.parametrize("share", [0, -0.5, 1.01])
def test_what_is_no_share(share):
    with pytest.raises(DataError, match="share"):
        shrink(data_set(1), share)
