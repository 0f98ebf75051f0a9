"""Texts and templates on the command line: a value, @FILE, and @@ for one @."""

from __future__ import annotations

import pytest
from support.fake_clip import paint

from contralto.cli import options
from contralto.errors import ContraltoError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["@@user", "dog"], ["@user", "dog"]),
        (["@@"], ["@"]),
        (["@"], ["@"]),
        (["@@@x"], ["@@x"]),
        (["a@b", "a@@b"], ["a@b", "a@@b"]),
        (["@FILE", "@@FILE"], ["one", "@two", "@FILE"]),
    ],
)
def test_two_ats_stand_for_one(tmp_path, monkeypatch, given, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_text("one\n@two\n")
    assert options.read_texts(given) == expected


def test_a_missing_file_of_texts_says_how_the_text_is_written():
    with pytest.raises(ContraltoError, match=r"^text file user: No such file or directory \(.* double it: @@\.\.\.\)$"):
        options.read_texts(["@user"])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("none", None),
        ("photo", "photo"),
        ("a drawing of {}", ("a drawing of {}",)),
        ("@@someone drew {}", ("@someone drew {}",)),
        ("@FILE", ("one {}", "@two {}")),
    ],
)
def test_templates(tmp_path, monkeypatch, given, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_text("one {}\n@two {}\n")
    assert options.read_templates(given) == expected


@pytest.mark.parametrize("command", ["classify", "similarity", "embed", "score"])
def test_help_tells_how_a_text_with_an_at_is_written(cli, command):
    assert "@@user is the text @user" in " ".join(cli(command, "--help").out.split())


def test_the_commands_that_take_texts_take_one_with_an_at(cli, clip, tmp_path):
    picture = paint(tmp_path / "a.png", "red")
    for command, option in (("classify", "--labels"), ("similarity", "--text"), ("embed", "--text")):
        assert "@user" in cli(command, picture, option, "@@user", "red").out
    assert cli("classify", picture, "--labels", "@user", "red").code == 1
