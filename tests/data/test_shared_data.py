"""The readers on the real sets, where they are."""

import pytest
from support.paths import SHARED

from contralto.data.class_folders import ClassFolders
from contralto.data.webdataset import WebDataset
from contralto.image.decode import decode

DATA = SHARED / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is absent")


def test_flickr8k_dev():
    source = WebDataset(DATA / "flickr8k/flickr8k-dev.tar")
    assert (len(source), dict(source.skipped)) == (1000, {})
    assert all(len(source[i].captions) == 5 for i in (0, 500, 999))
    assert decode(source[999].picture).size == (224, 224)


def test_coco_mini():
    source = WebDataset(DATA / "coco-mini/coco-mini-train.tar")
    assert (len(source), len(source[7].captions)) == (80, 5)


@pytest.mark.parametrize(
    ("name", "train", "val", "classes"),
    [
        ("grocery81", 891, 324, 81),
        ("fashion-products", 1109, 361, 46),
        ("scenes15", 420, 150, 15),
        ("trash6", 156, 60, 6),
    ],
)
def test_folders_per_class(name, train, val, classes):
    sources = [ClassFolders(DATA / f"sets/{name}.tar", split) for split in ("train", "val")]
    assert [len(source) for source in sources] == [train, val]
    for source in sources:
        assert {source[i].label for i in range(len(source))} == set(range(classes))
        assert len(source.names) == classes
