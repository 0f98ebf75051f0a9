import errno
import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

import contralto
from contralto import files

COLOURS = {"red": (200, 30, 30), "blue": (40, 60, 200)}


@pytest.fixture
def colours(tmp_path):
    """Six plain pictures in folders per class."""
    for name, colour in COLOURS.items():
        (tmp_path / "colours" / name).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.full((20, 20, 3), colour, np.uint8)).save(tmp_path / "colours" / name / f"{i}.png")
    return tmp_path / "colours"


def test_a_line_a_figure(cli, colours):
    done = cli("evaluate", "nano", colours)
    assert done.code == 0
    assert "top1" in done.out
    assert "chance 50.0" in done.out
    assert not done.err


def test_an_object_a_figure_with_its_interval_and_protocol(cli, colours):
    done = cli("evaluate", "nano", colours, "--json", "--templates", "none")
    first = done.objects[0]
    assert list(first) == ["set", "split", "metric", "value", "low", "high", "n", "protocol"]
    assert first["metric"] == "top1"
    assert 0 <= first["low"] <= first["value"] <= first["high"] <= 1
    assert first["n"] == 6
    assert first["protocol"]["templates"] == {
        "name": "none",
        "count": 1,
        "sha256": first["protocol"]["templates"]["sha256"],
    }
    assert first["protocol"]["precision"] == "fp32", "what is measured is exact unless another precision is asked for"
    assert {one["metric"] for one in done.objects} >= {"top1", "mean_per_class", "auc", "ece"}


def test_the_known_sets_are_listed(cli):
    done = cli("evaluate", "--list", "--json")
    assert done.code == 0
    names = {one["set"] for one in done.objects}
    assert {"food101", "imagenet", "flickr30k", "fairface", "drawn_counting", "drawn_boxes"} <= names
    assert next(one["task"] for one in done.objects if one["set"] == "drawn_boxes") == "boxes"
    assert all(list(one) == ["set", "task", "layout", "where"] and one["layout"] for one in done.objects)


def test_classes_of_one_s_own(cli, colours, tmp_path):
    (tmp_path / "names.txt").write_text("something blue\nsomething red\n")
    done = cli("evaluate", "nano", colours, "--classes", f"@{tmp_path / 'names.txt'}", "--json")
    assert done.code == 0
    (tmp_path / "names.txt").write_text("only one\n")
    done = cli("evaluate", "nano", colours, "--classes", f"@{tmp_path / 'names.txt'}")
    assert done.code == 1
    assert "1" in done.err
    assert "2" in done.err


def test_a_missing_set_is_an_error_that_says_where_to_get_it(cli, tmp_path):
    done = cli("evaluate", "nano", "food101", "--data", tmp_path)
    assert done.code == 1
    first, where, layout = done.err.splitlines()
    assert first.startswith("contralto: food101: no folder")
    assert "http" in where
    assert "food-101/meta" in layout
    assert not done.out
    failed = json.loads(cli("evaluate", "nano", "food101", "--data", tmp_path, "--json").err)
    assert failed["path"] == "food101"
    assert "http" in failed["error"]


def test_a_split_of_another_size_than_published_is_told(cli, tmp_path):
    for kind in ("negative", "positive"):
        (tmp_path / "rendered-sst2" / "test" / kind).mkdir(parents=True)
        Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "rendered-sst2" / "test" / kind / "1.png")
    done = cli("evaluate", "nano", "sst2", "--data", tmp_path, "--json")
    assert "sst2:test has 2 items, the published split has 1821" in done.err
    assert done.objects[0]["protocol"]["published_items"] == 1821


def test_of_several_sets_the_others_go_on(cli, colours, tmp_path):
    done = cli("evaluate", "nano", "food101", colours, "--data", tmp_path, "--json")
    assert done.code == 3
    assert {one["set"] for one in done.objects} == {"colours"}
    assert json.loads(done.err.splitlines()[0])["path"] == "food101"


def test_a_picture_that_cannot_be_used_counts_as_wrong_and_is_named(cli, colours):
    (colours / "red" / "bad.png").write_bytes(b"no picture")
    done = cli("evaluate", "nano", colours, "--json")
    assert done.code == 3
    assert done.objects[0]["n"] == 7
    assert json.loads(done.err.splitlines()[0])["path"] == "red/bad.png"
    assert len(cli("evaluate", "nano", colours, "--templates", "compare").err.splitlines()) == 1, "told once"


@pytest.mark.parametrize(
    "given", [["nano"], [], ["nano", "x", "--classes", "names.txt"], ["nano", "x", "--check", "all"]]
)
def test_wrong_usage(cli, given):
    assert cli("evaluate", *given).code == 2


