"""Every command that embeds, once with a real, small, random model."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from support.fake_clip import paint

import contralto
from contralto.engine import measure


@pytest.fixture(scope="module")
def measured_cache(tiny_model, tmp_path_factory):
    """A cache with the model's measurements on this machine."""
    path = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTRALTO_CACHE", str(path))
        contralto.load(tiny_model).engine_report()
    return path


@pytest.mark.parametrize("count", [1, 63, 64])
def test_a_little_work_has_the_same_answer_once_the_machine_was_measured(
    cli, tiny_model, measured_cache, monkeypatch, tmp_path, count
):
    """With 64 pictures the precision changes, or this test could not fail."""
    paths = [paint(tmp_path / "p" / f"{number}.png", "red") for number in range(count)]
    picture, ours = tmp_path / "p", ("--model", tiny_model, "--json")
    commands = [
        ("classify", *paths, "--labels", "cat", "dog", *ours),
        ("similarity", *paths, "--text", "a cat", "a dog", *ours),
        ("score", *paths, "--text", "a cat", *ours),
        ("search", picture, "a cat", "--not", "a dog", "--top", count, *ours),
    ]
    monkeypatch.setattr(measure, "fastest_precision", lambda measured: measured[-1])  # int8
    shutil.copytree(measured_cache, tmp_path / "measured")
    said = []
    for cache in ("fresh", "measured"):
        monkeypatch.setenv("CONTRALTO_CACHE", str(tmp_path / cache))
        if cache == "measured":
            assert contralto.load(tiny_model).engine_report().precision == "int8"
        said.append([cli(*command).objects for command in commands])
    fresh, measured = said
    assert (fresh == measured) == (count < 64)


def test_rows_and_ranks_are_those_of_the_python_face(cli, tiny_model, tmp_path):
    names = ["red", "green", "blue"]
    paths = [str(paint(tmp_path / "p" / f"{name}.png", name)) for name in names]
    clip = contralto.load(tiny_model)
    images, texts = clip.encode_image(paths), clip.encode_text(names)
    objects = cli("embed", *paths, "--text", *names, "--model", tiny_model, "--json").objects
    np.testing.assert_allclose([one["embedding"] for one in objects], np.concatenate([images, texts]), atol=1e-5)
    cosines = cli("similarity", *paths, "--text", *names, "--model", tiny_model, "--json").objects
    np.testing.assert_allclose([one["cosine"] for one in cosines], (images @ texts.T).ravel(), atol=1e-5)
    hits = cli("search", tmp_path / "p", "red", "--model", tiny_model, "--json").objects
    expected = sorted(zip(paths, images @ texts[0], strict=True), key=lambda pair: -pair[1])
    assert [one["path"] for one in hits] == [path for path, _ in expected]
    best = cli("classify", *paths, "--labels", *names, "--model", tiny_model, "--json").objects
    for one, predictions in zip(best, clip.classify(paths, names), strict=True):
        assert [p["label"] for p in one["predictions"]] == [p.label for p in predictions]
        np.testing.assert_allclose([p["score"] for p in one["predictions"]], [p.score for p in predictions], atol=1e-4)


def test_a_cut_text_is_named(cli, tiny_model):
    long = "word " * 200
    result = cli("embed", "--text", long, "--truncate", "--model", tiny_model, "--json")
    assert result.code == 0
    assert result.err.startswith("note: ")
    assert "word word" in result.err
    refused = cli("embed", "--text", long, "--model", tiny_model, "--json")
    assert (refused.code, refused.out) == (1, "")
