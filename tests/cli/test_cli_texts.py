"""Texts of the command line: those that begin with @, and those that are too long."""

from __future__ import annotations

import re

import pytest
from support.fake_clip import paint

import contralto
from contralto.cli import options
from contralto.errors import ContraltoError

LONG = "word " * 100


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["@@user", "dog"], ["@user", "dog"]),
        (["@@"], ["@"]),
        (["@"], ["@"]),
        (["@@@x"], ["@@x"]),
        (["a@b", "a@@b"], ["a@b", "a@@b"]),
        (["@FILE", "@@FILE"], ["one", "@two", "@FILE"]),
    ],
)
def test_two_ats_stand_for_one(tmp_path, monkeypatch, given, found):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_text("one\n@two\n")
    assert options.lines(given) == found


def test_a_missing_file_of_texts_says_how_the_text_is_written():
    with pytest.raises(ContraltoError, match=r"^user: No such file or directory \(.* with two: @@\.\.\.\)$"):
        options.lines(["@user"])


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("none", None),
        ("photo", "photo"),
        ("a drawing of {}", ("a drawing of {}",)),
        ("@@someone drew {}", ("@someone drew {}",)),
        ("@FILE", ("one {}", "@two {}")),
    ],
)
def test_templates(tmp_path, monkeypatch, given, found):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_text("one {}\n@two {}\n")
    assert options.templates(given) == found


@pytest.mark.parametrize("command", ["classify", "similarity", "embed", "score"])
def test_help_tells_how_a_text_with_an_at_is_written(cli, command):
    assert "@@user is the text @user" in " ".join(cli(command, "--help").out.split())


def test_the_commands_that_take_texts_take_one_with_an_at(cli, clip, tmp_path):
    picture = paint(tmp_path / "a.png", "red")
    for command, option in (("classify", "--labels"), ("similarity", "--text"), ("embed", "--text")):
        assert "@user" in cli(command, picture, option, "@@user", "red").out
    assert cli("classify", picture, "--labels", "@user", "red").code == 1


@pytest.fixture
def nano(monkeypatch, tmp_path):
    """The real tokenizer and text tower: what a text is too long for."""
    clip = contralto.load("nano", precision="fp32")
    monkeypatch.setattr(contralto, "load", lambda *given, **options: clip, raising=False)
    return paint(tmp_path / "p" / "a.png", "red")


@pytest.mark.parametrize(
    ("command", "option"), [("search", None), ("search", "--not"), ("similarity", "--text"), ("embed", "--text"),
                            ("score", "--text"), ("score", "--references")],
)  # fmt: skip
def test_what_is_advised_of_a_long_text_is_an_option_of_the_command(cli, nano, command, option):
    arguments = [command, nano.parent]
    if command == "score" and option == "--references":
        arguments += ["--text", "red"]
    arguments += ["a query", "--not", LONG] if option == "--not" else [LONG] if option is None else [option, LONG]
    result = cli(*arguments)
    (line,) = [line for line in result.err.splitlines() if "too long" in line or "tokens, the limit is" in line]
    advised = re.findall(r"--[a-z-]+", line)
    assert advised == ["--truncate"]
    result = cli(*arguments, *advised)
    assert result.code == 0
    assert "note: cut to 64 tokens" in result.err


def test_nothing_is_advised_where_nothing_can_be_cut(cli, nano):
    result = cli("classify", nano, "--labels", LONG, "red")
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert result.err.endswith("the limit is 64: shorten it\n")
