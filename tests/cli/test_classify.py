"""`contralto classify`: labels, templates, scores, and pictures that cannot be used."""

from __future__ import annotations

import pytest
from PIL import Image
from support import adaptations
from support.command_line import errors, spoil
from support.fake_clip import COLOURS, paint

import contralto
from contralto.contract import Contract


def test_classify_json_is_an_object_a_picture_best_first(cli, folder):
    result = cli("classify", folder / "red.png", folder / "blue.png", "--labels", "red", "green", "blue", "--json")
    assert result.code == 0
    assert [one["path"] for one in result.objects] == [str(folder / "red.png"), str(folder / "blue.png")]
    assert [one["predictions"][0]["label"] for one in result.objects] == ["red", "blue"]
    for one in result.objects:
        assert set(one) == {"path", "predictions"}
        scores = [p["score"] for p in one["predictions"]]
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1, abs=1e-5)


def test_classify_table_and_top(cli, folder):
    result = cli("classify", folder / "red.png", "--labels", "red", "green", "blue", "--top", "2")
    lines = result.out.splitlines()
    assert len(lines) == 3
    assert lines[0] == str(folder / "red.png")
    assert lines[1].endswith("red")
    assert "\033" not in result.out


def test_labels_and_templates_from_files(cli, folder, tmp_path):
    (tmp_path / "labels").write_text("\ufeffgreen\n\n  red  \n", encoding="utf-8")
    (tmp_path / "templates").write_text("the colour {}\n")
    given = ("--labels", f"@{tmp_path / 'labels'}", "blue", "--templates", f"@{tmp_path / 'templates'}")
    result = cli("classify", folder / "red.png", *given, "--json")
    assert result.objects[0]["predictions"][0]["label"] == "red"
    assert {p["label"] for p in result.objects[0]["predictions"]} == {"green", "red", "blue"}
    assert cli("classify", folder / "red.png", "--labels", "red", "--templates", "none").code == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--labels", "@nowhere"], "nowhere: No such file"),
        (["--labels", "a", "--templates", "phto"], "photo"),
        (["--labels", "a", "--templates", "@nowhere"], "nowhere"),
    ],
)
def test_unusable_labels_and_templates_are_an_error_of_one_line(cli, folder, given, said):
    result = cli("classify", folder / "red.png", *given)
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert said in result.err


def test_some_bad_pictures_are_3_all_bad_are_1(cli, folder):
    bad, gone = spoil(folder), str(folder / "gone.jpg")
    result = cli("classify", bad, folder / "red.png", gone, "--labels", "red", "--json")
    assert (result.code, len(result.objects)) == (3, 1)
    assert {one["path"] for one in errors(result)} == {bad, gone}
    assert all(set(one) == {"path", "error"} for one in errors(result))
    assert cli("classify", bad, gone, "--labels", "red").code == 1
    assert f"{gone}: no such file or directory\n" in cli("classify", gone, "--labels", "red", "--quiet").err


def adapted(tiny_model, folder, method="kernel", **changes):
    """The folder of an adaptation of the small model."""
    stated = Contract.read(tiny_model)
    reads = {"features": contralto.load(tiny_model).feature_width} if changes else {}
    tensors = adaptations.classifier_tensors(method, stated.embedding, **reads)
    adaptations.write(folder, method, stated, tensors, tiny_model, **changes)
    return folder


@pytest.mark.parametrize(
    ("method", "changes"), [("kernel", {}), ("probe", {"settings": {"input": "features", "temperature": 2.0}})]
)
def test_without_labels_an_adapted_model_answers_with_its_classes(cli, tiny_model, tmp_path, method, changes):
    mine, pictures = adapted(tiny_model, tmp_path / "mine", method, **changes), tmp_path / "p"
    files = [paint(pictures / f"{name}.png", name) for name in ("red", "green", "blue")]
    (pictures / "spoilt.png").write_bytes(b"no picture")
    result = cli("classify", pictures, "--model", mine, "--json")
    assert result.code == 3
    assert {one["path"] for one in result.objects} == {str(file) for file in files}
    clip = contralto.load(mine)
    for one in result.objects:
        expected = clip.classify(one["path"])
        assert [p["label"] for p in one["predictions"]] == [p.label for p in expected]
        assert [p["score"] for p in one["predictions"]] == pytest.approx([p.score for p in expected], abs=1e-4)


