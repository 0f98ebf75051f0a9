import os
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from contralto import embedding_cache
from contralto.contract import preset
from contralto.database import COMMIT_ROWS
from contralto.inputs import Failure
from contralto.search.embed_files import embed
from contralto.search.index import Index
from contralto.search.walk import PictureFile, walk

CONTRACT = preset("tiny")
WIDTH = CONTRACT.embedding


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRALTO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Warnings(list):
    __call__ = list.append


def row(seed):
    return np.random.default_rng(seed).standard_normal(WIDTH).astype(np.float32)


def file(name, size=1, mtime_ns=1):
    return PictureFile(name, os.fsencode(f"/pictures/{name}"), size, mtime_ns)


class Clip:
    """What of a Clip names its index."""

    engine, device, decode, reproducible = "fake", "cpu", "exact", False

    def __init__(self, contract=CONTRACT, precision="auto", **changes):
        self.contract, self.precision = contract, precision
        vars(self).update(changes)

    def made_in(self, tower):
        return self.precision if tower == "image" else pytest.fail("texts are in no index")


def opened(warn=None, **changes):
    return Index(Clip(**changes), warn=warn if warn is not None else pytest.fail)


def database(cache):
    (file,) = cache.glob("*/*.sqlite")
    return file


class Encoder:
    """A row of ones for a file that begins with "good", else a failure; remembers what it was asked."""

    def __init__(self):
        self.seen = []

    def stream_images(self, items):
        for i, path in enumerate(items):
            self.seen.append(os.path.basename(path))
            try:
                good = Path(path).read_bytes().startswith(b"good")
            except OSError as error:
                yield i, Failure(i, path, error.strerror, lasting=False)
                continue
            yield i, np.ones(WIDTH, np.float32) if good else Failure(i, path, "is bad")


def update(folder):
    """Indexes a folder; returns (what the encoder was asked, outcome of each name)."""
    encoder, (files, _) = Encoder(), walk(str(folder))
    with opened() as index:
        outcomes = list(embed(encoder, files, index, index.get(files)))
        index.prune(str(folder), files)
    return encoder.seen, {os.path.basename(f.path): o if isinstance(o, str) else "row" for f, o in outcomes}


def test_rows_and_failures_come_back_bit_for_bit_in_another_index():
    with opened() as index:
        index.put(file("a"), row(0))
        index.put(file("b"), "is bad")
    with opened() as index:
        known = index.get([file("new"), file("a"), file("b"), file("a", size=2), file("a", mtime_ns=2)])
    assert set(known) == {1, 2}
    np.testing.assert_array_equal(known[1], row(0))
    assert known[2] == "is bad"


