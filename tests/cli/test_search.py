"""`contralto search`: order, queries, the line below the relevant results, and unusable files."""

from __future__ import annotations

import os

import pytest
from support.command_line import errors, spoil
from support.fake_clip import paint


def test_search_ranks_and_answers_again_from_the_index(cli, folder, clip):
    paint(folder / "sub" / "deep" / "red.png", "red")
    result = cli("search", folder, "red", "--json")
    assert result.code == 0
    assert [one["rank"] for one in result.objects] == [1, 2, 3, 4]
    assert all(set(one) == {"rank", "path", "score", "relevant"} for one in result.objects)
    best = [one["path"] for one in result.objects[:2]]
    assert best == [str(folder / "red.png"), str(folder / "sub" / "deep" / "red.png")]  # a tie: in the order of paths
    assert result.objects[0]["score"] == result.objects[1]["score"] == pytest.approx(1, abs=1e-4)
    clip.seen.clear()
    assert cli("search", folder, "blue", "--top", "1", "--json").objects[0]["path"] == str(folder / "blue.png")
    assert clip.seen == []
    assert cli("search", folder, "red", "--top", "1").out.split() == ["1", "1.000", str(folder / "red.png")]


def test_search_by_picture_by_both_and_without(cli, folder):
    def best(*arguments):
        return os.path.basename(cli("search", folder, *arguments, "--json").objects[0]["path"])

    assert best("--image", folder / "green.png") == "green.png"
    assert best("red", "--image", folder / "red.png") == "red.png"
    assert best("white", "--not", "green", "--not", "blue") == "red.png"
    assert best("white", "--not", "red", "--not", "blue") == "green.png"


def test_search_says_where_the_good_answers_end(cli, folder, monkeypatch):
    for least, line in ((0.5, 1), (-1.0, None), (2.0, None)):
        monkeypatch.setattr("contralto.search.relevance.threshold", lambda *given, least=least: least)
        objects = cli("search", folder, "red", "--json").objects
        assert [one["relevant"] for one in objects] == [one["score"] > least for one in objects]
        result = cli("search", folder, "red")
        drawn = [place for place, text in enumerate(result.out.splitlines()) if text.startswith("----")]
        assert drawn == ([] if line is None else [line])
        assert ("no picture seems to match" in result.err) == (least == 2.0)


def test_search_notes_bad_files_once_and_exits_0(cli, folder):
    for i in range(5):
        spoil(folder, f"bad{i}.jpg")
    result = cli("search", folder, "red")
    assert result.code == 0
    assert result.err.startswith("note: 5 could not be used: ")
    assert result.err.count("could not be used") == 1
    assert cli("search", folder, "red", "--quiet").err == ""
    assert len(errors(cli("search", folder, "red", "--json"))) == 5


def test_search_with_nothing_usable_is_1(cli, tmp_path, clip):
    (tmp_path / "p").mkdir()
    spoil(tmp_path / "p")
    assert cli("search", tmp_path / "p", "red").code == 1
    assert "no such folder" in cli("search", tmp_path / "gone", "red").err
    assert "is not a folder" in cli("search", tmp_path / "p" / "bad.jpg", "red").err


def test_odd_names_are_escaped_in_tables_and_whole_in_json(cli, folder):
    odd = [b"new\nline.png", b"tab\tesc\x1b[31m.png", b"\xff\xfe.png", "図 🐈.png".encode()]
    for name in odd:
        os.link(folder / "red.png", os.path.join(os.fsencode(folder), name))
    table = cli("search", folder, "red").out
    assert "new\\nline.png" in table
    assert "\\x1b[31m" in table
    assert "\\udcff\\udcfe.png" in table
    assert "図 🐈.png" in table
    assert len(table.splitlines()) == 7
    result = cli("search", folder, "red", "--json")
    assert result.out.isascii()
    paths = {os.path.basename(os.fsencode(one["path"])) for one in result.objects}
    assert paths >= set(odd)
