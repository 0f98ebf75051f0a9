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


def test_an_axis_orders_pictures_from_one_text_to_the_other(cli, folder, clip):
    result = cli("search", folder, "--axis", "blue", "red", "--json")
    assert result.code == 0
    assert [set(one) for one in result.objects] == [{"rank", "path", "score"}] * 3
    assert [os.path.basename(one["path"]) for one in result.objects] == ["red.png", "green.png", "blue.png"]
    rows = {name: clip.encode_image([folder / f"{name}.png"])[0] for name in ("red", "green", "blue")}
    blue, red = clip.encode_text(["blue", "red"])
    expected = [float(rows[name] @ red - rows[name] @ blue) for name in ("red", "green", "blue")]
    assert [one["score"] for one in result.objects] == pytest.approx(expected, abs=1e-5)
    back = cli("search", folder, "--axis", "red", "blue", "--json", "--top", "1").objects
    assert [os.path.basename(one["path"]) for one in back] == ["blue.png"]
    clip.seen.clear()
    cli("search", folder, "--axis", "green", "red")
    assert clip.seen == []  # from the index


def test_the_table_of_an_axis_shows_both_ends_and_the_range(cli, folder):
    for i in range(7):
        paint(folder / f"white{i}.png", "white")
    lines = cli("search", folder, "--axis", "blue", "red", "--top", "2").out.splitlines()
    assert lines[0].split()[::2] == ["1", str(folder / "red.png")]
    assert lines[2].startswith("---- the other end")
    assert lines[4].split()[::2] == ["10", str(folder / "blue.png")]
    assert lines[5].startswith("scores -")
    assert len(lines) == 6
    whole = cli("search", folder, "--axis", "blue", "red").out.splitlines()
    assert len(whole) == 11
    assert "other end" not in "".join(whole)
    overlapping = cli("search", folder, "--axis", "blue", "red", "--top", "7").out.splitlines()
    assert [line.split()[0] for line in overlapping[:-1]] == [*"1234567", "----", *"89", "10"]


@pytest.mark.parametrize("spread", [0.5, 1.5, None])
def test_an_axis_that_the_model_hardly_sees_is_said_so(cli, folder, monkeypatch, spread):
    monkeypatch.setattr("contralto.search.axis.relative_spread", lambda *given: spread)
    for output in ([], ["--json"]):
        result = cli("search", folder, "--axis", "blue", "red", *output)
        assert ("hardly sees this axis" in result.err) == (spread == 0.5)
    assert ("of that between unrelated nouns" in cli("search", folder, "--axis", "blue", "red").out) == (
        spread is not None
    )


@pytest.mark.parametrize("more", [["red"], ["--not", "red"], ["--image", "x.png"]])
def test_an_axis_stands_alone(cli, folder, more):
    result = cli("search", folder, *more, "--axis", "blue", "red")
    assert (result.code, result.out) == (2, "")
    assert "--axis stands alone" in result.err


def test_an_axis_without_direction_or_pictures_is_1(cli, folder, tmp_path):
    assert "the same embedding" in cli("search", folder, "--axis", "red", "red").err
    assert cli("search", folder, "--axis", "red", "red").code == 1
    (tmp_path / "none").mkdir()
    assert cli("search", tmp_path / "none", "--axis", "red", "blue").code == 1
    (tmp_path / "bad").mkdir()
    spoil(tmp_path / "bad")
    assert cli("search", tmp_path / "bad", "--axis", "red", "blue").code == 1
