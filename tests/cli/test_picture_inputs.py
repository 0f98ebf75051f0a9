"""Folders and the index, which several commands share."""

from __future__ import annotations

import os

import pytest
from support.command_line import errors, spoil
from support.fake_clip import paint

from contralto.errors import ImageError


def test_embed_goes_on_from_the_index_and_retries_only_what_changed(cli, folder, clip):
    bad = spoil(folder)
    cli("embed", folder)
    clip.seen.clear()
    assert cli("embed", folder).code == 3
    assert clip.seen == []
    os.replace(folder / "red.png", bad)
    assert cli("embed", folder).code == 0
    assert clip.seen == [bad]


def test_what_was_made_in_another_precision_is_no_answer(cli, folder, clip):
    for precision, asked in (("int8", 3), ("fp32", 6), ("auto", 9), ("int8", 9), ("fp32", 9), ("auto", 9)):
        clip.precision = precision
        assert cli("embed", folder).code == 0
        assert len(clip.seen) == asked


def test_what_failed_for_a_moment_is_tried_the_next_time(cli, folder, clip, monkeypatch):
    def short(item):
        raise ImageError(item, "needs more memory than there is", lasting=False)

    with monkeypatch.context() as patch:
        patch.setattr("support.fake_clip.decode", short)
        assert "3 could not be used" in cli("search", folder, "red").err
    assert "could not be used" not in cli("search", folder, "red").err


@pytest.mark.parametrize("command", [("search", "red"), ("embed",), ("classify", "--labels", "red", "blue")])
def test_one_odd_entry_of_a_folder_costs_itself(cli, folder, command):
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "broken.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder / "pipe.png")
    os.utime(folder / "red.png", ns=(0, 13_569_465_600 * 10**9))  # the year 2400
    os.utime(folder / "blue.png", ns=(0, -2_208_988_800 * 10**9))  # 1900
    for _ in range(2):
        result = cli(command[0], folder, *command[1:], "--json")
        assert result.code == (0 if command[0] == "search" else 3)
        assert {one["path"] for one in result.objects} == {str(folder / f"{n}.png") for n in ("red", "green", "blue")}
        assert {os.path.basename(one["path"]) for one in errors(result)} == {"loop.jpg", "broken.jpg", "pipe.png"}


def test_what_is_excluded_is_neither_embedded_nor_found_nor_forgotten(cli, folder, clip):
    paint(folder / "thumbs" / "red.png", "red")
    for command in (("embed",), ("search", "red")):
        result = cli(command[0], folder, *command[1:], "--json", "--exclude", "thumbs", "gr*")
        assert {os.path.relpath(one["path"], folder) for one in result.objects} == {"red.png", "blue.png"}
    assert len(clip.seen) == 2
    cli("embed", folder)
    cli("search", folder, "red", "--exclude", "thumbs", "--exclude", "gr*")
    clip.seen.clear()
    assert len(cli("embed", folder, "--json").objects) == 5 - 1
    assert clip.seen == []
    assert cli("embed", folder / "green.png", "--exclude", "*", "--json").code == 0, "it is named itself"
    assert "no pictures" in cli("search", folder, "red", "--exclude", "*").err


def test_a_folder_of_systems_is_passed_over_unless_it_is_named(cli, folder):
    paint(folder / "@eaDir" / "red.png" / "SYNOPHOTO_THUMB_XL.jpg", "red")
    assert len(cli("search", folder, "red", "--json").objects) == 3
    assert len(cli("search", folder / "@eaDir", "red", "--json").objects) == 1


def test_an_empty_folder_is_1_and_says_so(cli, clip, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments in (("embed", tmp_path / "empty"), ("search", tmp_path / "empty", "red")):
        result = cli(*arguments)
        assert (result.code, result.out, len(result.err.splitlines())) == (1, "", 1)
        assert "no pictures" in result.err


def test_search_shares_its_index_with_embed_under_any_spelling_of_the_folder(cli, folder, clip, monkeypatch):
    cli("embed", folder)
    clip.seen.clear()
    monkeypatch.chdir(folder)
    assert cli("search", ".", "red", "--json").objects[0]["path"] == "./red.png"
    assert cli("search", f"{folder}/./", "red", "--json").objects[0]["path"] == f"{folder}/./red.png"
    assert clip.seen == []
