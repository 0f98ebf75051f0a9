"""A note where the model cannot read what it is asked."""

from __future__ import annotations

import pytest
from support.fake_clip import paint

from contralto.cli.main import main

BLIND = "note: tiny knows no word of '犬': what it answers means nothing\n"


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
    assert first.endswith("and 3 more: what it answers means nothing")
    assert second == "note: nano does not know '猫', '鳥': it reads the other words alone"
