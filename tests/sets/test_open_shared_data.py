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
    found = open_set(f"{DATA}/sets/{name}.tar")
    assert (found.name, found.split, found.task, len(found.items)) == (name, "val", "classes", count)
    assert (len(found.classes), len({known.group for known in found.classes})) == (classes, groups)
    assert len(found.templates) == templates
    for item in found.items:
        assert item.key.split("/")[:2] == ["val", found.classes[item.label].folder]
    assert max(decode(found.items[-1].content()).size) > 100


def test_flickr8k():
    found = open_set(f"{DATA}/flickr8k/flickr8k-dev.tar")
    assert (found.split, found.task, len(found.items)) == ("dev", "retrieval", 1000)
    assert {len(item.captions) for item in found.items} == {5}
    assert len(open_set(f"{DATA}/flickr8k/flickr8k-train-{{00..01}}.tar").items) == 2000


def test_coco_mini():
    found = open_set(f"{DATA}/coco-mini")
    assert (found.split, found.task, len(found.items)) == ("train", "retrieval", 80)
