"""`contralto explain`: a table, JSON, maps as PNG."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from support import fake_explanations
from support.fake_clip import paint

from contralto.apply import explain as package
from contralto.apply.explain import METHODS
from contralto.cli import explain as command


@pytest.fixture
def explained(monkeypatch):
    """Replaces `explain`; gives the options of each call."""
    calls = []

    def explain_texts(clip, item, texts, **options):
        calls.append({"item": item, "texts": list(texts), **options})
        return fake_explanations.explain_texts(clip, item, texts, **options)

    monkeypatch.setattr(package, "explain_texts", explain_texts)
    return calls


def test_json_is_an_object_a_pair(cli, folder, explained):
    result = cli("explain", folder / "red.png", "--text", "a red car", "dog", "--check", "--json")
    assert result.code == 0
    assert result.objects == [
        {
            "path": str(folder / "red.png"),
            "text": text,
            "cosine": 0.25,
            "method": "cells",
            "seen": [4.0, 0.0, 20.0, 16.0],
            "peak": [8, 4],
            "words": words,
            "sanity": 0.7,
            "map": None,
        }
        for text, words in (
            ("a red car", [{"word": w, "effect": e} for w, e in (("a", -0.01), ("red", 0.0), ("car", 0.01))]),
            ("dog", [{"word": "dog", "effect": None}]),
        )
    ]


def test_the_options_arrive(cli, folder, explained):
    cli("explain", folder / "red.png", "--text", "a cat", "--against", "a dog", "--method", "rise", "--check")
    assert explained == [
        {"item": str(folder / "red.png"), "texts": ["a cat"], "method": "rise", "against": "a dog", "check": True}
    ]
    assert ("auto", *METHODS) == command.METHOD_NAMES
    assert cli("explain", folder / "red.png", "--text", "a", "--method", "rollout").code == 2
    assert cli("explain", folder / "red.png").code == 2


def test_a_person_reads_the_peak_the_words_and_what_was_not_seen(cli, folder, explained):
    lines = cli("explain", folder / "red.png", "--text", "a red car", "nothing", "--check").out.splitlines()
    assert lines[0] == str(folder / "red.png")
    assert "saw only x 4 to 20 and y 0 to 16 of 24 x 16" in lines[1]
    assert lines[2].split() == ["0.250", "a", "red", "car", "cells,", "peak", "upper,", "8", "4"]
    assert [line.split()[:2] for line in lines[3:6]] == [["a", "-0.010"], ["red", "+0.000"], ["car", "+0.010"]]
    assert "check 0.70: random weights give nearly the same order" in lines[6]
    assert "nothing speaks for it" in lines[7]
    assert "the only word" in lines[8]


def test_out_writes_a_map_a_text_and_the_page(cli, folder, explained, tmp_path):
    out = tmp_path / "maps"
    result = cli("explain", folder / "red.png", folder / "blue.png", "--text", "ein Bär!", "–", "--out", out, "--json")
    assert result.code == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        *("1-red-1-ein-B-r.png", "1-red-2-x.png", "2-blue-1-ein-B-r.png", "2-blue-2-x.png", "index.html"),
    ]
    assert [one["map"] for one in result.objects] == [str(out / name) for name in names[:4]]
    with Image.open(out / names[0]) as opened:
        assert opened.width >= 320
        assert np.ptp(np.asarray(opened)) > 200


def test_a_person_gets_the_path_of_the_page(cli, folder, explained, tmp_path):
    shown = cli("explain", folder / "red.png", "--text", "a cat", "--out", tmp_path / "out").out
    assert shown.splitlines()[-1] == f"page: {tmp_path / 'out' / 'index.html'}"


def test_a_broken_picture_is_left_out(cli, folder, explained, tmp_path):
    paint(folder / "broken.png", "red")
    (folder / "bad.jpg").write_bytes(b"no picture")
    result = cli("explain", folder, "--text", "a cat", "--out", tmp_path / "out", "--json")
    assert result.code == 3
    assert {one["path"] for one in result.objects} == {str(folder / f"{c}.png") for c in ("red", "green", "blue")}
    assert "is broken" in result.err
    assert (tmp_path / "out" / "index.html").read_text().count("<figure>") == 6


def test_out_must_be_a_folder_before_the_work(cli, folder, explained, tmp_path):
    assert cli("explain", folder / "red.png", "--text", "a", "--out", tmp_path / "page.html").code == 1
    assert explained == []
