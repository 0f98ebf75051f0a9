"""What `evaluate` tells of what it could not measure: notes, failures, exit codes."""

import json
import os

import numpy as np
import pytest
from PIL import Image

CODE_OF_SOME_FAILED = 3


def picture(path, colour=(200, 30, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 20, 3), colour, np.uint8)).save(path)


def test_a_class_folder_that_is_empty_costs_the_auc_alone(cli, tmp_path):
    picture(tmp_path / "set/red/1.png")
    (tmp_path / "set/blue").mkdir()
    (tmp_path / "set/__MACOSX").mkdir()
    done = cli("evaluate", "nano", tmp_path / "set")
    assert done.code == 0
    assert "top1" in done.out
    assert "auc" not in done.out
    assert done.err.splitlines() == [
        "note: set:all: classes without a picture: 1 (blue)",
        "note: set:all has no auc: the ROC area needs positive and negative items: one of the kinds is absent",
    ]


def test_odd_entries_are_told_and_the_rest_is_measured(cli, tmp_path):
    for name in ("red/1.png", "red/deep/2.ppm", "blue/3.JPG", "top.png"):
        picture(tmp_path / "set" / name)
    (tmp_path / "set/red/img_4").write_bytes(b"x")
    (tmp_path / "set/red/loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(tmp_path / "set/blue/fifo.png")
    done = cli("evaluate", "nano", tmp_path / "set", "--json")
    assert done.code == CODE_OF_SOME_FAILED
    assert {one["n"] for one in done.objects} == {5}
    protocol = done.objects[0]["protocol"]
    assert (protocol["items"], protocol["failed"]) == (5, 2)
    assert sorted(protocol["left_out"].values()) == [1, 1]
    assert "note: set:all: left out, no pictures by their names: 1 (red/img_4)" in done.err
    failed = [json.loads(line)["path"] for line in done.err.splitlines() if line.startswith("{")]
    assert sorted(failed) == ["blue/fifo.png", "red/loop.jpg"]


@pytest.mark.parametrize("odd", ["1.png,", "1.png", "1.png,x,y", ",x"])
def test_a_row_that_cannot_be_used_ends_in_3(cli, tmp_path, odd):
    for n in (1, 2, 3):
        picture(tmp_path / f"{n}.png")
    (tmp_path / "t.csv").write_text(f"path,caption\n2.png,a\n{odd}\n3.png,b\n")
    done = cli("evaluate", "nano", tmp_path / "t.csv")
    assert done.code == CODE_OF_SOME_FAILED
    assert "r1_image_to_text" in done.out
    (told,) = done.err.splitlines()
    assert told.startswith(f"{tmp_path}/t.csv line 3: ")
