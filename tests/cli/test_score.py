"""contralto score: what is printed, what fails and with which code. The scores themselves: tests/evaluation."""

import json
import os

import pytest
from support.fake_clip import paint


@pytest.fixture
def folder(tmp_path, clip):
    for colour in ("red", "green"):
        paint(tmp_path / "p" / f"{colour}.png", colour)
    return tmp_path / "p"


def test_every_picture_is_scored_with_every_text(cli, folder):
    result = cli("score", folder / "red.png", folder / "green.png", "--text", "red", "green", "--json")
    assert result.code == 0
    assert [(os.path.basename(one["path"]), one["text"]) for one in result.objects] == [
        ("red.png", "red"), ("red.png", "green"), ("green.png", "red"), ("green.png", "green"),
    ]  # fmt: skip
    assert all(set(one) == {"path", "text", "clipscore", "refclipscore"} for one in result.objects)
    scores = [one["clipscore"] for one in result.objects]
    assert scores[0] == scores[3] == pytest.approx(2.5, abs=1e-5)
    assert scores[1] == 0  # a negative cosine
    assert {one["refclipscore"] for one in result.objects} == {None}
    assert "published CLIPScores use ViT-B-32/openai; scores of tiny are not comparable" in result.err


def test_references_and_lines_of_a_file(cli, folder, tmp_path):
    (tmp_path / "references.txt").write_text("a green thing\n\na red thing\n")
    asked = ("score", folder / "red.png", "--text", "red", "--references", f"@{tmp_path}/references.txt")
    (record,) = cli(*asked, "--json").objects
    assert record["refclipscore"] == pytest.approx(2 * 2.5 / 3.5, abs=1e-5)
    assert cli(*asked, "--quiet").out.split()[1:] == ["2.500", "1.429", "red"]


def test_pairs_of_a_file_in_order_with_their_means(cli, folder):
    lines = [("red.png", "red", ["red"]), ("green.png", "green", []), ("red.png", "green", [])]
    pairs = [{"path": path, "text": text, "references": references} for path, text, references in lines]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    result = cli("score", "--pairs", folder / "pairs.jsonl", "--json")
    assert [one["path"] for one in result.objects] == [str(folder / path) for path, _, _ in lines]
    assert [one["refclipscore"] is None for one in result.objects] == [False, True, True]
    assert "mean CLIPScore 1.6667 [1.2500, 2.5000] of 3; mean RefCLIPScore 1.4286" in result.err
    assert cli("score", "--pairs", folder / "pairs.jsonl").out.splitlines()[-1].startswith("mean CLIPScore 1.6667")


def test_an_over_long_text_is_named_and_its_pairs_are_left_out(cli, folder):
    long = "word " * 70
    asked = ("score", folder / "red.png", "--text", "red", long, "--json")
    result = cli(*asked)
    assert (result.code, [one["text"] for one in result.objects]) == (3, ["red"])
    failed = json.loads(result.err.splitlines()[-1])
    assert failed == {"path": long, "error": "has too many tokens (with the prefix)"}
    assert len(cli(*asked, "--truncate").objects) == 2
    assert cli("score", folder / "red.png", "--text", "red", "--references", long).code == 1


def test_a_picture_that_cannot_be_used_costs_its_own_pairs(cli, folder, tmp_path):
    (folder / "bad.jpg").write_bytes(b"nothing")
    result = cli("score", folder, tmp_path / "gone.jpg", "--text", "red", "--json")
    assert (result.code, len(result.objects)) == (3, 2)
    failed = {os.path.basename(json.loads(line)["path"]) for line in result.err.splitlines() if line.startswith("{")}
    assert failed == {"bad.jpg", "gone.jpg"}
    (folder / "pairs.csv").write_text("path,text\ngone.jpg,red\n")
    assert cli("score", "--pairs", folder / "pairs.csv").code == 1


@pytest.mark.parametrize(
    "arguments", [(), ("a.jpg",), ("--text", "t"), ("a.jpg", "--pairs", "x.csv"), ("--pairs", "x.csv", "--text", "t")]
)
def test_wrong_usage(cli, clip, arguments):
    result = cli("score", *arguments)
    assert result.code == 2
    assert "give PICTURE... and --text, or --pairs alone" in result.err
