"""`contralto detect`: boxes as a table and as JSON, drawn pictures, and pictures that cannot be used."""

from __future__ import annotations

import pytest
from PIL import Image
from support.colour_cells import ColourCells, scene
from support.command_line import errors, spoil

import contralto
from contralto.cli.detect import file_names

RED, BLUE = (30, 20, 90, 80), (120, 70, 180, 110)
CUT = ("--threshold", "0.2")


@pytest.fixture
def clip(monkeypatch, tmp_path):
    fake = ColourCells()
    monkeypatch.setenv("CONTRALTO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(contralto, "load", lambda *given, **options: fake, raising=False)
    return fake


@pytest.fixture
def folder(tmp_path, clip):
    """Both things, one of them, none."""
    (tmp_path / "p").mkdir()
    scene((200, 120), ("red", RED), ("blue", BLUE)).save(tmp_path / "p" / "both.png")
    scene((200, 120), ("red", RED)).save(tmp_path / "p" / "one.png")
    scene((200, 120)).save(tmp_path / "p" / "none.png")
    return tmp_path / "p"


def test_json_is_an_object_a_picture(cli, folder):
    result = cli("detect", folder / "both.png", folder / "none.png", "--labels", "red", "blue", *CUT, "--json")
    assert result.code == 0
    both, none = result.objects
    assert set(both) == {"path", "size", "detector", "boxes"}
    assert (both["path"], both["size"], both["detector"]) == (str(folder / "both.png"), [200, 120], "regions")
    assert {box["label"] for box in both["boxes"]} == {"red", "blue"}
    for box in both["boxes"]:
        assert set(box) == {"label", "score", "box", "objectness"}
        assert box["objectness"] is None
        assert 0 <= box["box"][0] < box["box"][2] <= 200
    assert none["boxes"] == []


def test_the_table_names_score_label_and_place(cli, folder):
    result = cli("detect", folder / "both.png", "--labels", "red", "blue", *CUT)
    lines = result.out.splitlines()
    assert lines[0] == str(folder / "both.png")
    assert any("red" in line and " to " in line and "%" in line for line in lines[1:])


def test_where_nothing_stands_out_it_says_so(cli, folder):
    result = cli("detect", folder / "none.png", "--labels", "red", *CUT)
    assert result.out.splitlines()[1].strip() == "nothing stands out"
    assert result.code == 0


def test_like_a_picture(cli, folder, tmp_path):
    scene((60, 60), ("blue", (0, 0, 60, 60))).save(tmp_path / "blue.png")
    result = cli("detect", folder / "both.png", "--like", tmp_path / "blue.png", *CUT, "--json")
    best = result.objects[0]["boxes"][0]
    assert best["label"] is None
    assert abs(best["box"][0] - BLUE[0]) < 15
    assert cli("detect", folder / "both.png", "--like", tmp_path / "blue.png", *CUT).code == 0


def test_out_gets_a_picture_with_boxes_for_each(cli, folder, tmp_path):
    out = tmp_path / "a" / "out"
    again = folder / "more"
    again.mkdir()
    scene((200, 120), ("red", RED)).save(again / "BOTH.png")
    result = cli("detect", folder, "--labels", "red", "blue", *CUT, "--out", out)
    names = {path.name.casefold() for path in out.iterdir()}
    assert names == {"both-boxes.jpg", "both-boxes-2.jpg", "one-boxes.jpg", "none-boxes.jpg"}
    assert str(out / "one-boxes.jpg") in result.out
    with Image.open(out / "one-boxes.jpg") as drawn:
        assert drawn.size == (200, 120)
        assert max(abs(a - b) for a, b in zip(drawn.getpixel((5, 100)), (120, 120, 120), strict=True)) < 5
    before = sorted(path.name for path in out.iterdir())
    assert cli("detect", folder, "--labels", "red", "--out", out).code == 0
    assert sorted(path.name for path in out.iterdir()) == before, "a second run replaces its own files"


def test_file_names_differ_and_are_short():
    names = file_names(["a/cat.jpg", "b/CAT.png", "cat-boxes.jpg", "x" * 300 + ".jpg", "-odd\n.png"], {"cat-boxes.jpg"})
    assert names == [
        "cat-boxes-2.jpg",
        "CAT-boxes-3.jpg",
        "cat-boxes-boxes.jpg",
        "x" * 60 + "-boxes.jpg",
        "-odd\n-boxes.jpg",
    ]


def test_a_picture_that_is_read_is_never_overwritten(cli, folder):
    scene((200, 120)).save(folder / "one-boxes.jpg")
    before = (folder / "one-boxes.jpg").read_bytes()
    assert cli("detect", folder / "one.png", folder / "one-boxes.jpg", "--labels", "red", "--out", folder).code == 0
    assert (folder / "one-boxes.jpg").read_bytes() == before
    assert (folder / "one-boxes-2.jpg").exists()


def test_some_bad_pictures_are_3_all_bad_are_1(cli, folder):
    bad, gone = spoil(folder), str(folder / "gone.jpg")
    result = cli("detect", bad, folder / "one.png", gone, "--labels", "red", *CUT, "--json")
    assert (result.code, len(result.objects)) == (3, 1)
    assert {one["path"] for one in errors(result)} == {bad, gone}
    assert cli("detect", bad, "--labels", "red").code == 1


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ([], 2, "--labels --like is required"),
        (["--labels", "red", "--like", "x.png"], 2, "not allowed with"),
        (["--labels", "red", "--threshold", "2"], 2, "from 0 to 1"),
        (["--labels", "red", "--nms", "x"], 2, "from 0 to 1"),
        (["--like", "gone.png", "--templates", "photo"], 2, "--templates belongs to --labels"),
        (["--like", "gone.png"], 1, "gone.png: cannot be opened"),
        (["--labels", "red", "--templates", "phto"], 1, "photo"),
        (["--labels", "@nowhere"], 1, "nowhere"),
    ],
)
def test_wrong_usage_and_unusable_values_are_one_line(cli, folder, given, code, said):
    result = cli("detect", folder / "one.png", *given)
    assert result.code == code
    assert said in result.err.splitlines()[0]


def test_out_must_be_a_folder(cli, folder, clip):
    assert cli("detect", folder / "one.png", "--labels", "red", "--out", folder / "both.png").code == 1
    assert clip.read == 0, "it is checked before any picture is read"


def test_a_transformer_detects_too(cli, tiny_model, tmp_path):
    scene((90, 60), ("red", (10, 10, 40, 40))).save(tmp_path / "p.png")
    given = ("--labels", "red", "blue", "--threshold", "0", "--model", tiny_model, "--json")
    result = cli("detect", tmp_path / "p.png", *given)
    assert result.code == 0
    boxes = result.objects[0]["boxes"]
    assert {box["label"] for box in boxes} == {"red", "blue"}
    assert all(0 <= box["box"][0] < box["box"][2] <= 90 and 0 <= box["box"][1] < box["box"][3] <= 60 for box in boxes)
