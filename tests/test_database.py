"""What becomes of a SQLite file that is damaged, can only be read, or takes no more."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from contralto.database import CacheDatabase

TABLE = "CREATE TABLE IF NOT EXISTS pairs (name TEXT NOT NULL UNIQUE, value BLOB)"
PUT = "INSERT OR REPLACE INTO main.pairs VALUES (?, ?)"
KNOWN = {"a": b"1", "b": b"2"}


@pytest.fixture
def filled(tmp_path):
    """A file of two pairs, closed well; in a folder whose name a URI has to escape."""
    file = tmp_path / "what? 100% ours #1 ü" / "pairs.sqlite"
    opened = CacheDatabase(file, TABLE, "the pairs", pytest.fail)
    for pair in KNOWN.items():
        opened.put(PUT, pair)
    opened.close()
    return file


@pytest.fixture
def read_only(monkeypatch):
    """No file can be opened for writing: played, because a root may write everywhere."""
    connect = sqlite3.connect

    def refused(file, **options):
        if file == ":memory:":
            return connect(file, **options)
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
        raise error

    monkeypatch.setattr(sqlite3, "connect", refused)


def pairs(opened):
    return dict(opened.run(lambda db: db.execute("SELECT * FROM pairs").fetchall()))


def test_what_can_only_be_read_is_read_and_new_rows_lie_over_it(filled, read_only):
    told: list[str] = []
    opened = CacheDatabase(filled, TABLE, "the pairs", told.append)
    assert pairs(opened) == KNOWN
    assert told == [], "nothing is lost yet"
    opened.put(PUT, ("c", b"3"))
    opened.put(PUT, ("a", b"new"))
    opened.flush()
    opened.put(PUT, ("d", b"4"))
    opened.flush()
    assert pairs(opened) == {"a": b"new", "b": b"2", "c": b"3", "d": b"4"}
    opened.close()
    assert told == [f"the pairs {filled} cannot be written: new embeddings are not cached"]


def test_a_missing_file_that_cannot_be_made_is_memory(tmp_path, read_only):
    told: list[str] = []
    opened = CacheDatabase(tmp_path / "none.sqlite", TABLE, "the pairs", told.append)
    opened.put(PUT, ("c", b"3"))
    opened.flush()
    assert pairs(opened) == {"c": b"3"}
    opened.close()
    assert len(told) == 1


def test_a_damaged_file_that_can_only_be_read_is_left(filled, read_only):
    filled.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    told: list[str] = []
    opened = CacheDatabase(filled, TABLE, "the pairs", told.append)
    assert pairs(opened) == {}
    opened.put(PUT, ("c", b"3"))
    opened.close()
    assert len(told) == 1
    assert filled.exists()


def test_a_file_of_other_tables_that_can_only_be_read_is_left(filled, read_only):
    opened = CacheDatabase(filled, TABLE.replace("pairs", "others"), "the pairs", pytest.fail)
    assert opened.run(lambda db: db.execute("SELECT * FROM others").fetchall()) == []
    opened.close()


def test_a_disk_that_becomes_full_is_told_once_and_what_is_known_stays(filled):
    """As SQLite itself sees it: the file may not have one page more."""
    told: list[str] = []
    opened = CacheDatabase(filled, TABLE, "the pairs", told.append)
    opened.run(lambda db: db.execute("PRAGMA max_page_count = 1").fetchall())
    rows = {str(i): bytes(4096) for i in range(300)}
    for pair in rows.items():
        opened.put(PUT, pair)
    opened.flush()
    assert pairs(opened) == KNOWN | rows
    opened.close()
    assert told == [f"the pairs {filled} cannot be written (database or disk is full): new embeddings are not cached"]
    again = CacheDatabase(filled, TABLE, "the pairs", pytest.fail)
    assert pairs(again) == KNOWN
    again.close()


def test_a_folder_that_is_a_file_is_told_once(tmp_path):
    (tmp_path / "a-file").write_text("no folder")
    told: list[str] = []
    opened = CacheDatabase(tmp_path / "a-file" / "x" / "pairs.sqlite", TABLE, "the pairs", told.append)
    opened.put(PUT, ("c", b"3"))
    opened.close()
    assert len(told) == 1
    assert "Not a directory" in told[0]


def test_a_folder_in_its_place_is_memory(tmp_path):
    (tmp_path / "pairs.sqlite").mkdir()
    told: list[str] = []
    opened = CacheDatabase(tmp_path / "pairs.sqlite", TABLE, "the pairs", told.append)
    opened.put(PUT, ("c", b"3"))
    opened.close()
    assert len(told) == 1


def test_damage_that_cannot_be_moved_aside_is_left(filled, monkeypatch):
    def refused(*_):
        raise OSError(30, "Read-only file system")

    filled.write_bytes(b"no database" * 100)
    monkeypatch.setattr(os, "replace", refused)
    told: list[str] = []
    opened = CacheDatabase(filled, TABLE, "the pairs", told.append)
    opened.put(PUT, ("c", b"3"))
    assert opened.run(lambda db: 1) == 1
    opened.close()
    assert len(told) == 1


MOUNTED = """
    import os, subprocess, sys
    from pathlib import Path
    from contralto.database import CacheDatabase
    table, put, file = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    folder = str(file.parent)
    for options in (["--bind", folder, folder], ["-o", "remount,bind,ro", folder]):
        if subprocess.run(["mount", *options], capture_output=True).returncode:
            sys.exit(77)
    try:
        (file.parent / "x").write_text("")
        sys.exit(78)
    except OSError:
        pass
    opened = CacheDatabase(file, table, "the pairs", lambda line: print("told", line))
    print(sorted(opened.run(lambda db: db.execute("SELECT name FROM pairs").fetchall())))
    opened.put(put, ("c", b"3"))
    opened.flush()
    print(sorted(opened.run(lambda db: db.execute("SELECT name FROM pairs").fetchall())))
    opened.close()
"""


@pytest.mark.parametrize("logged", [False, True])
def test_a_disk_that_is_mounted_read_only(filled, logged):
    """In a mount namespace of its own; logged: the log of a writer that was killed is next to the file."""
    writer = sqlite3.connect(filled)
    if logged:
        with writer:
            writer.execute("INSERT INTO pairs VALUES ('logged', NULL)")
        assert Path(f"{filled}-wal").stat().st_size
    else:
        writer.close()
    command = ["unshare", "--mount", sys.executable, "-c", textwrap.dedent(MOUNTED), TABLE, PUT, str(filled)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    finally:
        writer.close()
    if done.returncode in (77, 78) or "unshare" in done.stderr:
        pytest.skip("nothing can be mounted here")
    names = [("a",), ("b",), *([("logged",)] if logged else [])]
    told = f"told the pairs {filled} cannot be written: new embeddings are not cached"
    assert done.stdout.splitlines() == [str(names), told, str(sorted([*names, ("c",)]))], done.stderr
