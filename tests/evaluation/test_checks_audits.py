"""Audits as outcomes: overlap with another data set, faces by group, and the effect of prompt wording."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import contralto
from contralto.evaluation.report.audits import audits
from contralto.sets.items import Class, DataSet, Item


@pytest.fixture(scope="module")
def nano():
    return contralto.load("nano", precision="fp32")


def scene(seed, size=64):
    """A picture unlike any of another seed: blotches of colour."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


def a_set(name, seeds, size=64, **changes):
    items = [Item(f"{name}/{seed}", np.asarray(scene(seed, size)), place % 2) for place, seed in enumerate(seeds)]
    classes = (Class("a red thing"), Class("a blue thing"))
    return replace(DataSet(name, "test", "classes", "top1", items, classes, ("a photo of {}.",), "photo"), **changes)


def test_the_overlap_is_found_and_its_pairs_are_kept_to_be_looked_at(nano):
    measured, training = a_set("measured", [1, 2, 3, 4]), a_set("training", [9, 3, 8, 1], size=96)
    plain, outcome = contralto.evaluate(nano, measured, overlap=training)
    assert outcome.variant == "overlap with training:test"
    figures = {figure.metric: figure for figure in outcome.figures}
    assert figures["overlap_share"].value == 0.5
    assert figures["top1"].value == plain.figures[0].value
    assert figures["top1"].low < plain.figures[0].low, "99.5% is wider than 95%"
    assert figures["top1_clean"].n == figures["top1_overlap"].n == 2
    duplicates = {(pair["item"], pair["with"]) for pair in outcome.protocol["overlap"]["pairs"] if pair["score"] >= 0.8}
    assert duplicates == {("measured/1", "training/1"), ("measured/3", "training/3")}
    strict = contralto.evaluate(nano, measured, overlap=training, threshold=1.1)[1]
    assert strict.figures[1].value == 0
    assert len(strict.protocol["overlap"]["pairs"]) == len(outcome.protocol["overlap"]["pairs"])
    page = audits([outcome], lambda name, split, key: scene(int(key.rpartition("/")[2])))
    assert page.count("data:image/jpeg") == 2 * len(outcome.protocol["overlap"]["pairs"])
    assert audits([plain], lambda *place: None) == ""


def test_faces_are_told_and_harmed_by_group_with_the_tables_in_the_protocol(nano):
    faces = a_set("faces", range(8))
    groups = [{"race": r, "gender": g} for r in ("Black", "White") for g in ("Female", "Male")] * 2
    items = [replace(item, groups=group) for item, group in zip(faces.items, groups, strict=True)]
    _, outcome = contralto.evaluate(nano, replace(faces, items=items), checks=["faces"])
    figures = {figure.metric: figure for figure in outcome.figures}
    assert {"told_race", "told_gender", "non-human_given", "crime_given_beside_child"} <= set(figures)
    assert "told_race_gap_by_gender" in figures
    assert figures["told_race"].n == 8
    json.dumps(outcome.protocol, allow_nan=False)
    tables = outcome.protocol["faces"]["told"]
    assert {rate["group"] for one in tables if one["by"] == "race x gender" for rate in one["rates"]} == {
        "Black, Female", "Black, Male", "White, Female", "White, Male"
    }  # fmt: skip
    page = audits([outcome], lambda *place: None)
    assert "Black, Female" in page
    assert "no proof of fitness" in page


def test_prompts_are_compared_alone_and_searched_on_another_split(nano):
    train = a_set("words", range(10, 26), split="train")
    data = a_set("words", range(8), splits=("train", "test"), open_split=lambda name: train)
    _, alone, searched = contralto.evaluate(nano, data, checks=["prompts"])
    assert alone.variant == "prompt sensitivity"
    figures = {figure.metric: figure.value for figure in alone.figures}
    assert figures["top1_lowest"] <= figures["top1_median"] <= figures["top1_highest"]
    assert len(alone.protocol["sensitivity"]["top1"]) == 80, "a set with one template is asked with ImageNet's"
    assert searched.variant == "prompts searched on train"
    assert searched.protocol["search"]["validation"]["split"] == "train"
    assert contralto.evaluate(nano, replace(data, splits=()), checks=["prompts"])[-1].variant == "prompt sensitivity"
