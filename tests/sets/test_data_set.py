"""An item's picture, however it is kept: its bytes, what tells it apart, and what is encoded."""

import hashlib
import os

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet
from support.user_files import png, tar_of

from contralto.data.tar import members
from contralto.errors import DataError
from contralto.sets.data_set import DataSet, Item, PictureChange
from contralto.sets.open import open_set


@pytest.fixture
def kept(tmp_path):
    """The same picture as a file, a member of a tar, and a row."""
    (tmp_path / "1.png").write_bytes(png(7))
    tar = tar_of(tmp_path / "1.tar", [("x", b"other"), ("1.png", png(7))])
    parquet.write_table(pa.table({"jpg": [png(7), png(8)], "label": ["a", "a"]}), tmp_path / "1.parquet")
    row = open_set(tmp_path / "1.parquet").items[0].picture
    return {"path": tmp_path / "1.png", "member": members(tar)[1], "row": row, "bytes": png(7)}


def test_the_same_bytes_have_the_same_digest_wherever_they_lie(kept):
    items = [Item("k", picture) for picture in kept.values()]
    assert {item.content() for item in items} == {png(7)}
    assert {item.digest() for item in items} == {hashlib.sha256(png(7)).digest()}


def test_arrays_of_another_shape_or_content_differ():
    arrays = [np.zeros((2, 3, 3), np.uint8), np.zeros((3, 2, 3), np.uint8), np.ones((2, 3, 3), np.uint8)]
    digests = [Item("k", array).digest() for array in arrays]
    assert len(set(digests)) == 3
    assert Item("k", np.asfortranarray(arrays[2])).digest() == digests[2]


def test_stamps_tell_places_apart_and_change_with_their_file(kept, tmp_path):
    items = [Item("k", kept[name]) for name in ("path", "member", "row")]
    before = [item.stamp() for item in items]
    assert len({*before}) == 3
    assert [item.stamp() for item in items] == before
    for name in ("1.png", "1.tar", "1.parquet"):
        os.utime(tmp_path / name, ns=(1, 1))
    assert not {*before} & {item.stamp() for item in items}
    assert Item("k", kept["bytes"]).stamp() is None
    assert Item("k", np.zeros((1, 1, 3), np.uint8)).stamp() is None


def test_a_file_that_is_gone_is_an_error(tmp_path):
    item = Item("k", tmp_path / "none.png")
    for ask in (item.content, item.stamp):
        with pytest.raises(DataError, match=r"none\.png: cannot be read: No such file"):
            ask()


def test_a_change_is_part_of_the_identity_and_of_the_picture(kept):
    def brighter(picture: Image.Image, key: str) -> Image.Image:
        return picture.point(lambda value: value + len(key))

    for name, picture in kept.items():
        plain, changed = Item("key", picture), Item("key", picture, change=PictureChange("brighter 1", brighter))
        assert changed.encoder_input().getpixel((0, 0)) == (10, 3, 3)
        assert changed.digest() != plain.digest()
        assert changed.content() == plain.content()
        assert (name == "bytes") == (changed.stamp() is None)
        assert name == "bytes" or changed.stamp() != plain.stamp()


def test_what_is_encoded_without_a_change(kept, tmp_path):
    assert Item("k", kept["path"]).encoder_input() == tmp_path / "1.png"
    assert {Item("k", kept[name]).encoder_input() for name in ("member", "row", "bytes")} == {png(7)}


def test_another_split_where_there_is_none_is_an_error():
    data_set = DataSet("s", "test", "classes", "top1", (), splits=("test",))
    assert data_set.other("test") is data_set
    with pytest.raises(DataError, match=r"no split 'val' \(available: test\)"):
        data_set.other("val")
