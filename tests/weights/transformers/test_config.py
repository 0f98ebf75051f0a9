"""Configurations read and written, against transformers' own classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from contralto import contract  # noqa: E402
from contralto.architecture import Bert, EfficientNet, LinearHead, NoHead, Stage  # noqa: E402
from contralto.contract import Contract, Score, Text, TokenizerSpec, preset  # noqa: E402
from contralto.errors import ContraltoError  # noqa: E402
from contralto.weights.layouts.transformers import Family, family, parts  # noqa: E402
from contralto.weights.transformers import config, writing  # noqa: E402

transformers.logging.set_verbosity_error()
HALF = (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("kind", "given", "name"),
    [
        ("clip", {}, "ViT-B-32"),
        ("siglip", {}, "ViT-B-16-SigLIP"),
        # The fields of the published ALIGN that differ from transformers' defaults.
        ("align", {"vision_config": {"hidden_dim": 640, "image_size": 289}}, "align-base"),
    ],
)
def test_absent_fields_have_transformers_own_defaults(kind: Family, given: dict[str, Any], name: str) -> None:
    """A config without them and one with all fields of transformers both give the published model."""
    classes = {"clip": transformers.CLIPConfig, "siglip": transformers.SiglipConfig, "align": transformers.AlignConfig}
    full = classes[kind](**given).to_dict()
    assert config.towers({"model_type": kind} | given, "short") == config.towers(full, "full")
    stated, published = config.towers(full, "full"), preset(name)
    assert (stated.embedding, stated.context) == (published.embedding, published.text.context)
    sizes = (
        "width",
        "layers",
        "heads",
        "mlp",
        "vocabulary",
        "positions",
        "stem",
        "stages",
        "squeeze",
        "padding",
        "mask",
    )
    for ours, theirs in ((stated.image, published.image.tower), (stated.text, published.text.tower)):
        for size in sizes:
            assert getattr(ours, size, None) == getattr(theirs, size, None), size


def test_a_doubled_configuration_of_old_files_counts_as_there(tmp_path: Path) -> None:
    """A field absent in the second has the default, even if the first states it."""
    first = {"hidden_act": "gelu", "hidden_size": 256, "num_attention_heads": 4}
    stated = {"model_type": "clip", "text_config": first, "text_config_dict": {"hidden_size": 256}}
    (tmp_path / "config.json").write_text(json.dumps(stated))
    theirs = transformers.CLIPConfig.from_pretrained(tmp_path).text_config
    ours = config.towers(stated, "config.json").text
    assert (ours.width, ours.heads) == (theirs.hidden_size, theirs.num_attention_heads) == (256, 8)
    assert config.ACTIVATION_BY_NAME[theirs.hidden_act] == ours.activation == "quickgelu"


def align(stages: tuple[Stage, ...], stem: int = 16) -> Contract:
    features = stages[-1].channels
    image = EfficientNet(stem, stages, 0, "silu", 4, "even", head=NoHead())
    text = Bert(60, 16, 2, 2, 32, types=2, positions=80, head=LinearHead(bias=True))
    prepared = Text(text, TokenizerSpec("wordpiece", "0" * 64, "vocab.txt"), 64, 0, "none", pool="first")
    made = contract.Image(image, (33, 33), HALF, HALF, "squash", "bilinear", resized=(41, 41))
    return Contract("small", made, prepared, features, Score(scale=20.0))


@pytest.mark.parametrize("stem", [16, 32, 64, 48])
def test_an_efficientnet_is_written_as_it_is_read(stem: int) -> None:
    before = align((Stage(1, 3, 1, stem // 2, 2), Stage(6, 5, 2, 3 * stem // 2, 3), Stage(6, 3, 1, 4 * stem, 1)), stem)
    stated = config.towers(writing.config(before), "written")
    assert (stated.image, stated.text) == (before.image.tower, before.text.tower)
    assert (stated.embedding, stated.context) == (before.embedding, before.text.context)


def test_a_first_block_that_would_add_its_input_has_no_place_in_transformers() -> None:
    """In transformers the first block of a stage never adds its input; ours does if the shapes are equal."""
    kept = align((Stage(1, 3, 1, 16, 2), Stage(6, 3, 2, 32, 1)))
    with pytest.raises(ContraltoError, match="transformers has no class for these towers"):
        parts(kept)
    widened = align((Stage(1, 3, 1, 8, 2), Stage(6, 3, 2, 32, 1)))
    assert family(widened) == "align"
    stated = writing.config(widened)
    stated["vision_config"]["out_channels"][0] *= 2
    stated["vision_config"]["in_channels"][1] *= 2
    with pytest.raises(ContraltoError, match="the first block of a stage has no shortcut there"):
        config.towers(stated, "config.json")
    block = transformers.AlignModel(transformers.AlignConfig(
        vision_config=stated["vision_config"], text_config=stated["text_config"], projection_dim=32,
    )).eval().vision_model.encoder.blocks[0]  # fmt: skip
    with torch.no_grad():
        for parameter in (block.projection.project_bn.weight, block.projection.project_bn.bias):
            parameter.zero_()
        assert block(torch.ones(1, 16, 4, 4)).abs().max() == 0  # the input is not added
