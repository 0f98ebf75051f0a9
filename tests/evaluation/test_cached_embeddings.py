"""Embeddings of items and texts: stored by content, resumed, each failure on its own."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image
from support.planned_clip import CONTRACT, PlannedClip, picture

from contralto import embedding_cache
from contralto.data.sample import SampleError
from contralto.errors import DataError, ImageError
from contralto.evaluation.cached_embeddings import embed_pictures, embed_texts
from contralto.evaluation.store import Store
from contralto.sets.data_set import Item, PictureChange

ROWS = np.eye(4)
TEXTS = {"a": [1, 0, 0, 0], "b": [0, 1, 0, 0], "a text of more than forty characters, which is cut": [0, 0, 1, 0]}


@pytest.fixture
def clip():
    return PlannedClip(ROWS, TEXTS)


def rows(clip, items, **options):
    fresh = options.pop("fresh", False)
    told = options.pop("told", [])
    with Store(clip, fresh=fresh, warn=pytest.fail) as store:
        return embed_pictures(clip, items, store, progress=lambda *step: told.append(step), **options)


def items(*numbers):
    return [Item(f"{place}", picture(number)) for place, number in enumerate(numbers)]


def test_rows_come_in_order_and_equal_pictures_are_encoded_once(clip):
    embedded = rows(clip, items(2, 0, 2, 1))
    assert np.array_equal(embedded.embeddings, ROWS[[2, 0, 2, 1]].astype(np.float32))
    assert len(clip.seen) == 3
    assert embedded.digests[0] == embedded.digests[2] != embedded.digests[1]


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


@pytest.mark.parametrize(
    "changes",
    [
        {"made": "int8 0123"},
        {"engine": "another"},
        {"device": "cuda:0"},
        {"decode": "scaled"},
        {"reproducible": True},
        {"contract": CONTRACT.replace(name="other")},
    ],
)
def test_another_way_of_making_rows_has_a_store_of_its_own(clip, changes):
    rows(clip, items(0))
    other = PlannedClip(ROWS, TEXTS)
    for name, value in changes.items():
        setattr(other, name, value)
    rows(other, items(0))
    rows(other, items(0))
    assert len(other.seen) == 1


@pytest.mark.parametrize("what", ["contralto", "runtime", "Pillow"])
def test_another_version_makes_its_own_rows(clip, what, monkeypatch):
    rows(clip, items(0))
    place, name = {
        "contralto": (embedding_cache, "__version__"),
        "runtime": (embedding_cache, "runtime"),
        "Pillow": (embedding_cache.PIL, "__version__"),
    }[what]
    monkeypatch.setattr(place, name, (lambda engine: "99") if what == "runtime" else "99")
    rows(clip, items(0))
    assert len(clip.seen) == 2


def test_an_interrupted_run_goes_on_where_it_was(clip):
    clip.fails_after = 2
    with pytest.raises(KeyboardInterrupt):
        rows(clip, items(0, 1, 2, 3))
    clip.fails_after = None
    embedded = rows(clip, items(0, 1, 2, 3))
    assert len(clip.seen) == 4, "the two that were done are not done again"
    assert np.array_equal(embedded.embeddings, ROWS.astype(np.float32))


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
    assert np.array_equal(rows(clip, [Item("a", path)]).embeddings[0], ROWS[3].astype(np.float32))


def test_a_change_is_applied_and_is_part_of_the_identity(clip):
    brighter = PictureChange("one more", lambda image, key: Image.eval(image, lambda value: value + 1))
    plain = Item("a", picture(1))
    embedded = rows(clip, [plain, replace(plain, key="b", change=brighter)])
    assert np.array_equal(embedded.embeddings, ROWS[[1, 2]].astype(np.float32))
    assert embedded.digests[0] != embedded.digests[1]


def test_a_picture_that_fails_costs_only_its_own_row(clip, tmp_path):
    gone = Item("gone", tmp_path / "gone.png")
    damaged = Item("damaged", b"no picture")
    embedded = rows(clip, [gone, damaged, Item("good", picture(2))])
    assert set(embedded.failures) == {"gone", "damaged"}
    assert not embedded.embeddings[:2].any()
    assert np.array_equal(embedded.embeddings[2], ROWS[2].astype(np.float32))
    assert "no such file" in embedded.failures["gone"].lower()
    assert rows(clip, [damaged]).failures == {"damaged": embedded.failures["damaged"]}, "the reason is kept too"


class Flaky(Item):
    """Its picture cannot be had once, then it can."""

    troubles: ClassVar[list[BaseException]] = []

    def encoder_input(self):
        if self.troubles:
            raise self.troubles.pop()
        return super().encoder_input()


TROUBLES = [
    SampleError("a", "cannot be read: Input/output error"),
    DataError("the file is gone"),
    ImageError("a", "needs more memory than there is", lasting=False),
    MemoryError(),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=repr)
def test_what_another_try_may_mend_is_tried_again(clip, trouble):
    Flaky.troubles = [trouble]
    several = [Flaky("a", picture(1)), Item("b", picture(2))]
    assert list(rows(clip, several).failures) == ["a"]
    embedded = rows(clip, several)
    assert embedded.failures == {}
    assert np.array_equal(embedded.embeddings, ROWS[[1, 2]].astype(np.float32))


def test_what_the_decoder_says_does_not_last_is_tried_again(clip, monkeypatch):
    def short(item):
        raise ImageError("a", "needs more memory than there is", lasting=False)

    with monkeypatch.context() as patch:
        patch.setattr("support.planned_clip.decode", short)
        assert rows(clip, items(1)).failures == {"0": "needs more memory than there is"}
    assert rows(clip, items(1)).failures == {}


def test_a_file_that_cannot_be_read_for_lack_of_memory_is_tried_again(clip, monkeypatch):
    def short(self):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(Item, "content", short)
        assert rows(clip, items(1)).failures == {"0": "needs more memory than there is"}
    assert rows(clip, items(1)).failures == {}


def test_a_failure_counts_only_for_the_reader_that_judged_it(clip, monkeypatch):
    several = [Item("a", b"no picture"), Item("b", picture(2))]
    for reader, asked in (("one", 2), ("one", 2), ("another", 3), ("another", 3), ("one", 4)):
        monkeypatch.setattr(embedding_cache, "readers", lambda reader=reader: reader)
        assert list(rows(clip, several).failures) == ["a"]
        assert len(clip.seen) == asked


@pytest.mark.parametrize("name", [b"\xff\xfe.png", b"new\nline.png", b" .png"])
@pytest.mark.parametrize("time", [13_569_465_600 * 10**9, -2_208_988_800 * 10**9])
def test_odd_names_and_times_are_remembered_like_any_other(clip, tmp_path, name, time):
    path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))
    Image.fromarray(picture(1)).save(path, "PNG")
    os.utime(path, ns=(0, time))
    told = []
    assert rows(clip, [Item("a", path)]).failures == {}
    assert rows(clip, [Item("a", path)], told=told).failures == {}
    assert not told, "neither read nor encoded"


def test_another_version_reads_every_file_itself(clip, tmp_path, monkeypatch):
    Image.fromarray(picture(1)).save(tmp_path / "a.png")
    several = [Item("a", tmp_path / "a.png")]
    rows(clip, several)
    monkeypatch.setattr("contralto.evaluation.store.__version__", "99")
    told = []
    rows(clip, several, told=told)
    assert ("reading", 1, 1) in told


def test_a_reason_with_a_name_that_is_not_utf_8_is_kept(clip):
    with Store(clip, warn=pytest.fail) as store:
        store.put("image", b"x", "no \udcff")
    with Store(clip, warn=pytest.fail) as store:
        assert store.embeddings("image", [b"x"]) == {b"x": "no \\udcff"}


def test_a_change_that_fails_is_a_failure_of_its_picture(clip):
    change = PictureChange("any", lambda image, key: image)
    embedded = rows(clip, [Item("damaged", b"no picture", change=change), Item("good", picture(0))])
    assert list(embedded.failures) == ["damaged"]


def test_texts_are_encoded_once_and_those_cut_are_counted(clip):
    long = list(TEXTS)[2]
    with Store(clip, warn=pytest.fail) as store:
        embedded = embed_texts(clip, ["b", "a", "b", long], store, progress=lambda *step: None)
        again = embed_texts(clip, ["a", long], store, progress=lambda *step: None)
    assert np.array_equal(embedded.embeddings, np.eye(4, dtype=np.float32)[[1, 0, 1, 2]])
    assert embedded.too_long == again.too_long == 1
    assert sorted(map(str, clip.seen)) == sorted(TEXTS)


def test_a_cache_that_cannot_be_used_is_told_once_and_does_not_stop_the_work(clip, own_cache, tmp_path):
    own_cache.parent.mkdir(exist_ok=True)
    own_cache.write_text("a file where the folder should be")
    Image.fromarray(picture(3)).save(tmp_path / "a.png")
    told = []
    with Store(clip, warn=told.append) as store:
        embedded = embed_pictures(clip, [*items(0), Item("b", tmp_path / "a.png")], store, progress=lambda *step: None)
    assert np.array_equal(embedded.embeddings, ROWS[[0, 3]].astype(np.float32))
    assert len(told) == 1
    assert "cannot be written (Not a directory)" in told[0]


def test_a_cache_that_can_only_be_read_is_read(clip, tmp_path, monkeypatch):
    """The refusal is played, because root may write everywhere."""
    for number in (1, 2):
        Image.fromarray(picture(number)).save(tmp_path / f"{number}.png")
    several = [Item(str(number), tmp_path / f"{number}.png") for number in (1, 2)]
    rows(clip, several[:1])
    connect = sqlite3.connect

    def refused(file, **options):
        if file != ":memory:":
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error
        return connect(file, **options)

    monkeypatch.setattr(sqlite3, "connect", refused)
    told, steps = [], []
    for asked in (several[:1], several):
        with Store(clip, warn=told.append) as store:
            embedded = embed_pictures(clip, asked, store, progress=lambda *step: steps.append(step))
        assert np.array_equal(embedded.embeddings, ROWS[[1, 2][: len(asked)]].astype(np.float32))
    assert steps == [("reading", 1, 1), ("pictures", 1, 1)], "of the second alone"
    assert len(told) == 1