def test_mix_and_base_are_options_of_an_adapted_model(cli, tiny_model, tmp_path):
    mine, file = adapted(tiny_model, tmp_path / "mine"), paint(tmp_path / "red.png", "red")
    for mix in (0.0, 0.5):
        result = cli("classify", file, "--model", mine, "--base", tiny_model, "--mix", mix, "--json")
        scores = [p["score"] for p in result.objects[0]["predictions"]]
        expected = contralto.load(mine, mix=mix).classify(file)
        assert scores == pytest.approx([p.score for p in expected], abs=1e-4)
    assert "is none" in cli("classify", file, "--labels", "a", "--model", tiny_model, "--mix", "0.5").err
    for wrong in ("2", "-1", "nan", "x"):
        assert cli("classify", file, "--model", mine, f"--mix={wrong}").code == 2


def test_a_plain_model_needs_labels(cli, tiny_model, tmp_path):
    file = paint(tmp_path / "red.png", "red")
    result = cli("classify", file, "--model", tiny_model)
    assert (result.code, result.out) == (2, "")
    assert "give --labels" in result.err
    result = cli("classify", file, "--model", adapted(tiny_model, tmp_path / "mine"), "--templates", "photo")
    assert (result.code, "--templates belongs to --labels" in result.err) == (2, True)


def test_views_add_spread_and_whether_they_agree(cli, folder, tmp_path):
    stripe = Image.new("RGB", (100, 10), COLOURS["green"])
    stripe.paste(COLOURS["red"], (0, 0, 48, 10))  # more green than red as a whole, more red in a crop at the left
    stripe.save(tmp_path / "stripe.png")
    given = (folder / "red.png", tmp_path / "stripe.png", "--labels", "red", "green", "--views")
    result = cli("classify", *given, "--json")
    red, mixed = result.objects
    assert (set(red), red["spread"], red["sure"]) == ({"path", "predictions", "spread", "sure"}, 0, True)
    assert red["predictions"][0]["label"] == "red"
    assert (mixed["sure"], 0 < mixed["spread"] < 1) == (False, True)
    lines = cli("classify", *given).out.splitlines()
    assert lines[0] == str(folder / "red.png")
    assert lines[3] == f"{tmp_path / 'stripe.png'}  (not sure: its views disagree)"
    assert len(lines) == 6


def test_views_of_bad_pictures_are_3_or_1(cli, folder):
    bad = spoil(folder)
    result = cli("classify", bad, folder / "red.png", "--labels", "red", "--views", "--json")
    assert (result.code, len(result.objects)) == (3, 1)
    assert [one["path"] for one in errors(result)] == [bad]
    assert cli("classify", bad, "--labels", "red", "--views").code == 1


def test_views_of_an_adapted_model(cli, tiny_model, tmp_path):
    file = paint(tmp_path / "red.png", "red")
    mine = adapted(tiny_model, tmp_path / "mine")
    (one,) = cli("classify", file, "--model", mine, "--views", "--json").objects
    assert one["sure"]  # of one colour
    assert [p["label"] for p in one["predictions"]] == [p.label for p in contralto.load(mine).classify(str(file))]
    reads = adapted(tiny_model, tmp_path / "reads", "probe", settings={"input": "features", "temperature": 2.0})
    result = cli("classify", file, "--model", reads, "--views")
    assert (result.code, result.out) == (2, "")
    assert "this adaptation reads features" in result.err
