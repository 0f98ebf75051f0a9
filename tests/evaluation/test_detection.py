"""Boxes and pointing: the figures of a detector of known faults, and what the protocol and the records say."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageColor
from support import plain_detection as plain
from support.seeing_clip import SHOWN, ColourDetector, SeeingClip, boxed_set, rectangles

import contralto
from contralto.apply.detect import run
from contralto.apply.detect.box import Box
from contralto.errors import DataError
from contralto.evaluation import card, report_files
from contralto.evaluation.compare import compare, compare_figure
from contralto.evaluation.condition import PLAIN
from contralto.evaluation.metric_table import metric_named
from contralto.evaluation.outcome import BoxExample, Outcome, Records
from contralto.evaluation.protocol import without_lists
from contralto.evaluation.publish import publish
from contralto.evaluation.report.boxes import DETECTED_COLOUR, TRUE_COLOUR, box_gallery
from contralto.metrics import UndefinedError
from contralto.sets.data_set import TrueBox
from contralto.sets.drawn import drawn_set
from contralto.sets.open import open_set

PICTURES = (
    [("red", (4, 4, 28, 20)), ("blue", (40, 30, 60, 60))],
    [("blue", (8, 8, 40, 40))],
    [("green", (30, 10, 50, 60)), ("red", (2, 40, 22, 60))],
)

NOTHING = np.empty(0, np.int64)
EMPTY = Outcome("s", "test", "boxes", PLAIN, (), {}, Records.of_items([], NOTHING, NOTHING, NOTHING, NOTHING))


@pytest.fixture
def detector(monkeypatch):
    def use(made):
        monkeypatch.setattr(run, "detector", made)
        return made

    return use


def measured(data, clip=None, **options):
    (outcome,) = contralto.evaluate(clip or SeeingClip(), data, **options)
    return outcome, {one.metric: one for one in outcome.figures}


def test_a_perfect_detector_has_every_figure_at_one(detector):
    made = detector(ColourDetector())
    outcome, figures = measured(boxed_set(*PICTURES))
    assert list(figures) == ["ap50", "ap", "pointing"]
    assert [one.value for one in figures.values()] == pytest.approx([1, 1, 1])
    assert [one.n for one in figures.values()] == [3, 3, 5]
    assert all(0 <= one.low <= one.value <= one.high <= 1 for one in figures.values())
    assert made.calls == [(["red", "blue", "green"], {"threshold": 0, "top": 100})]
    assert outcome.task == "boxes"
    covered = [24 * 16, 20 * 30, 32 * 32, 20 * 50, 20 * 20]
    assert figures["pointing"].chance == pytest.approx(np.mean(covered) / 64**2)
    assert figures["ap50"].chance is None


def test_boxes_that_are_off_count_at_loose_limits_only(detector):
    detector(ColourDetector(shift=2))
    data = boxed_set(*PICTURES)
    _, figures = measured(data)
    assert figures["ap50"].value == pytest.approx(1)
    expected = []
    for label in range(3):
        true = [(i, b.box, False) for i, item in enumerate(data.items) for b in item.boxes if b.label == label]
        given = [(i, 0.5 + label / 100, (box[0] + 2, box[1], box[2] + 2, box[3])) for i, box, _ in true]
        for limit in np.arange(10, 20) / 20:
            expected.append(plain.at_recalls(plain.judged(given, true, limit), len(true), np.linspace(0, 1, 101)))
    assert figures["ap"].value == pytest.approx(np.mean(expected))
    assert 0.5 < figures["ap"].value < 0.9


def test_a_wrong_box_with_a_higher_score_halves_the_precision(detector):
    detector(ColourDetector(also=(Box("green", 0.9, (0, 0, 5, 5)),)))
    _, figures = measured(boxed_set(PICTURES[2]))
    assert figures["ap50"].value == pytest.approx((1 + 0.5) / 2)  # red and green


def test_classes_that_a_picture_ignores_are_not_asked_for(detector):
    made = detector(ColourDetector(also=(Box("green", 0.9, (0, 0, 5, 5)),)))
    data = boxed_set(*PICTURES)
    items = [replace(data.items[0], ignored=(2,)), replace(data.items[1], ignored=(2,)), data.items[2]]
    _, figures = measured(replace(data, items=items))
    assert [labels for labels, _ in made.calls] == [["red", "blue"], ["red", "blue", "green"]]
    assert figures["ap50"].value == pytest.approx((1 + 1 + 0.5) / 3)


def test_maps_point_by_colour_and_wrong_boxes_do_not_change_that(detector):
    detector(ColourDetector(shift=30))
    outcome, figures = measured(boxed_set(*PICTURES))
    assert figures["ap50"].value < 0.5
    assert figures["pointing"].value == 1
    swapped = boxed_set(*PICTURES)
    moved = [replace(one, boxes=tuple(TrueBox(b.label, (60, 60, 64, 64)) for b in one.boxes)) for one in swapped.items]
    _, wrong = measured(replace(swapped, items=moved))
    assert wrong["pointing"].value == 0
    assert outcome.records.label.tolist() == [0, 1, 1, 0, 2]
    assert outcome.records.key.tolist() == ["item 0", "item 0", "item 1", "item 2", "item 2"]
    assert outcome.records.rank.tolist() == [0] * 5


def test_a_file_of_boxes_gives_the_figures_of_pycocotools(detector, tmp_path):
    detected, true = plain.scenes(2, pictures=30, classes=3, crowds=True)
    annotations = [
        {"image_id": p, "category_id": 7 * c, "bbox": [x0, y0, x1 - x0, y1 - y0], "iscrowd": int(crowd)}
        for c, p, (x0, y0, x1, y1), crowd in true
    ]
    images = [{"id": p, "file_name": f"{p}.png"} for p in range(30)]
    categories = [{"id": 7 * c, "name": name} for c, name in enumerate(SHOWN)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "instances.json").write_text(json.dumps(document))
    (tmp_path / "images").mkdir()
    for p in range(30):
        Image.new("RGB", (100, 100), (p, 0, 0)).save(tmp_path / f"images/{p}.png")

    def find(picture):
        shown = picture.getpixel((0, 0))[0]
        return [Box(SHOWN[c], score, box) for c, p, score, box in detected if p == shown]

    detector(lambda clip, labels, **given: find)
    _, figures = measured(tmp_path / "instances.json")
    assert figures["ap"].value == pytest.approx(0.07160610590983076, abs=1e-12)  # pycocotools 2.0.11
    assert figures["ap50"].value == pytest.approx(0.2862798595130449, abs=0.02)  # there at 101 points, here at all


def test_of_a_detector_the_best_box_points(detector, monkeypatch):
    monkeypatch.setattr(run, "kind", lambda clip: "owl")
    detector(ColourDetector(also=(Box("blue", 0.99, (0, 0, 4, 4)),)))
    clip = SeeingClip()
    clip.cells = None  # a detector has no map
    outcome, figures = measured(boxed_set(*PICTURES), clip)
    assert figures["pointing"].value == pytest.approx(3 / 5)
    assert outcome.protocol["detector"] == "owl"


def test_a_flat_map_does_not_point(detector):
    detector(ColourDetector())
    data = boxed_set([("red", (0, 0, 16, 16))])
    plain = replace(data, items=[replace(data.items[0], picture=rectangles())])
    assert measured(plain)[1]["pointing"].value == 0


def test_the_model_that_ships_points_better_than_chance(detector):
    detector(lambda clip, labels, **given: lambda picture: [])
    outcome, figures = measured(drawn_set("drawn_boxes", 30), contralto.load("nano", precision="fp32"))
    assert figures["pointing"].n == len(outcome.records) == 90
    assert figures["pointing"].low > figures["pointing"].chance
    assert figures["ap50"].value == figures["ap"].value == 0


def test_crowds_are_not_judged(detector):
    detector(ColourDetector(also=(Box("green", 0.9, (2, 2, 8, 8)),)))
    data = boxed_set(PICTURES[2])
    crowded = [replace(data.items[0], boxes=(*data.items[0].boxes, TrueBox(2, (0, 0, 9, 9), True)))]
    assert measured(replace(data, items=crowded))[1]["ap50"].value == pytest.approx(1)


def test_an_unusable_picture_is_reported_and_counts_as_missed(detector, tmp_path):
    detector(ColourDetector())
    data = boxed_set(*PICTURES)
    broken = [replace(data.items[0], picture=b"no picture"), replace(data.items[1], size=(32, 64)), data.items[2]]
    outcome, figures = measured(replace(data, items=broken))
    assert outcome.failures.keys() == {"item 0", "item 1"}
    assert outcome.failures["item 1"] == "is 64 x 64 pixels, its boxes are for 32 x 64"
    assert figures["ap50"].value == pytest.approx((0.5 + 0 + 1) / 3)
    assert figures["pointing"].value == pytest.approx(2 / 5)
    missing = [replace(data.items[0], picture=tmp_path / "gone.png"), *data.items[1:]]
    assert measured(replace(data, items=missing))[0].failures.keys() == {"item 0"}


def test_the_protocol_says_how(detector):
    made = detector(ColourDetector())
    data = boxed_set(*PICTURES)
    outcome, _ = measured(data)
    said = outcome.protocol
    json.dumps(said, allow_nan=False)
    assert said["detector"] == "regions"
    assert said["templates"]["name"] == "the detector's own"
    assert said["classes"]["names"] == [["red"], ["blue"], ["green"]]
    assert {"ap50", "ap", "pointing", "resampled", "ties", "intervals"} <= without_lists(said).keys()
    moved = [replace(data.items[0], boxes=data.items[0].boxes[:1]), *data.items[1:]]
    assert measured(replace(data, items=moved))[0].split_sha256 != outcome.split_sha256
    assert measured(data, templates=["a {}"])[0].protocol["templates"]["list"] == ["a {}"]
    assert made.calls[-1][1]["templates"] == ("a {}",)


def test_options_of_other_tasks_are_noted(detector, caplog):
    detector(ColourDetector())
    caplog.set_level("INFO", "contralto")
    measured(boxed_set(*PICTURES), templates="compare", probe="linear", checks=["sizes"])
    assert "without probes and overlap" in caplog.text
    assert "sizes, which needs one class per picture" in caplog.text
    assert "templates to compare" in caplog.text


def test_two_models_are_compared_by_where_they_point(detector):
    detector(ColourDetector())
    data = boxed_set(*PICTURES * 4)
    data = replace(data, items=[replace(one, key=f"{i}") for i, one in enumerate(data.items)])
    one, figures = measured(data)
    of_records = metric_named("pointing").of_records(one.records)
    assert of_records.statistic(np.arange(of_records.n)) == figures["pointing"].value
    assert len(np.unique(of_records.groups)) == 12
    blind = SeeingClip()
    blind.cells = lambda picture: np.ones((8, 8, blind.contract.embedding), np.float32)
    other, _ = measured(data, blind)
    row = compare_figure(one, other, "pointing", resamples=100)
    assert (row.difference, row.low, row.high) == (1, 1, 1)
    assert row.p < 0.05
    assert compare_figure(one, other, "ap50").reason == "no test: the records do not hold what this metric is made of"


def test_without_a_box_there_is_no_figure(detector):
    detector(ColourDetector())
    with pytest.raises(UndefinedError, match="boxed:test has no figure"):
        measured(boxed_set([], []))


def test_names_of_ones_own_are_refused():
    with pytest.raises(DataError, match="no classes that could be named"):
        open_set("drawn_boxes", classes={"circle": "disc"})


def test_the_report_keeps_the_boxes_and_shows_them(detector, tmp_path):
    detector(ColourDetector(shift=1, also=(Box("green", 0.9, (0, 0, 5, 5)),)))
    clip = SeeingClip()
    data = boxed_set(*PICTURES, [])
    outcome, _ = measured(data, clip)
    assert [one.key for one in outcome.examples] == ["item 0", "item 1", "item 2"]
    assert outcome.examples[1].true == (("blue", (8, 8, 40, 40)),)
    assert outcome.examples[1].detected == (("green", 0.9, (0, 0, 5, 5)),)
    page = publish(tmp_path, clip, [(data, [outcome])]).read_text()
    (read,) = report_files.read(tmp_path).outcomes
    assert read.examples == outcome.examples
    assert read.figures == outcome.figures
    assert page.count("<figure title=") == 3
    assert "<h3>Boxes</h3>" in page
    assert "AP50 of boxes" in page
    without = publish(tmp_path, clip, [(data, [outcome])], pictures=False).read_text()
    assert "data:image" not in without
    assert len(compare(report_files.read(tmp_path), report_files.read(tmp_path), resamples=20)) == 3
    assert "ap50" in card.table([outcome])


def test_boxes_are_drawn_where_they_are():
    example = BoxExample("item", (("red", (80, 80, 240, 240)),), (("red", 0.5, (0, 0, 320, 160)),))
    outcome = replace(EMPTY, examples=(example,))
    html = box_gallery(outcome, lambda *_: Image.new("RGB", (320, 320)), 5)
    small = np.asarray(Image.open(io.BytesIO(base64.b64decode(html.split("base64,")[1].split('"')[0]))), int)
    green, orange = (np.abs(small - ImageColor.getrgb(one)).max(axis=2) < 70 for one in (TRUE_COLOUR, DETECTED_COLOUR))
    assert small.shape == (160, 160, 3)
    assert (np.argwhere(green).min(0) >= 38).all()
    assert (np.argwhere(green).max(0) <= 121).all()
    assert np.argwhere(orange).max(0).tolist() == pytest.approx([79, 159], abs=2)
    assert "red <small>50%</small>" in html
