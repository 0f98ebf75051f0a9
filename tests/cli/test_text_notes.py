"""Notes on texts with unknown words, and on texts that are too long."""

from __future__ import annotations

import re

import pytest
from support.fake_clip import paint

import contralto
from contralto.cli.main import main
from contralto.cli.options import OVERLONG_WAYS
from contralto.encoder import overlong

LONG = "word " * 100
BLIND = "note: tiny knows no word of '犬': the results have no meaning\n"


@pytest.fixture
def folder(tmp_path):
    paint(tmp_path / "photos" / "red.png", "red")
    return tmp_path / "photos"


@pytest.mark.parametrize(
    "command",
    [
        ("search", "{}", "犬"),
        ("search", "{}", "red", "--not", "犬"),
        ("classify", "{}", "--labels", "red", "犬"),
        ("similarity", "{}", "--text", "red", "犬", "犬"),
        ("score", "{}", "--text", "犬"),
        ("score", "{}", "--text", "red", "--references", "犬"),
        ("embed", "--text", "red", "犬"),
    ],
)
def test_every_command_that_takes_texts_says_so_once(cli, clip, folder, command):
    done = cli(*(str(folder) if part == "{}" else part for part in command))
    assert done.code == 0
    assert done.err.count(BLIND) == 1
    quiet = cli(*(str(folder) if part == "{}" else part for part in command), "--quiet")
    assert "note:" not in quiet.err


def test_nothing_is_said_of_what_is_known(cli, clip, folder):
    assert "knows" not in cli("search", folder, "red").err
    assert "knows" not in cli("search", folder, "--image", folder / "red.png").err


def test_nano_tells_words_that_it_lacks_from_texts_that_it_cannot_read(capsys, tmp_path):
    texts = ["犬", "a dog", "a dog 猫", "!!!", "two 猫 and a ñandú 鳥", *(chr(0x4E00 + i) for i in range(6))]
    assert main(["embed", "--text", *texts]) == 0
    first, second = (line for line in capsys.readouterr().err.splitlines() if line.startswith("note: nano"))
    assert first.startswith("note: nano knows no word of '犬', '!!!', '")
    assert first.endswith("and 3 more: the results have no meaning")
    assert second == "note: nano does not know '猫', '鳥': it uses only the other words"


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
    cut, parted = re.findall(r"--truncate|--overlong \w+", line)
    result = cli(*arguments, cut)
    assert result.code == 0
    assert "note: cut to 64 tokens" in result.err
    result = cli(*arguments, *parted.split())
    assert result.code == 0
    (note,) = [line for line in result.err.splitlines() if "do not fit" in line or "does not fit" in line]
    assert note.endswith("not fit 64 tokens: each is the mean of its parts of whole sentences")
    assert "not fit" not in cli(*arguments, *parted.split(), "--quiet").err


def test_the_two_options_for_long_texts_exclude_each_other(cli, nano):
    for how in ("sentences", "truncate"):
        result = cli("embed", "--text", LONG, "--truncate", "--overlong", how)
        assert (result.code, result.out) == (2, "")
        assert "not allowed with" in result.err
    assert cli("embed", "--text", LONG, "--overlong", "shorten").code == 2


def test_every_way_is_an_option_and_learned_needs_a_pooler(cli, nano):
    assert (*overlong.WAYS, overlong.LEARNED) == OVERLONG_WAYS
    rows = {}
    for how in OVERLONG_WAYS[1:-1]:
        result = cli("embed", "--text", LONG, "--overlong", how, "--json")
        assert result.code == 0
        rows[how] = tuple(result.objects[0]["embedding"])
    assert len(set(rows.values())) >= 3
    result = cli("embed", "--text", "red", "--overlong", "learned")
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert "contralto adapt CAPTIONS --method long" in result.err


def test_nothing_is_advised_where_nothing_can_be_cut(cli, nano):
    result = cli("classify", nano, "--labels", LONG, "red")
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert result.err.endswith("the limit is 64: shorten it\n")