def test_the_report_can_be_compared_and_the_card_is_written(cli, colours, tmp_path):
    card = tmp_path / "card.md"
    card.write_text("# nano\n\n<!-- contralto evaluate: begin -->\nold\n<!-- contralto evaluate: end -->\n\nmore\n")
    done = cli("evaluate", "nano", colours, "--report", tmp_path / "a", "--card", card)
    assert done.code == 0
    assert done.out.splitlines()[-1] == str(tmp_path / "a" / "index.html")
    assert (tmp_path / "a" / "items.parquet").exists()
    text = card.read_text()
    assert "old" not in text
    assert text.startswith("# nano\n\n<!-- contralto evaluate: begin -->\n| set | split | items | chance | top1 |")
    assert text.endswith("<!-- contralto evaluate: end -->\n\nmore\n")
    assert cli("evaluate", "nano", colours, "--report", tmp_path / "b", "--templates", "none").code == 0
    compared = cli("compare", tmp_path / "a", tmp_path / "b", "--json")
    assert compared.code == 0
    tested = {one["metric"]: one["p"] for one in compared.objects}
    assert all(tested[metric] is not None for metric in ("top1", "mean_per_class", "auc", "ece"))


def test_a_page_may_leave_the_pictures_out(cli, colours, tmp_path):
    # in wrong folders, so that some answers are mistakes
    (colours / "red").rename(colours / "other")
    (colours / "blue").rename(colours / "red")
    (colours / "other").rename(colours / "blue")
    assert cli("evaluate", "nano", colours, "--report", tmp_path / "with").code == 0
    assert "data:image/jpeg" in (tmp_path / "with" / "index.html").read_text()
    assert cli("evaluate", "nano", colours, "--report", tmp_path / "without", "--no-pictures").code == 0
    assert "data:image" not in (tmp_path / "without" / "index.html").read_text()


def test_a_card_without_marks_is_left_as_it_is(cli, colours, tmp_path):
    card = tmp_path / "card.md"
    card.write_text("# nano\n")
    done = cli("evaluate", "nano", colours, "--card", card)
    assert done.code == 1
    assert "contralto evaluate: begin" in done.err
    assert card.read_text() == "# nano\n"


@pytest.mark.parametrize(
    ("option", "name", "said"),
    [
        ("--report", "file", "is not a folder"),
        ("--report", "page.html", "suffix of a file"),
        ("--card", "file", "has no place for the table"),
        ("--card", "nowhere.md", "No such file"),
        ("--card", ".", "Is a directory"),
    ],
)
def test_what_cannot_be_written_is_told_before_the_model_is_loaded(cli, tmp_path, monkeypatch, option, name, said):
    monkeypatch.setattr(contralto, "load", lambda *given, **options: pytest.fail("the model was loaded"))
    (tmp_path / "file").write_text("a card")
    done = cli("evaluate", "nano", tmp_path, option, tmp_path / name)
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert said in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_report_without_its_extra_is_told_before_the_model_is_loaded(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(contralto, "load", lambda *given, **options: pytest.fail("the model was loaded"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = cli("evaluate", "nano", tmp_path, "--report", tmp_path / "report")
    assert (done.code, "pip install 'contralto[evaluate]'" in done.err) == (1, True)


def test_a_disk_that_is_full_is_told_with_the_file_of_the_report(cli, colours, tmp_path, monkeypatch):
    class Full(files._MonitoredFile):
        def write(self, data, /):
            if ".tmp" in str(self.name) and "parquet" in str(self.name):
                self.failed = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                raise self.failed
            return super().write(data)

    monkeypatch.setattr(files, "_MonitoredFile", Full)
    done = cli("evaluate", "nano", colours, "--report", tmp_path / "report")
    where = tmp_path / "report" / "items.parquet"
    assert (done.code, done.err) == (1, f"contralto: {where}: no space left on device\n")


def test_the_command_notes_how_many_texts_did_not_fit(cli, tmp_path):
    for name, colour in COLOURS.items():
        Image.new("RGB", (24, 24), colour).save(tmp_path / f"{name}.png")
    longer = "There is nothing else to be seen in this picture. " * 9
    lines = [f"{name}.png,{longer if name == 'red' else ''}Everything is {name}." for name in COLOURS]
    (tmp_path / "plain.csv").write_text("\n".join(["image,caption", *lines]) + "\n")
    done = cli("evaluate", "nano", tmp_path / "plain.csv", "--overlong", "window", "--json")
    assert done.code == 0, done.err
    assert done.err.count("note: ") == 1
    assert done.err.endswith("1 of 2 texts are longer than the model's context: --overlong window\n")
    assert all(one["protocol"]["overlong"] == {"how": "window", "count": 1, "of": 2} for one in done.objects)
