"""Opening the real sets, where they are."""

import pytest
from support.paths import SHARED

from contralto.image.decode import decode
from contralto.sets.open import open_set

DATA = SHARED / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is absent")


@pytest.mark.parametrize(
    ("name", "count", "classes", "groups", "templates"),
    [
        ("clothing10", 120, 10, 1, 2),
        ("fashion-products", 361, 46, 1, 3),
        ("grocery81", 324, 81, 43, 3),
        ("scenes15", 150, 15, 1, 2),
        ("textures10", 100, 10, 1, 4),
        ("trash6", 60, 6, 1, 1),
    ],
)
def test_folders_per_class(name, count, classes, groups, templates):
    data_set = open_set(f"{DATA}/sets/{name}.tar")
    assert (data_set.name, data_set.split, data_set.task, len(data_set.items)) == (name, "val", "classes", count)
    assert (len(data_set.classes), len({known.group for known in data_set.classes})) == (classes, groups)
    assert len(data_set.templates) == templates
    for item in data_set.items:
        assert item.key.split("/")[:2] == ["val", data_set.classes[item.label].folder]
    assert max(decode(data_set.items[-1].content()).size) > 100


def test_flickr8k():
    data_set = open_set(f"{DATA}/flickr8k/flickr8k-dev.tar")
    assert (data_set.split, data_set.task, len(data_set.items)) == ("dev", "retrieval", 1000)
    assert {len(item.captions) for item in data_set.items} == {5}
    assert len(open_set(f"{DATA}/flickr8k/flickr8k-train-{{00..01}}.tar").items) == 2000


def test_coco_mini():
    data_set = open_set(f"{DATA}/coco-mini")
    assert (data_set.split, data_set.task, len(data_set.items)) == ("train", "retrieval", 80)
