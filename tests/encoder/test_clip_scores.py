"""Cosines, scores and zero-shot classes of a Clip, against plain NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest
from support.fake_engine import picture

import contralto
from contralto.contract import Score
from contralto.embeddings import probabilities
from contralto.encoder.loading import load
from contralto.zeroshot import prompts

PICTURES = [picture(seed) for seed in range(6)]
TEXTS = ["a dog", "a cat", "two cars", "a dog"]


def test_similarity_is_cosines(clip):
    images, texts = (f(x).astype(np.float64) for f, x in ((clip.encode_image, PICTURES), (clip.encode_text, TEXTS)))
    cosines = clip.similarity(PICTURES, TEXTS)
    np.testing.assert_allclose(cosines, images @ texts.T, atol=1e-6)
    assert clip.similarity(PICTURES[0], "a dog").shape == (1, 1)
    assert clip.similarity([], TEXTS).shape == (0, 4)
    assert clip.similarity(PICTURES, []).shape == (6, 0)
    np.testing.assert_allclose(clip.similarity(images, texts), cosines, atol=1e-6)
    assert np.abs(clip.similarity(images, images.astype(np.float32))).max() <= 1


def test_score_is_the_softmax_over_the_texts(clip):
    logits = clip.contract.score.scale * clip.similarity(PICTURES, TEXTS).astype(np.float64)
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    score = clip.score(PICTURES, TEXTS)
    np.testing.assert_allclose(score, wanted, rtol=1e-4)
    np.testing.assert_allclose(score.sum(axis=1), 1, atol=1e-6)
    assert clip.score(PICTURES, []).shape == (6, 0)


def plain_labels(clip, labels: dict[str, list[str]], templates) -> np.ndarray:
    def direction(v):
        return v / np.linalg.norm(v)

    def name_row(name):
        return direction(sum(clip.encode_text(t.replace("{}", name)).astype(np.float64) for t in templates))

    return np.stack([direction(sum(name_row(name) for name in names)) for names in labels.values()])


@pytest.mark.parametrize("templates", ["photo", "imagenet-7", None, ["art of {}", "{} and {}"]])
def test_labels_are_means_of_unit_rows(clip, templates):
    labels = {"feline": ["cat", "kitten"], "dog": ["dog"], "set {0} {x}": ["{0} {x} {"]}
    wanted = plain_labels(clip, labels, prompts.templates(templates))
    np.testing.assert_allclose(clip.encode_labels(labels, templates), wanted, atol=1e-6)
    names = ["cat", "kitten", "dog"]
    wanted = plain_labels(clip, {name: [name] for name in names}, prompts.templates(templates))
    np.testing.assert_allclose(clip.encode_labels(names, templates), wanted, atol=1e-6)


def test_classify_ranks_by_score_and_keeps_the_order_of_equals(clip):
    labels = ["cat", "dog", "car", "dog"]
    images = clip.encode_image(PICTURES)
    score = probabilities(images @ clip.encode_labels(labels).T, clip.contract.score)
    answers = clip.classify(PICTURES, labels, top=3)
    for row, answer in zip(score, answers, strict=True):
        order = sorted(range(4), key=lambda j: (-row[j], j))[:3]
        assert [p.label for p in answer] == [labels[j] for j in order]
        np.testing.assert_allclose([p.score for p in answer], row[order], rtol=1e-5)
    one = clip.classify(PICTURES[0], labels, top=3)
    assert [p.label for p in one] == [p.label for p in answers[0]]
    label, value = one[0]
    assert isinstance(label, str)
    assert isinstance(value, float)
    assert clip.classify([], labels) == []
    assert len(clip.classify(images[0], labels)) == 4
    assert [len(answer) for answer in clip.classify(images, ["a"])] == [1] * 6


def test_the_real_engine_scores_a_sigmoid_contract_by_it(tmp_path):
    import torch

    from contralto import contract

    stated = contract.preset("tiny").replace(score=Score("sigmoid", 10.0, -10.0))
    model, stated = contralto.create(stated, seed=1)
    with torch.no_grad():
        model.logit_bias.fill_(-3)
    written = contralto.save(tmp_path, model, stated)
    assert written.score == Score("sigmoid", pytest.approx(model.logit_scale.exp().item(), rel=1e-5), -3.0)
    clip = load(tmp_path)
    logits = clip.contract.score.scale * clip.similarity(PICTURES, TEXTS).astype(np.float64) - 3
    np.testing.assert_allclose(clip.score(PICTURES, TEXTS), 1 / (1 + np.exp(-logits)), rtol=1e-5)


@pytest.mark.parametrize(
    ("labels", "said"),
    [([], "empty"), ({}, "empty"), ("cat", "one string"), ({"cat": []}, "'cat' has no name"), ([1], "strings")],
)
def test_labels_that_make_no_classifier(clip, labels, said):
    with pytest.raises(contralto.ContraltoError, match=said):
        clip.classify(PICTURES, labels)


def test_top_must_be_positive(clip):
    with pytest.raises(contralto.ContraltoError, match="top"):
        clip.classify(PICTURES, ["a"], top=0)