OTHERS = {
    "contract": CONTRACT.replace(name="other"),
    "precision": "int8 0123",
    "engine": "another",
    "device": "cuda:0",
    "decode": "scaled",
    "reproducible": True,
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_was_made_in_another_way_is_not_known(what):
    with opened(**{what: OTHERS[what]}) as index:
        index.put(file("a"), row(1))
    with opened() as index:
        assert index.get([file("a")]) == {}
        index.put(file("a"), row(0))
    with opened(**{what: OTHERS[what]}) as index:
        np.testing.assert_array_equal(index.get([file("a")])[0], row(1))


@pytest.mark.parametrize(
    ("place", "name"),
    [(embedding_cache, "__version__"), (embedding_cache.PIL, "__version__"), (embedding_cache, "runtime")],
)
def test_another_version_makes_its_own_rows(place, name, monkeypatch):
    with opened() as index:
        index.put(file("a"), row(0))
    monkeypatch.setattr(place, name, (lambda engine: "openvino 99") if name == "runtime" else "99")
    with opened() as index:
        assert index.get([file("a")]) == {}


def test_a_failure_counts_only_for_the_reader_that_judged_it(monkeypatch):
    with opened() as index:
        index.put(file("a"), row(0))
        index.put(file("b"), "is bad")
    monkeypatch.setattr(embedding_cache, "readers", lambda: "one with AVIF")
    with opened() as index:
        assert set(index.get([file("a"), file("b")])) == {0}
        index.put(file("b"), row(1))
        assert set(index.get([file("a"), file("b")])) == {0}, "it waits to be written"
        index.flush()
        assert set(index.get([file("a"), file("b")])) == {0, 1}


def test_new_changed_deleted_and_bad_files_are_noticed(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"good")
    (folder / "sub" / "b.jpg").write_bytes(b"good")
    (folder / "c.jpg").write_bytes(b"bad")
    assert update(folder) == (["a.jpg", "c.jpg", "b.jpg"], {"a.jpg": "row", "c.jpg": "is bad", "b.jpg": "row"})
    assert update(folder)[0] == []
    (folder / "c.jpg").write_bytes(b"good now")  # changed
    (folder / "d.jpg").write_bytes(b"good")  # new
    (folder / "a.jpg").unlink()  # deleted
    os.utime(folder / "sub" / "b.jpg", ns=(1, 1))  # touched: its time is all that is known
    assert update(folder) == (["c.jpg", "d.jpg", "b.jpg"], {"c.jpg": "row", "d.jpg": "row", "b.jpg": "row"})
    with sqlite3.connect(database(tmp_path / "cache")) as connection:
        kept = {os.path.basename(path) for (path,) in connection.execute("SELECT path FROM pictures")}
    connection.close()
    assert kept == {b"b.jpg", b"c.jpg", b"d.jpg"}


def test_a_file_that_cannot_be_read_now_is_tried_again(tmp_path):
    gone = PictureFile(str(tmp_path / "gone.jpg"), b"/gone.jpg", 4, 1)
    for _ in range(2):
        encoder = Encoder()
        with opened() as index:
            list(embed(encoder, [gone], index, index.get([gone])))
        assert encoder.seen == ["gone.jpg"]


def test_prune_leaves_neighbours_and_what_is_still_there(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "present.jpg").write_bytes(b"good")
    present = os.fsencode(tmp_path / "in" / "present.jpg")
    others = [os.fsencode(tmp_path / name) for name in ("in/gone.jpg", "in2/gone.jpg", "in.jpg")]
    with opened() as index:
        for key in (present, *others):
            index.put(PictureFile("", key, 1, 1), row(0))
        index.flush()
        assert index.prune(str(tmp_path / "in"), []) == 1
        assert set(index.get([PictureFile("", key, 1, 1) for key in (present, *others)])) == {0, 2, 3}


def test_64_rows_are_committed_without_flush(cache):
    with opened() as index:
        for i in range(COMMIT_ROWS + 1):
            index.put(file(str(i)), row(i))
        with sqlite3.connect(database(cache)) as other:
            assert other.execute("SELECT count(*) FROM pictures").fetchone() == (COMMIT_ROWS,)
        other.close()


def test_what_was_done_is_kept_when_the_caller_stops(tmp_path):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(b"good")
    files, _ = walk(str(tmp_path))
    with opened() as index:
        outcomes = embed(Encoder(), files, index, {})
        next(outcomes)
        next(outcomes)
        outcomes.close()  # as an exception in the caller's loop does
    assert update(tmp_path)[0] == ["c.jpg"]


@pytest.mark.parametrize("damage", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_index_is_moved_aside_with_one_warning(cache, damage):
    with opened() as index:
        index.put(file("a"), row(0))
    broken = database(cache)
    broken.write_bytes(damage)
    warnings = Warnings()
    with opened(warnings) as index:
        assert index.get([file("a")]) == {}
        index.put(file("a"), row(1))
    assert len(warnings) == 1
    assert "was damaged: moved aside" in warnings[0]
    assert Path(f"{broken}.damaged").read_bytes() == damage
    with opened() as index:
        np.testing.assert_array_equal(index.get([file("a")])[0], row(1))


def test_damage_that_shows_only_later_is_survived(cache):
    with opened() as index:
        for i in range(200):
            index.put(file(f"{i:04}"), row(i))
    path = database(cache)
    data = bytearray(path.read_bytes())
    data[8192:] = b"\x5a" * (len(data) - 8192)
    path.write_bytes(data)
    warnings = Warnings()
    with opened(warnings) as index:
        index.get([file(f"{i:04}") for i in range(200)])
        index.put(file("new"), row(0))
        index.flush()
        assert set(index.get([file("new")])) == {0}
    assert len(warnings) == 1


def test_a_row_of_another_length_is_not_used(cache):
    with opened() as index:
        index.put(file("a"), row(0)[:-1])
    with opened() as index:
        assert index.get([file("a")]) == {}


def test_without_a_writable_folder_it_works_in_memory_with_one_warning(tmp_path, monkeypatch):
    (tmp_path / "a-file").write_text("not a folder")
    monkeypatch.setenv("CONTRALTO_CACHE", str(tmp_path / "a-file" / "cache"))
    warnings = Warnings()
    with opened(warnings) as index:
        index.put(file("a"), row(0))
        index.flush()
        assert set(index.get([file("a")])) == {0}
    assert len(warnings) == 1
    assert "are not cached" in warnings[0]


SLOW = """
    import sys, time
    from types import SimpleNamespace
    import numpy as np
    from contralto.contract import preset
    from contralto.search.embed_files import embed
    from contralto.search.walk import walk
    from contralto.search.index import Index

    class Slow:
        def stream_images(self, items):
            for i, item in enumerate(items):
                time.sleep(float(sys.argv[2]))
                yield i, np.ones(preset("tiny").embedding, np.float32)

    files, _ = walk(sys.argv[1])
    way = dict(engine="fake", device="cpu", decode="exact", reproducible=False, made_in=lambda tower: "auto")
    with Index(SimpleNamespace(contract=preset("tiny"), **way), warn=sys.exit) as index:
        known = index.get(files)
        print(len(known), flush=True)
        for n, _ in enumerate(embed(Slow(), files, index, known)):
            print("row", n, flush=True)
"""


def slow(folder, pause):
    command = [sys.executable, "-c", textwrap.dedent(SLOW), str(folder), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def pictures(folder, n):
    folder.mkdir()
    for i in range(n):
        (folder / f"{i:04}.jpg").write_bytes(b"good")
    return folder


def test_kill_9_loses_at_most_what_was_not_committed(tmp_path):
    folder = pictures(tmp_path / "pictures", 2000)
    with slow(folder, 0.002) as process:
        for line in process.stdout:
            if line.strip() == "row 300":
                process.kill()
                break
    seen, outcomes = update(folder)
    assert len(outcomes) == 2000
    assert 2000 - len(seen) >= 300 - COMMIT_ROWS


def test_two_processes_index_one_folder_at_once(tmp_path):
    folder = pictures(tmp_path / "pictures", 300)
    with slow(folder, 0.001) as one, slow(folder, 0.001) as two:
        for process in (one, two):
            lines = process.communicate(timeout=60)[0].split("\n")
            assert process.returncode == 0
            assert lines[-2] == "row 299"
    assert update(folder)[0] == []


def test_ten_thousand_known_pictures_are_read_quickly(tmp_path):
    files = [file(f"{i:05}.jpg") for i in range(10_000)]
    with opened() as index:
        for one in files:
            index.put(one, row(0))
    began = time.process_time()
    with opened() as index:
        assert len(index.get(files)) == 10_000
    assert time.process_time() - began < 1  # 0.15 s
