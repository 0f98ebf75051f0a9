"""What transformers' configurations, processors and tokenizer files state: against transformers' own classes."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from PIL import Image  # noqa: E402

from contralto import contract  # noqa: E402
from contralto.architecture import Bert, EfficientNet, LinearHead, NoHead, Stage  # noqa: E402
from contralto.contract import Contract, Score, Text, Tokenizer, preset  # noqa: E402
from contralto.errors import ContraltoError  # noqa: E402
from contralto.image.transform import pixels  # noqa: E402
from contralto.text import bpe  # noqa: E402
from contralto.weights.layouts.transformers import Family, family, parts  # noqa: E402
from contralto.weights.transformers import config, pictures, texts, writing  # noqa: E402

transformers.logging.set_verbosity_error()
HALF = (0.5, 0.5, 0.5)
CENTER = {"do_center_crop": True}
PROCESSORS: dict[Family, Any] = {
    "clip": transformers.CLIPImageProcessorPil,
    "siglip": transformers.SiglipImageProcessorPil,
    "align": transformers.EfficientNetImageProcessorPil,
}
CLIP_TOWERS = config.towers({"model_type": "clip"}, "config.json")
SIGLIP_TOWERS = config.towers({"model_type": "siglip"}, "config.json")


def spec(found: pictures.Pictures) -> contract.Image:
    tower = preset("tiny").image.tower
    rules: Any = {"resize": found.resize, "interpolation": found.interpolation}
    return contract.Image(tower, found.size, found.mean, found.std, resized=found.resized, **rules)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("clip", {}),
        ("clip", {"size": {"shortest_edge": 64}, "crop_size": {"height": 48, "width": 48}, "resample": 2}),
        ("clip", {"size": {"height": 48, "width": 40}, "do_center_crop": False, "image_mean": HALF}),
        ("clip", {"size": 48, "crop_size": 44}),
        ("clip", {"do_normalize": False}),
        ("siglip", {}),
        ("siglip", {"size": {"height": 36, "width": 36}, "resample": 2, "rescale_factor": 1 / 127.5}),
        ("align", {}),
        ("align", {"size": 36}),
        ("align", {"include_top": False, "rescale_offset": True, "rescale_factor": 1 / 127.5} | CENTER),
        (
            "align",
            {"size": {"height": 60, "width": 60}, "crop_size": 44, "resample": 2, "do_normalize": False} | CENTER,
        ),
    ],
)
def test_pixels_are_those_of_the_processor_whose_settings_are_read(
    kind: Family, settings: dict[str, Any], tmp_path: Path
) -> None:
    processor = PROCESSORS[kind](**settings)
    processor.save_pretrained(tmp_path)
    if isinstance(settings.get("size"), int):  # as old files have it
        stated = json.loads((tmp_path / pictures.FILE_NAME).read_text())
        (tmp_path / pictures.FILE_NAME).write_text(json.dumps(stated | {"size": settings["size"]}))
    found = pictures.read(tmp_path, kind)
    assert found is not None
    for shape in ((64, 96), (100, 50), (48, 48)):  # whose margins are even: see test_transformers.py for odd ones
        picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8))
        theirs = processor(picture, return_tensors="np")["pixel_values"][0]
        ours = pixels(picture, spec(found))
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < 2e-6


def test_a_processors_settings_are_written_as_they_are_read() -> None:
    for kind, given in (("clip", {"size": {"shortest_edge": 64}, "crop_size": 48}), ("align", CENTER), ("siglip", {})):
        found = pictures._settings(PROCESSORS[kind](**given).to_dict(), pictures.PROCESSORS[kind], "given")
        written = pictures.written(spec(found), "CLIPImageProcessor")
        assert pictures._settings(written, "CLIP", "written") == found
    wide = contract.Image(preset("tiny").image.tower, (48, 48), HALF, HALF, resized=(48, 96))
    with pytest.raises(ContraltoError, match="cannot resize to cover 48 x 96, only a square"):
        pictures.written(wide, "CLIPImageProcessor")


def test_the_newer_file_goes_first_and_a_processor_without_name_is_the_models_own(tmp_path: Path) -> None:
    (tmp_path / pictures.FILE_NAME).write_text(json.dumps({"size": {"height": 32, "width": 32}}))
    assert (found := pictures.read(tmp_path, "siglip")) is not None
    assert (found.size, found.mean, found.resize) == ((32, 32), HALF, "squash")
    newer = {"processor_class": "CLIPProcessor", "image_processor": {"size": {"shortest_edge": 40}, "crop_size": 40}}
    (tmp_path / "processor_config.json").write_text(json.dumps(newer))
    assert (found := pictures.read(tmp_path, "clip")) is not None
    assert (found.size, found.resize) == ((40, 40), "shortest")
    assert pictures.read(tmp_path / "nowhere", "clip") is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"image_processor_type": "Siglip2ImageProcessor"},
            "image_processor_type = 'Siglip2ImageProcessor': supported",
        ),
        (
            {"feature_extractor_type": "ViTFeatureExtractor"},
            "feature_extractor_type = 'ViTFeatureExtractor': supported",
        ),
        ({"size": {"shortest_edge": 224, "longest_edge": 300}}, "longest_edge = 300"),
        ({"size": {"height": 224}}, "missing field 'width'"),
        ({"crop_size": 300}, "crop_size = 300: it is more than the resized picture, 224 x 224"),
        ({"do_center_crop": False}, "must be cropped"),
        ({"image_processor_type": "SiglipImageProcessor", "size": 36}, "must be cropped"),
        ({"do_resize": False}, "must be resized"),
        ({"resample": 1}, "supported are 2 (bilinear) and 3 (bicubic)"),
        ({"image_mean": [0.5, 0.5]}, "three numbers are needed"),
        ({"rescale_factor": 0}, "must be a positive number"),
    ],
)
def test_a_processor_that_cannot_be_followed_is_refused(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / pictures.FILE_NAME).write_text(json.dumps(settings))
    with pytest.raises(ContraltoError) as caught:
        pictures.read(tmp_path, "clip")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "given", "name"),
    [
        ("clip", {}, "ViT-B-32"),
        ("siglip", {}, "ViT-B-16-SigLIP"),
        # As the published ALIGN has it; of its fields only these are not transformers' defaults.
        ("align", {"vision_config": {"hidden_dim": 640, "image_size": 289}}, "align-base"),
    ],
)
def test_absent_fields_have_transformers_own_defaults(kind: Family, given: dict[str, Any], name: str) -> None:
    """Read without them, and with all that transformers writes out, they are those of the published model."""
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
    """What the second leaves out has the default, even where the first states it."""
    first = {"hidden_act": "gelu", "hidden_size": 256, "num_attention_heads": 4}
    stated = {"model_type": "clip", "text_config": first, "text_config_dict": {"hidden_size": 256}}
    (tmp_path / "config.json").write_text(json.dumps(stated))
    theirs = transformers.CLIPConfig.from_pretrained(tmp_path).text_config
    ours = config.towers(stated, "config.json").text
    assert (ours.width, ours.heads) == (theirs.hidden_size, theirs.num_attention_heads) == (256, 8)
    assert config.ACTIVATIONS[theirs.hidden_act] == ours.activation == "quickgelu"


def align(stages: tuple[Stage, ...], stem: int = 16) -> Contract:
    features = stages[-1].channels
    image = EfficientNet(stem, stages, 0, "silu", 4, "even", head=NoHead())
    text = Bert(60, 16, 2, 2, 32, types=2, positions=80, head=LinearHead(bias=True))
    prepared = Text(text, Tokenizer("wordpiece", "0" * 64, "vocab.txt"), 64, 0, "none", pool="first")
    made = contract.Image(image, (33, 33), HALF, HALF, "squash", "bilinear", resized=(41, 41))
    return Contract("small", made, prepared, features, Score(scale=20.0))


@pytest.mark.parametrize("stem", [16, 32, 64, 48])
def test_an_efficientnet_is_written_as_it_is_read(stem: int) -> None:
    before = align((Stage(1, 3, 1, stem // 2, 2), Stage(6, 5, 2, 3 * stem // 2, 3), Stage(6, 3, 1, 4 * stem, 1)), stem)
    stated = config.towers(writing.config(before), "written")
    assert (stated.image, stated.text) == (before.image.tower, before.text.tower)
    assert (stated.embedding, stated.context) == (before.embedding, before.text.context)


def test_a_first_block_that_would_add_its_input_has_no_place_in_transformers() -> None:
    """There a stage's first block never does; ours does wherever the shapes are equal."""
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
        assert block(torch.ones(1, 16, 4, 4)).abs().max() == 0  # nothing of the input is left


