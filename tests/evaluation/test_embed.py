"""Rows of items and texts: kept by content, resumed, and each failure alone."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from planned import PlannedClip, picture

from contralto.evaluation import embed
from contralto.evaluation.store import Store
from contralto.sets.items import Change, Item

ROWS = np.eye(4)
TEXTS = {"a": [1, 0, 0, 0], "b": [0, 1, 0, 0], "a text of more than forty characters, which is cut": [0, 0, 1, 0]}


@pytest.fixture
def clip():
    return PlannedClip(ROWS, TEXTS)


def rows(clip, items, **options):
    fresh = options.pop("fresh", False)
    told = options.pop("told", [])
    with Store(clip, fresh=fresh, warn=pytest.fail) as store:
        return embed.pictures(clip, items, store, progress=lambda *step: told.append(step), **options)


def items(*numbers):
    return [Item(f"{place}", picture(number)) for place, number in enumerate(numbers)]


def test_rows_come_in_order_and_equal_pictures_are_encoded_once(clip):
    found = rows(clip, items(2, 0, 2, 1))
    assert np.array_equal(found.rows, ROWS[[2, 0, 2, 1]].astype(np.float32))
    assert len(clip.seen) == 3
    assert found.digests[0] == found.digests[2] != found.digests[1]


def test_what_is_known_is_not_encoded_again_unless_fresh_is_asked_for(clip):
    rows(clip, items(0, 1))
    rows(clip, items(1, 0, 2))
    assert len(clip.seen) == 3
    rows(clip, items(0, 1), fresh=True)
    assert len(clip.seen) == 5


def test_features_and_rows_are_kept_apart(clip):
    rows(clip, items(0))
    rows(clip, items(0), kind="features")
    assert len(clip.seen) == 2


def test_another_way_of_making_rows_has_a_store_of_its_own(clip):
    rows(clip, items(0))
    other = PlannedClip(ROWS, TEXTS)
    other.precision = "int8"
    rows(other, items(0))
    assert len(other.seen) == 1


def test_an_interrupted_run_goes_on_where_it_was(clip):
    clip.fails_after = 2
    with pytest.raises(KeyboardInterrupt):
        rows(clip, items(0, 1, 2, 3))
    clip.fails_after = None
    found = rows(clip, items(0, 1, 2, 3))
    assert len(clip.seen) == 4, "the two that were done are not done again"
    assert np.array_equal(found.rows, ROWS.astype(np.float32))


def test_files_are_known_by_place_size_and_time_and_read_again_when_they_change(clip, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(picture(1)).save(path)
    told = []
    first = rows(clip, [Item("a", path)], told=told)
    assert ("reading", 1, 1) in told
    told.clear()
    again = rows(clip, [Item("a", path)], told=told)
    assert not told, "neither read nor encoded"
    assert again.digests == first.digests
    Image.fromarray(picture(3)).save(path)
    os.utime(path, ns=(1, 1))
    assert np.array_equal(rows(clip, [Item("a", path)]).rows[0], ROWS[3].astype(np.float32))


def test_a_change_is_applied_and_is_part_of_the_identity(clip):
    brighter = Change("one more", lambda image, key: Image.eval(image, lambda value: value + 1))
    plain = Item("a", picture(1))
    found = rows(clip, [plain, replace(plain, key="b", change=brighter)])
    assert np.array_equal(found.rows, ROWS[[1, 2]].astype(np.float32))
    assert found.digests[0] != found.digests[1]


def test_a_picture_that_fails_costs_only_its_own_row(clip, tmp_path):
    gone = Item("gone", tmp_path / "gone.png")
    damaged = Item("damaged", b"no picture")
    found = rows(clip, [gone, damaged, Item("good", picture(2))])
    assert set(found.failures) == {"gone", "damaged"}
    assert not found.rows[:2].any()
    assert np.array_equal(found.rows[2], ROWS[2].astype(np.float32))
    assert "no such file" in found.failures["gone"].lower()
    assert rows(clip, [damaged]).failures == {"damaged": found.failures["damaged"]}, "the reason is kept too"


def test_a_change_that_fails_is_a_failure_of_its_picture(clip):
    change = Change("any", lambda image, key: image)
    found = rows(clip, [Item("damaged", b"no picture", change=change), Item("good", picture(0))])
    assert list(found.failures) == ["damaged"]


def test_texts_are_encoded_once_and_those_cut_are_counted(clip):
    long = list(TEXTS)[2]
    with Store(clip, warn=pytest.fail) as store:
        found = embed.texts(clip, ["b", "a", "b", long], store, progress=lambda *step: None)
        again = embed.texts(clip, ["a", long], store, progress=lambda *step: None)
    assert np.array_equal(found.rows, np.eye(4, dtype=np.float32)[[1, 0, 1, 2]])
    assert found.cut == again.cut == 1
    assert sorted(map(str, clip.seen)) == sorted(TEXTS)


def test_a_cache_that_cannot_be_written_is_told_and_does_not_stop_the_work(clip, own_cache):
    own_cache.parent.mkdir(exist_ok=True)
    own_cache.write_text("a file where the folder should be")
    told = []
    with Store(clip, warn=told.append) as store:
        found = embed.pictures(clip, items(0, 3), store, progress=lambda *step: None)
    assert np.array_equal(found.rows, ROWS[[0, 3]].astype(np.float32))
    assert any("cannot be used" in line for line in told)
