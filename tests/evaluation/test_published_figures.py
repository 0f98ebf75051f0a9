"""The published figures: spot values of the paper, and rules for every entry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import contralto
from contralto.evaluation.published_figures import published
from contralto.weights.registry import entries

FIGURES = json.loads((Path(contralto.__file__).parent / "evaluation/published.json").read_text())
SUPERVISED = {"ResNet-101", "EfficientNet-L2 Noisy Student"}


@pytest.mark.parametrize(
    ("asked", "figures"),
    [
        (("ViT-B-32/openai", "food101", "top1"), [(0.844, "paper", True), (0.84, "open_clip", True)]),
        (("ViT-B-32/openai", "food101", "top1", "linear_probe"), [(0.888, "paper", False)]),
        (("ViT-L-14-336/openai", "imagenet", "top1"), [(0.762, "paper", True), (0.7656, "open_clip", True)]),
        (("ViT-L-14/openai", "imagenet", "top1"), [(0.753, "paper", True), (0.7554, "open_clip", True)]),
        (("ViT-L-14-336/openai", "voc2007", "map11"), [(0.843, "paper", False)]),
        (("ViT-L-14-336/openai", "flickr30k", "r5_text_to_image"), [(0.906, "paper", True), (0.89, "open_clip", True)]),
        (("ViT-B-32/openai", "imagenet_v2", "top5"), [(0.8336, "notebook", True)]),
        (("ViT-B-16-SigLIP/webli", "coco", "r1_image_to_text"), [(0.657, "open_clip", True)]),
        (("ViT-H-14/laion2b_s32b_b79k", "imagenet", "top1"), [(0.7796, "model list", True)]),
        (("RN101/yfcc15m", "imagenet", "top1"), []),
        (("nano", "imagenet", "top1"), []),
        (("ViT-B-32/openai", "food101", "auc"), []),
    ],
)
def test_known_figures(asked, figures):
    assert [tuple(one) for one in published(*asked)] == figures


def test_every_figure_belongs_to_a_known_model_and_is_a_share():
    for model, kinds in FIGURES.items():
        assert model in entries() or model in SUPERVISED
        for kind, sets in kinds.items():
            assert kind in ("plain", "linear_probe")
            for name, metrics in sets.items():
                for metric in metrics:
                    for value, source, _ in published(model, name, metric, kind):
                        assert 0 < value < 1
                        assert source in ("paper", "open_clip", "notebook", "model card")


def test_the_paper_covers_its_27_sets():
    for model in ("ViT-L-14-336/openai", "ViT-L-14/openai", "ViT-B-16/openai", "ViT-B-32/openai", "RN50/openai"):
        assert sum("paper" in given for sets in FIGURES[model]["plain"].values() for given in sets.values()) >= 27


def test_reruns_agree_with_the_registry():
    for name, entry in entries().items():
        for value, source, _ in published(name, "imagenet", "top1"):
            if source == "open_clip":
                assert value == entry.imagenet_top1
