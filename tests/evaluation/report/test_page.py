"""The page: complete, safe and self-contained HTML that states what the records say."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support import fabricated_outcomes as fabricated
from support.page_reader import Reader, assert_self_contained

from contralto.evaluation.condition import Condition
from contralto.evaluation.outcome import Figure, Outcome
from contralto.evaluation.report import page
from contralto.evaluation.report_files import EvaluationReport

EVIL = "<script>alert(1)</script>\"'&<img src=x onerror=y>\n</style></td>"


def no_picture(*where):
    return None


def everything() -> list[Outcome]:
    """Every kind of section."""
    plain = fabricated.outcome(failures={"test/9.jpg": "is truncated"})
    templates = [replace(plain, condition=Condition("templates", name)) for name in ("name", "imagenet-7")]
    shots = [replace(plain, condition=Condition("few_shot", level=k)) for k in (1, 4, 16)]
    corrupted = [
        replace(plain, condition=Condition("corruption", name, s))
        for name in ("gaussian_noise", "fog")
        for s in (1, 2, 3, 4, 5)
    ]
    shifts = [replace(plain, set=name) for name in ("imagenet", "imagenet_v2", "imagenet_r")]
    odd = [
        fabricated.outcome(fabricated.records(n=0), set="empty", figures=()),
        replace(plain, set="nan", figures=(Figure("auc", float("nan"), None, None, 3),)),
        replace(
            plain,
            set="nan",
            condition=Condition("templates", "name"),
            figures=(Figure("auc", float("nan"), None, None, 3),),
        ),
        replace(plain, set="probe only", condition=Condition("linear_probe")),
    ]
    return [plain, *templates, *shots, *corrupted, *shifts, fabricated.retrieval(), *odd]


def made(outcomes, pictures=no_picture, **model) -> str:
    return page(
        EvaluationReport({"name": "nano", "contract": "ab" * 32} | model, tuple(outcomes), "2026-11-25"), pictures
    )


def test_the_page_is_whole_and_asks_nothing_of_anybody():
    html = made(everything(), lambda *where: Image.new("RGB", (300, 200), "red"))
    assert_self_contained(html)


def test_every_plot_tells_what_it_is():
    reader = Reader(made(everything()))
    html = made(everything())
    plots = [attributes for tag, attributes in reader.tags if tag == "svg"]
    named = [one for one in plots if one.get("role") == "img"]
    assert len(named) == len(re.findall(r"<svg [^>]*><title>[^<]+</title><desc>[^<]+</desc>", html))
    assert all(one.get("aria-hidden") == "true" for one in plots if one not in named)


def test_nothing_from_outside_becomes_markup():
    plain = fabricated.records()
    plain.key[:] = [f"{EVIL}{i}" for i in range(len(plain))]
    outcomes = [
        fabricated.outcome(
            plain,
            set=EVIL,
            split=EVIL,
            variant=variant,
            classes=(EVIL, *("x" * 300, EVIL, EVIL)),
            failures={EVIL: EVIL},
            figures=(Figure(EVIL, 0.5, 0.4, 0.6, 60, 0.1), Figure("top1", 0.5, 0.4, 0.6, 60)),
            protocol={EVIL: EVIL, "list": [EVIL], "deep": {EVIL: [EVIL]}},
        )
        for variant in ("", EVIL, f"templates {EVIL}", "few-shot 2", "fog 1", "fog 2")
    ]
    html = page(EvaluationReport({"name": EVIL, "contract": EVIL, EVIL: EVIL}, tuple(outcomes), EVIL, EVIL), no_picture)
    reader = Reader(html)
    assert "script" not in {tag for tag, _ in reader.tags}
    assert not [attributes for tag, attributes in reader.tags if tag == "img"]
    assert not any(name.startswith("on") for _, attributes in reader.tags for name in attributes)
    assert "<script>alert(1)" in reader.text


def test_the_table_sets_figures_beside_published_ones():
    outcome = fabricated.outcome(set="food101", figures=(Figure("top1", 0.8412, 0.838, 0.8445, 25250, 0.0099),))
    reader = Reader(made([outcome], name="ViT-B-32/openai"))
    row = next(row for row in reader.rows if "top-1" in row)
    assert row[:4] == ["food101 test", "top-1", "84.1", "[83.8, 84.5]"]
    assert row[5:] == ["1.0", "25,250", "84.4paper−0.3✓84.0open_clip+0.1✓"]
    far = fabricated.outcome(set="pets", figures=(Figure("mean_per_class", 0.8, 0.79, 0.81, 3669),))
    reader = Reader(made([far], name="ViT-B-32/openai"))
    assert next(row for row in reader.rows if "mean per class" in row)[-1].startswith("87.0†paper−7.0≠")
    assert "† from memory" in reader.text
    assert "published" not in Reader(made([outcome])).text.partition("A wrong answer")[0]


def test_each_outcome_as_it_is_stands_in_the_first_table_and_the_rest_in_its_section():
    reader = Reader(made(everything()))
    heads = [row[0] for row in reader.rows if row and row[0].startswith("shapes test")]
    assert heads[0] == "shapes test"
    assert sorted(heads[1:]) == sorted(
        f"shapes test{one.variant}" for one in everything() if one.set == "shapes" and one.variant
    )


def test_the_surest_mistakes_are_shown_with_what_they_were_taken_for():
    plain = fabricated.records(n=300, skill=0.5)
    asked = []

    def pictures(set_, split, key):
        asked.append((set_, split, key))
        return Image.new("RGBA", (900, 600), (200, 30, 30, 255))

    reader = Reader(made([fabricated.outcome(plain)], pictures))
    wrong = np.flatnonzero(plain.rank > 0)
    surest = wrong[np.argsort(-plain.confidence[wrong], kind="stable")][:24]
    assert asked == [("shapes", "test", plain.key[i]) for i in surest]
    images = [attributes["src"] for tag, attributes in reader.tags if tag == "img"]
    assert len(images) == 24
    opened = Image.open(io.BytesIO(base64.b64decode(images[0].partition(",")[2])))
    assert (opened.format, opened.size) == ("JPEG", (160, 107))
    names = ("ring", "cube", "cone", "disc")
    first = surest[0]
    said = f"{names[plain.predicted[first]]} {100 * plain.confidence[first]:.0f}% is {names[plain.label[first]]}"
    assert said in reader.text


def test_a_picture_that_could_not_be_used_is_no_mistake():
    plain = fabricated.records(n=300, skill=0.5)
    wrong = np.flatnonzero(plain.rank > 0)
    surest = plain.key[wrong[np.argmax(plain.confidence[wrong])]]
    reader = Reader(made([fabricated.outcome(plain, failures={surest: "is truncated"})]))
    assert not [1 for tag, attributes in reader.tags if tag == "figure" and attributes.get("title") == surest]
    assert "1 picture counts as wrong: not usable" in reader.text
    assert f"{surest} is truncated" in reader.text


def test_many_sets_show_fewer_pictures_each():
    asked = []
    outcomes = [fabricated.outcome(fabricated.records(n=200, skill=0.0), set=f"set{i}") for i in range(27)]
    made(outcomes, lambda *where: asked.append(where))
    assert len(asked) == 27 * (320 // 27)


def test_the_pairs_confused_most_often():
    plain = fabricated.records(n=40)
    plain.label[:] = np.arange(40) % 4
    plain.predicted[:] = plain.label
    plain.predicted[[0, 4, 8]] = 2
    plain.predicted[[1]] = 0
    reader = Reader(made([fabricated.outcome(plain)]))
    pairs = [row for row in reader.rows if len(row) == 3]
    assert pairs[1:] == [["ring", "cone", "3 of 10 30%"], ["cube", "ring", "1 of 10 10%"]]
    assert "ring → cone: 3 of 10" in reader.text
    assert "ring → ring: 7 of 10" in reader.text


@pytest.mark.parametrize(("classes", "drawn"), [(60, True), (61, False)])
def test_a_matrix_is_drawn_for_up_to_60_classes(classes, drawn):
    plain = fabricated.records(n=300, classes=classes)
    html = made([fabricated.outcome(plain, classes=tuple(f"class {i}" for i in range(classes)))])
    assert ("<title>Confusion</title>" in html) == drawn
    assert "Most confused" in html


def test_the_protocol_is_there_to_the_last_entry():
    protocol = {
        "split_sha256": "5" * 64,
        "templates": ["a {}.", "the {}."],
        "score": {"rule": "softmax", "scale": 100.0},
    }
    probe = fabricated.outcome(variant="linear probe", protocol={**protocol, "strength": 0.316})
    reader = Reader(made([fabricated.outcome(protocol=protocol), probe]))
    for said in ("5" * 64, "a {}. the {}.", "rule softmax scale 100.0", "linear probe: what differs"):
        assert said in reader.text
    assert "strength 0.316" in reader.text.partition("what differs")[2]
    assert "the {}." not in reader.text.partition("what differs")[2]


def test_robustness_is_held_against_the_supervised_models():
    def top1(name, value, variant=""):
        return fabricated.outcome(set=name, variant=variant, figures=(Figure("top1", value, None, None, 10_000),))

    given = [
        top1("imagenet", 0.762),
        top1("imagenet_r", 0.889),
        top1("imagenet_v2", 0.701),
        top1("objectnet", 0.3, "x"),
    ]
    rows = [row for row in Reader(made(given)).rows if len(row) == 6 and "as it is" in row]
    # at ResNet-101's own accuracy on ImageNet, its accuracy on the shifted set is what is expected
    assert rows == [
        ["imagenet_v2", "as it is", "70.1", "−6.1", "64.3", "+5.8"],
        ["imagenet_r", "as it is", "88.9", "+12.7", "37.7", "+51.2"],
    ]
    assert "Robustness" not in Reader(made(given[1:])).text


def test_reliability_and_recall_say_their_figures():
    plain = fabricated.records()
    said = Reader(made([fabricated.outcome(plain)])).text
    assert f"{plain.confidence.mean():.0%} sure and {(plain.rank == 0).mean():.0%} right" in said
    answers = fabricated.retrieval()
    rank = answers.records.rank[answers.records.direction == "text_to_image"]
    assert f"text → image: {(rank < 1).mean():.1%} at 1" in Reader(made([answers])).text


def test_corruptions_state_their_mean_error():
    plain = fabricated.outcome()
    values = {"fog": (0.7, 0.5), "snow": (0.6, 0.4)}
    outcomes = [
        replace(plain, condition=Condition("corruption", name, s), figures=(Figure("top1", value, None, None, 60),))
        for name, each in values.items()
        for s, value in enumerate(each, start=1)
    ]
    reader = Reader(made([plain, *outcomes]))
    assert "Mean error over all corruptions and severities: 45.0%" in reader.text
