"""open_clip's configurations: every field is understood or refused by name, and a written one reads back."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from contralto.architecture import CausalText, LinearHead, NoHead, ResNet, ViT
from contralto.contract import Contract, preset, presets
from contralto.errors import ContractError, ContraltoError
from contralto.weights.open_clip import config, writing
from contralto.weights.open_clip.trunks import TRUNKS, trunk, trunk_of

PLAIN: dict[str, Any] = {
    "embed_dim": 512,
    "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12},
}
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"]


def changed(**fields: Any) -> dict[str, Any]:
    """The plain configuration with changed fields; vision_cfg__layers names a nested field."""
    stated = copy.deepcopy(PLAIN)
    for name, value in fields.items():
        *path, last = name.split("__")
        place = stated
        for part in path:
            place = place[part]
        place[last] = value
    return stated


def read(stated: dict[str, Any], folder: Path = Path("model")) -> Contract:
    return config.read({"model_cfg": stated}, folder, "here")


def gelu(contract: Contract) -> Contract:
    image, text = contract.image, contract.text
    return contract.replace(
        image=dataclasses.replace(image, tower=dataclasses.replace(image.tower, activation="gelu")),
        text=dataclasses.replace(text, tower=dataclasses.replace(text.tower, activation="gelu")),
    )


def test_a_configuration_alone_states_open_clips_defaults() -> None:
    stated = read(PLAIN)
    plain = gelu(preset("ViT-B-32"))
    assert (stated.image, stated.text, stated.embedding, stated.score) == (plain.image, plain.text, 512, plain.score)
    assert stated.name == "model"
    told = "open_clip, open_clip_config.json; not in it, so open_clip's own: mean, std, interpolation, resize_mode"
    assert stated.provenance.converted_from == told
    assert config.read(PLAIN, Path("model"), "here") == stated  # a model configuration by itself


def test_quickgelu_is_a_field() -> None:
    stated = read(changed(quick_gelu=True))
    assert stated.image == preset("ViT-B-32").image
    assert stated.text == preset("ViT-B-32").text
    assert read(changed(quick_gelu=False)) == read(PLAIN)


def test_a_list_of_layers_is_a_resnet() -> None:
    vision = {"image_size": 288, "layers": [4, 6, 10, 6], "width": 80, "patch_size": None}
    assert read(changed(vision_cfg=vision)).image.tower == preset("RN50x4").image.tower


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"embed_dim": 1024, "vision_cfg": {"layers": 40, "width": 1408, "head_width": 88, "mlp_ratio": 4.3637,
          "patch_size": 14}, "text_cfg": {"width": 1024, "heads": 16, "layers": 24}}, "ViT-g-14"),
        ({"embed_dim": 1280, "vision_cfg": {"layers": 48, "width": 1664, "head_width": 104, "mlp_ratio": 4.9231,
          "patch_size": 14}, "text_cfg": {"width": 1280, "heads": 20, "layers": 32}}, "ViT-bigG-14"),
    ],
)  # fmt: skip
def test_ratios_give_the_published_sizes(fields: dict[str, Any], name: str) -> None:
    stated, known = read(fields), preset(name)
    assert (stated.image.tower, stated.text.tower) == (known.image.tower, known.text.tower)


def test_clipas_pooling_mask_and_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(BERT))
    vision = {"layers": 24, "width": 1024, "patch_size": 14, "no_ln_pre": True, "pool_type": "avg",
              "final_ln_after_pool": True}  # fmt: skip
    text = {"context_length": 32, "vocab_size": 32000, "hf_tokenizer_name": "bert-base-uncased", "width": 768,
            "tokenizer_kwargs": {"strip_sep_token": True}, "heads": 12, "pool_type": "last",
            "no_causal_mask": True}  # fmt: skip
    stated = read({"embed_dim": 768, "vision_cfg": vision, "text_cfg": text}, tmp_path)
    known = preset("ViT-L-14-CLIPA")
    assert stated.image.tower == known.image.tower
    assert dataclasses.replace(stated.text, tokenizer=known.text.tokenizer) == known.text


def tokenizer_json(folder: Path, pieces: list[dict[str, Any]], pad: str | None) -> None:
    """Writes the parts of a tokenizer.json that state the frame, and a tokenizer_config.json with the pad token."""
    added = [{"id": 0, "content": "<pad>"}, {"id": 1, "content": "</s>"}]
    stated = {"added_tokens": added, "post_processor": {"type": "TemplateProcessing", "single": pieces}}
    (folder / "tokenizer.json").write_text(json.dumps(stated))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": pad} if pad else {}))


SEQUENCE, SPECIAL = {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}
SIGLIP_TEXT = {"context_length": 64, "vocab_size": 32000, "hf_tokenizer_name": "timm/ViT-B-16-SigLIP",
               "tokenizer_kwargs": {"clean": "canonicalize"}, "width": 768, "heads": 12, "layers": 12,
               "no_causal_mask": True, "proj_bias": True, "pool_type": "last",
               "norm_kwargs": {"eps": 1e-6}}  # fmt: skip
SIGLIP_VISION = {"image_size": 224, "timm_model_name": "vit_base_patch16_siglip_224", "timm_model_pretrained": False,
                 "timm_pool": "map", "timm_proj": "none"}  # fmt: skip
SIGLIP = {"embed_dim": 768, "init_logit_bias": -10, "custom_text": True, "vision_cfg": SIGLIP_VISION,
          "text_cfg": SIGLIP_TEXT}  # fmt: skip


def test_siglips_tokenizer_bias_and_timm_tower(tmp_path: Path) -> None:
    tokenizer_json(tmp_path, [SEQUENCE, SPECIAL], "</s>")
    stated = read(SIGLIP, tmp_path)
    assert stated.image.tower == preset("ViT-B-16-SigLIP").image.tower
    assert isinstance(stated.text.tower, CausalText)
    assert stated.text.tower.head == LinearHead(bias=True)
    assert stated.text.tower.norm_eps == 1e-6
    text = stated.text
    assert (text.frame, text.pad, text.clean, text.pool) == ("end", 1, "canonicalize", "last")
    assert (text.tokenizer.kind, text.tokenizer.file) == ("tokenizers", "tokenizer.json")
    assert (stated.score.rule, stated.score.bias) == ("sigmoid", -10.0)


@pytest.mark.parametrize(
    ("pieces", "pad", "told"),
    [
        ([SEQUENCE], "<pad>", "puts no start or end token"),
        ([SPECIAL, SPECIAL, SEQUENCE], "<pad>", "puts no start or end token"),
        ([SEQUENCE, SPECIAL], None, "states a pad_token"),
        ([SEQUENCE, SPECIAL], "<other>", "states a pad_token"),
    ],
)
def test_a_tokenizer_that_leaves_framing_or_padding_open_is_refused(pieces, pad, told, tmp_path: Path) -> None:
    tokenizer_json(tmp_path, pieces, pad)
    with pytest.raises(ContractError, match=told):
        read(SIGLIP, tmp_path)


def test_a_named_tokenizer_must_lie_in_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"hf_tokenizer_name 'x' names a tokenizer, but neither"):
        read(changed(text_cfg__hf_tokenizer_name="x"), tmp_path)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"vision_cfg__qk_norm": True}, "vision_cfg.qk_norm = True"),
        ({"vision_cfg__ls_init_value": 1e-5}, "vision_cfg.ls_init_value"),
        ({"vision_cfg__attentional_pool": True}, "vision_cfg.attentional_pool"),
        ({"vision_cfg__pool_type": "avg"}, "supported are tok, and avg with final_ln_after_pool"),
        ({"vision_cfg__pool_type": "none"}, "vision_cfg.pool_type"),
        ({"vision_cfg__layers": [1, 2, 3]}, "four stages"),
        ({"vision_cfg__layers": "12"}, "vision_cfg.layers must be of type int or list"),
        ({"vision_cfg__layers": True}, "vision_cfg.layers must be of type int or list"),
        ({"vision_cfg__image_size": [224]}, "one or two integers"),
        ({"vision_cfg__act_kwargs": {"approximate": "erf"}}, "vision_cfg.act_kwargs"),
        ({"vision_cfg__norm_kwargs": {"bias": False}}, "norm_kwargs: unknown field 'bias'"),
        ({"vision_cfg__timm_model_name": "resnet50"}, "vision_cfg.timm_model_name = 'resnet50'"),
        ({"vision_cfg__global_average_pool": True}, "vision_cfg: unknown field 'global_average_pool'"),
        ({"text_cfg__embed_cls": True}, "text_cfg.embed_cls"),
        ({"text_cfg__hf_model_name": "roberta-base"}, "text_cfg.hf_model_name = 'roberta-base'"),
        ({"text_cfg__pool_type": "eos"}, "text_cfg.pool_type = 'eos'"),
        ({"text_cfg__proj_type": "mlp"}, "text_cfg.proj_type"),
        ({"text_cfg__tokenizer_mode": "clips"}, "text_cfg.tokenizer_mode"),
        ({"text_cfg__tokenizer_kwargs": {"reduction_mask": "simple"}}, "tokenizer_kwargs.reduction_mask"),
        ({"text_cfg__tokenizer_kwargs": {"clean": "none"}}, "tokenizer_kwargs.clean"),
        ({"text_cfg__rotary": True}, "text_cfg: unknown field 'rotary'"),
        ({"multimodal_cfg": {"width": 512}}, "model_cfg.multimodal_cfg"),
        ({"loss": "siglip"}, "model_cfg: unknown field 'loss'"),
        ({"embed_dim": None}, "model_cfg: missing field 'embed_dim'"),
        ({"text_cfg": []}, "text_cfg must be of type dict"),
        ({"quick_gelu": True, "vision_cfg__act_kwargs": {"approximate": "tanh"}}, "without quick_gelu"),
        ({"vision_cfg__width": 0}, "must be positive"),
        ({"vision_cfg__mlp_ratio": math.inf}, "vision_cfg.mlp_ratio"),
        ({"text_cfg__mlp_ratio": math.nan}, "text_cfg.mlp_ratio"),
        ({"vision_cfg__norm_kwargs": {"eps": math.nan}}, "must be positive"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ContractError) as caught:
        read(changed(**fields))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fields_for_training_change_nothing() -> None:
    stated = changed(vision_cfg__patch_dropout=0.5, vision_cfg__output_tokens=True, vision_cfg__timm_drop=0.1,
                     text_cfg__output_tokens=True, init_logit_scale=2.6, output_dict=True)  # fmt: skip
    assert read(stated) == read(PLAIN)


@pytest.mark.parametrize(
    ("pictures", "told"),
    [
        ({"resize_mode": "longest"}, "preprocess_cfg.resize_mode = 'longest'"),
        ({"interpolation": "nearest"}, "preprocess_cfg.interpolation"),
        ({"mode": "L"}, "preprocess_cfg.mode"),
        ({"mean": [0.5, 0.5]}, "preprocess_cfg.mean"),
        ({"std": ["a", 0, 0]}, "preprocess_cfg.std"),
        ({"std": [0, 1, 1]}, "image.std must be positive"),
    ],
)
def test_a_preparation_that_is_not_ours_is_refused(pictures: dict[str, Any], told: str) -> None:
    with pytest.raises(ContractError, match=told):
        config.read({"model_cfg": PLAIN, "preprocess_cfg": pictures}, Path("model"), "here")


def test_preparation_is_read() -> None:
    pictures = {"mean": 0.5, "std": [0.1, 0.2, 0.3], "interpolation": "bilinear", "resize_mode": "squash", "size": 1}
    image = config.read({"model_cfg": PLAIN, "preprocess_cfg": pictures}, Path("model"), "here").image
    assert (image.mean, image.std, image.size) == ((0.5, 0.5, 0.5), (0.1, 0.2, 0.3), (224, 224))
    assert (image.interpolation, image.resize) == ("bilinear", "squash")


WRITABLE = [name for name in presets() if preset(name).text.tokenizer.kind == "clip-bpe"]


@pytest.mark.parametrize("name", WRITABLE)
def test_a_preset_that_is_written_is_read_back_equal(name: str) -> None:
    contract = preset(name).replace(licence="MIT")
    stated = writing.config(contract)
    assert stated["model_cfg"]["quick_gelu"] == (contract.text.tower.activation == "quickgelu")
    back = config.read(json.loads(json.dumps(stated)), Path("elsewhere"), "here")
    assert back.replace(provenance=contract.provenance, score=contract.score) == contract


def test_every_number_that_decides_is_written() -> None:
    stated = writing.config(preset("ViT-B-32"))
    assert set(stated["preprocess_cfg"]) == {"size", "mode", "mean", "std", "interpolation", "resize_mode"}
    assert stated["model_cfg"]["quick_gelu"] is True


def odd(**text: Any) -> Contract:
    base = preset("ViT-B-32")
    return base.replace(text=dataclasses.replace(base.text, **text))


def test_odd_sizes_and_heads_are_written_and_read_back() -> None:
    tower = CausalText(49408, 96, 2, 3, 101, "gelu_tanh", "none", 1e-3, NoHead())
    base = preset("ViT-B-32")
    picture = ViT(100, 3, 4, 10, 333, "gelu_tanh", pool="mean", norm_pre=False, norm_eps=1e-6)
    contract = base.replace(
        image=dataclasses.replace(base.image, tower=picture, size=(40, 60), alpha="drop", convert="first"),
        text=dataclasses.replace(base.text, tower=tower, pool="last", clean="canonicalize"),
        embedding=96,
    )
    back = config.read(writing.config(contract), Path("x"), "here")
    assert back.replace(provenance=contract.provenance, score=contract.score) == contract


def test_colours_are_converted_last_unless_the_contract_says_otherwise() -> None:
    stated = writing.config(preset("ViT-B-32"))
    assert "convert" not in stated["contralto"]
    assert config.read(stated, Path("x"), "here").image.convert == "last"
    stated["contralto"]["convert"] = "between"
    with pytest.raises(ContraltoError, match="convert = 'between': it is last or first"):
        config.read(stated, Path("x"), "here")


@pytest.mark.parametrize("clean", ["none", "lower", "siglip"])
def test_a_cleaning_without_a_name_is_not_written(clean: str) -> None:
    with pytest.raises(ContraltoError, match="no name for the cleaning"):
        writing.config(odd(clean=clean))


@pytest.mark.parametrize("name", ["nano", "align-base"])
def test_towers_without_fields_are_not_written(name: str) -> None:
    with pytest.raises(ContraltoError, match="open_clip has no fields for its"):
        writing.config(preset(name))


def test_timms_names_lead_to_towers_of_presets_and_back() -> None:
    for one in TRUNKS:
        contract = preset(one.preset)
        for size in one.sizes or (contract.image.size[0],):
            name = one.name.format(size=size)
            tower = trunk(name, one.pool, one.projection, (size, size))
            assert tower is not None
            fields = trunk_of(tower, (size, size))
            assert fields is not None
            assert trunk(fields["timm_model_name"], fields["timm_pool"], fields["timm_proj"], (size, size)) == tower
    assert trunk("vit_base_patch16_siglip_224", "map", "none", (225, 225)) is None
    assert trunk("vit_base_patch16_siglip_224", "avg", "none", (224, 224)) is None
    assert trunk_of(ResNet((1, 1, 1, 1), 8, 4), (64, 64)) is None
