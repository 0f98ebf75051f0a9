"""`contralto classify`: labels, templates, scores, and pictures that cannot be used."""

from __future__ import annotations

import pytest
from support.command_line import errors, spoil


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