def test_what_contralto_wrote_beside_a_configuration_is_checked_like_a_contract(tmp_path: Path) -> None:
    ours = writing.config(preset("tiny"))["contralto"]["text"]
    assert texts.read(tmp_path, CLIP_TOWERS, ours, "config.json")[0].context == 32
    for changes, message in (({"pad": "x"}, "pad must be of type int"), ({"clean": "x"}, "clean must be one of"),
                             ({"more": 1}, "unknown field 'more'")):  # fmt: skip
        with pytest.raises(ContraltoError, match=message):
            texts.read(tmp_path, CLIP_TOWERS, ours | changes, "config.json")


def test_every_file_of_clips_tokenizer_must_be_clips_own(tmp_path: Path) -> None:
    ids, merges = bpe.shipped().published()
    (tmp_path / "vocab.json").write_text(json.dumps(ids))
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"pad_token": {"content": "!"}}))
    assert texts.read(tmp_path, CLIP_TOWERS, {}, "")[0].pad == 0
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<|endoftext|>"}))
    assert texts.read(tmp_path, CLIP_TOWERS, {}, "")[0].pad == bpe.END
    changed = {"model": {"vocab": ids, "merges": [merges[1], merges[0], *merges[2:]]}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(changed))
    with pytest.raises(ContraltoError, match="is not CLIP's own, which is built in"):
        texts.read(tmp_path, CLIP_TOWERS, {}, "")


