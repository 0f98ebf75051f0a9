"""`evaluate`: what is measured for each task, on small data sets from files, with the model that ships."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.planned_clip import PlannedClip, picture, planned_set

import contralto
from contralto import embedding_cache
from contralto.errors import ContraltoError, DataError, MissingExtraError
from contralto.evaluation import checks
from contralto.evaluation.cached_embeddings import embed_pictures
from contralto.evaluation.protocol import without_lists
from contralto.evaluation.store import Store
from contralto.sets.data_set import DataSet, Item
from contralto.sets.open import open_set
from contralto.sets.variants.lazy_items import LazyItems

COLOURS = {"red": (200, 30, 30), "green": (30, 170, 40), "blue": (40, 60, 200)}


@pytest.fixture
def colours(tmp_path):
    """Plain pictures in folders per class, with a train split and a test split."""
    random = np.random.default_rng(0)
    for split, count in (("train", 3), ("test", 4)):
        for name, colour in COLOURS.items():
            folder = tmp_path / "colours" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = np.clip(np.array(colour) + random.integers(-30, 31, (24, 24, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return tmp_path / "colours"


@pytest.fixture(scope="module")
def nano():
    return contralto.load("nano", precision="fp32")


@pytest.fixture
def clip():
    texts = {f"{before}{name}{after}": row for name, row in zip("abc", np.eye(4), strict=False)
             for before, after in (("", ""), ("a photo of a ", "."))}  # fmt: skip
    return PlannedClip([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0.8, 0.6, 0, 0]], texts)


def test_a_folder_is_measured_and_the_protocol_says_how(nano, colours):
    (outcome,) = contralto.evaluate(nano, colours)
    assert (outcome.set, outcome.split, outcome.task, len(outcome.records)) == ("colours", "test", "classes", 12)
    said = outcome.protocol
    assert said["items"] == 12
    assert said["precision"] == "fp32"
    assert said["contract"] == nano.contract.hash
    assert said["classes"]["names"] == [["blue"], ["green"], ["red"]]
    assert len(said["split_sha256"]) == 64
    json.dumps(said, allow_nan=False)
    assert "names" not in without_lists(said)["classes"]
    assert without_lists(said)["classes"]["sha256"] == said["classes"]["sha256"]


def test_the_hash_of_a_split_follows_its_pictures_and_labels_not_its_place(clip):
    def split_hash(data):
        return contralto.evaluate(clip, data)[0].protocol["split_sha256"]

    data = planned_set([0, 1, 2], "abc")
    assert split_hash(data) == split_hash(replace(data, name="elsewhere"))
    assert split_hash(data) != split_hash(planned_set([0, 2, 1], "abc"))
    other = [*data.items[:2], replace(data.items[2], picture=picture(3))]
    assert split_hash(data) != split_hash(replace(data, items=other))


def test_several_sets_and_an_open_one(clip):
    outcomes = contralto.evaluate(clip, [planned_set([0, 1], "abc"), planned_set([1], "abc", name="another")])
    assert [(one.set, one.figures[0].value) for one in outcomes] == [("planned", 1), ("another", 0)]


def test_compare_adds_each_way_to_name_the_classes(nano, colours):
    outcomes = contralto.evaluate(nano, colours, templates="compare")
    assert [one.variant for one in outcomes] == ["", "templates name", "templates single", "templates imagenet-7"]
    assert [one.protocol["templates"]["count"] for one in outcomes[1:]] == [1, 1, 7]


@pytest.mark.parametrize(
    ("templates", "name", "listed"),
    [("none", "none", ["{}"]), (["a photo of a {}."], "given", ["a photo of a {}."])],
)
def test_templates_of_one_s_own_go_first(clip, templates, name, listed):
    (outcome,) = contralto.evaluate(clip, planned_set([0], "abc"), templates=templates)
    assert (outcome.protocol["templates"]["name"], outcome.protocol["templates"]["list"]) == (name, listed)


def test_captions_take_the_set_s_template_or_the_one_given():
    texts = {"one": np.eye(4)[0], "a photo of one": np.eye(4)[1]}
    clip = PlannedClip(np.eye(4), texts)
    data = DataSet("told", "test", "retrieval", "r1_image_to_text", [Item("a", picture(0), captions=("one",))])
    prefixed = replace(data, templates=("a photo of {}",))
    assert (contralto.evaluate(clip, data)[0].protocol["template"], clip.seen[-1]) == ("{}", "one")
    assert contralto.evaluate(clip, prefixed)[0].protocol["template"] == "a photo of {}"
    assert clip.seen[-1] == "a photo of one"
    assert contralto.evaluate(clip, prefixed, templates="none")[0].protocol["template"] == "{}"


def test_a_drawn_set_is_known_by_name_and_its_chance_is_stated(nano):
    data = open_set("drawn_small")
    outcomes = contralto.evaluate(nano, replace(data, items=[data.items[i] for i in range(16)]))
    assert outcomes[0].variant == ""
    assert outcomes[0].figures[0].chance == pytest.approx(1 / 8)
    assert {one.variant.partition("=")[0] for one in outcomes[1:]} == {"share"}


def test_checks_are_variants_of_the_set(nano, colours):
    outcomes = contralto.evaluate(nano, colours, checks=["typographic", "sizes", "questions"])
    variants = [one.variant for one in outcomes]
    assert variants[:5] == ["", "typographic", "at 1/2 of the side", "at 1/4 of the side", "at 1/8 of the side"]
    assert variants[5:] == ["negation", "negation asked=other", "negation asked=own"]
    figures = {figure.metric: figure for figure in outcomes[1].figures}
    assert 0 <= figures["answered_written"].value <= 1 - figures["top1"].value + 1e-9
    assert outcomes[1].protocol["split_sha256"] != outcomes[0].protocol["split_sha256"]


def test_corruptions_end_in_their_mean(nano, colours, monkeypatch):
    monkeypatch.setattr(checks, "CORRUPTIONS", ("brightness", "contrast"))
    monkeypatch.setattr(checks, "SEVERITIES", (1, 5))
    outcomes = contralto.evaluate(nano, colours, checks=["corruptions"])
    assert [one.variant for one in outcomes[1:-1]] == ["brightness 1", "brightness 5", "contrast 1", "contrast 5"]
    errors = [1 - one.figures[0].value for one in outcomes[1:-1]]
    assert outcomes[-1].figures[0].metric == "mean_corruption_error"
    assert outcomes[-1].figures[0].value == pytest.approx(np.mean(errors))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"checks": ["colour"]}, "checks must be among .*, got 'colour'"),
        ({"probe": "forest"}, "probe must be one of"),
        ({"templates": "imagenet-70"}, "imagenet-7"),
    ],
)
def test_arguments_that_fit_nothing_are_told_in_one_line(clip, options, said):
    with pytest.raises(ContraltoError, match=said) as error:
        contralto.evaluate(clip, planned_set([0], "abc"), **options)
    assert "\n" not in str(error.value)


def test_what_does_not_fit_a_set_is_left_out_and_told(caplog):
    clip = PlannedClip(np.eye(4), {"a": np.eye(4)[0], "b": np.eye(4)[1]})
    data = DataSet("told", "test", "choice", "top1", [Item("a", picture(0), 0, captions=("a", "b"))])
    with caplog.at_level("INFO", "contralto"):
        outcomes = contralto.evaluate(clip, data, checks=["sizes"], probe="knn", templates="none")
    assert [one.variant for one in outcomes] == [""]
    assert (
        "told is measured without probes and overlap, which need one class per picture; without sizes, which"
        in caplog.text
    )
    assert "without templates" in caplog.text
    caplog.clear()
    retrieval = DataSet("told", "test", "retrieval", "r1", [Item("a", picture(0), captions=("a",))])
    with caplog.at_level("INFO", "contralto"):
        assert len(contralto.evaluate(clip, retrieval, templates="compare")) == 1
    assert "no class names" in caplog.text


def test_a_missing_set_says_where_to_get_it(clip, tmp_path):
    with pytest.raises(DataError, match="food-101/images") as error:
        contralto.evaluate(clip, "food101", folder=tmp_path)
    assert "http" in str(error.value)


def test_without_the_extra_nothing_is_embedded_in_vain(clip, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "scipy"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"contralto\[evaluate\]"):
        contralto.evaluate(clip, planned_set([0], "abc"))
    assert not clip.seen


def test_pictures_that_are_made_when_asked_for_are_not_held_nor_made_again_and_again(clip):
    made = []

    def make(place):
        made.append(place)
        return Item(f"item {place}", picture(place), place)

    data = replace(planned_set([], "abc"), items=LazyItems(3, make))
    (outcome,) = contralto.evaluate(clip, data)
    assert outcome.figures[0].value == 1
    assert all(made.count(place) == 3 for place in range(3)), "for what is said, for its content, and to be encoded"


def test_a_failing_picture_is_wrong_and_named(clip):
    data = planned_set([0, 1], "abc")
    (outcome,) = contralto.evaluate(clip, replace(data, items=[data.items[0], Item("bad", b"none", 1)]))
    assert outcome.figures[0].value == 0.5
    assert list(outcome.failures) == ["bad"]
    assert outcome.protocol["failed"] == 1


def test_the_command_line_knows_all_checks():
    from contralto.cli import evaluate as command

    assert set(checks.CHECKS) == set(command.CHECKS)


def test_what_auto_chooses_is_settled_before_anything_is_read_from_the_cache(clip, own_cache, monkeypatch):
    """So that all rows are of one precision: that of the file's name and of the protocol."""
    data = planned_set([0, 1, 2], "abc")
    clip.precision, clip.made = "fp32", "auto"
    with Store(clip, warn=pytest.fail) as store:  # rows of a little work, before
        embed_pictures(clip, data.items, store, progress=lambda *step: None)
    before = set(own_cache.rglob("*.sqlite"))

    def settle():
        clip.precision, clip.made = "int8", "int8 0123"

    monkeypatch.setattr(clip, "engine_report", settle)
    clip.seen.clear()
    (outcome,) = contralto.evaluate(clip, data)
    assert outcome.protocol["precision"] == "int8"
    assert len([one for one in clip.seen if not isinstance(one, str)]) == 3
    (made,) = set(own_cache.rglob("*.sqlite")) - before
    assert made.stem == embedding_cache.digest(embedding_cache.identity(clip, "image", "text")).hex()