def test_siglips_padding_is_the_end_token_of_its_sentencepiece_model(tmp_path: Path) -> None:
    names = [b"<pad>", b"</s>", b"<unk>", "▁a".encode()]
    kinds = (3, 3, 2, 1)  # control, control, unknown, normal
    pieces = [b"\n" + bytes([len(name)]) + name + b"\x15" + struct.pack("<f", -1.0) + bytes([24, kind])
              for name, kind in zip(names, kinds, strict=True)]  # fmt: skip
    (tmp_path / "spiece.model").write_bytes(b"".join(b"\n" + bytes([len(piece)]) + piece for piece in pieces))
    found, _ = texts.read(tmp_path, SIGLIP_TOWERS, {}, "")
    assert (found.tokenizer.kind, found.tokenizer.file, found.pad) == ("sentencepiece", "spiece.model", 1)
    assert (found.frame, found.clean, found.context, found.pool) == ("end", "siglip", 64, "last")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<pad>"}))
    with pytest.raises(ContraltoError, match="the pad token '<pad>' is not SigLIP's"):
        texts.read(tmp_path, SIGLIP_TOWERS, {}, "")


def test_a_pad_token_that_is_stated_is_never_replaced_by_another(tmp_path: Path) -> None:
    added = [{"id": 0, "content": "<pad>"}, {"id": 1, "content": "<eos>"}]
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    found, _ = texts.read(tmp_path, SIGLIP_TOWERS, {}, "")
    assert (found.tokenizer.kind, found.pad, found.clean) == ("tokenizers", 0, "lower")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"padding_side": "left"}))
    with pytest.raises(ContraltoError, match=r"padding_side is not 'right'"):
        texts.read(tmp_path, SIGLIP_TOWERS, {}, "")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<filler>"}))
    with pytest.raises(ContraltoError, match="has not the pad token '<filler>'"):
        texts.read(tmp_path, SIGLIP_TOWERS, {}, "")
