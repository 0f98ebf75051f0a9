"""The registry's facts, as far as they can be checked."""

from __future__ import annotations

import re

import pytest

from contralto.contract import presets
from contralto.errors import ContraltoError
from contralto.weights import registry

# Millions of parameters as published (open_clip's tables; SigLIP: its paper's checkpoints).
PUBLISHED = {
    "RN50/openai": 102.0, "RN50x64/openai": 623.3, "ViT-L-14-336/openai": 427.9, "ViT-B-32/laion2b_s34b_b79k": 151.3,
    "ViT-B-16-plus-240/laion400m_e31": 208.4, "ViT-H-14/laion2b_s32b_b79k": 986.1, "ViT-H-14-378/dfn5b": 986.7,
    "ViT-g-14/laion2b_s34b_b88k": 1366.7, "ViT-bigG-14/laion2b_s39b_b160k": 2539.6,
    "EVA02-B-16/merged2b_s8b_b131k": 149.7,
    "EVA02-L-14/merged2b_s4b_b131k": 427.8, "convnext_base_w/laion2b_s13b_b82k_augreg": 179.4,
    "convnext_large_d_320/laion2b_s29b_b131k_ft_soup": 351.8, "convnext_xxlarge/laion2b_s34b_b82k_augreg_soup": 1200.6,
    "ViT-B-16-SigLIP/webli": 203.2, "ViT-L-16-SigLIP-256/webli": 652.2, "ViT-SO400M-14-SigLIP/webli": 877.4,
    "ViT-L-14-CLIPA/datacomp1b": 414.2, "ViT-H-14-CLIPA/datacomp1b": 968.3, "ViT-bigG-14-CLIPA/datacomp1b": 2517.2,
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_architectures_have_the_published_number_of_parameters(name: str) -> None:
    assert registry.find(name).parameters() / 1e6 == pytest.approx(PUBLISHED[name], abs=0.5)


def test_every_entry_is_a_contract() -> None:
    for name, entry in registry.entries().items():
        contract = entry.contract()
        assert contract.name == name
        assert entry.architecture in presets()
        assert entry.hub_id.count("/") == 1
        assert entry.imagenet_top1 is None or 0.3 < entry.imagenet_top1 < 0.9


def test_what_is_told_apart_by_nothing_but_the_registry() -> None:
    """The tensors are the same; activation, mean or resize differ."""
    activation = {name: registry.find(name).contract().text.tower.activation for name in registry.entries()}
    assert activation["ViT-B-32/openai"] == activation["ViT-B-16/dfn2b"] == "quickgelu"
    assert activation["ViT-L-14/dfn2b"] == activation["ViT-L-14/metaclip_fullcc"] == "quickgelu"
    assert activation["ViT-B-32/laion2b_s34b_b79k"] == activation["ViT-L-14/dfn2b_s39b"] == "gelu"
    assert registry.find("ViT-L-14/laion2b_s32b_b82k").contract().image.mean == (0.5, 0.5, 0.5)
    assert registry.find("ViT-H-14-378/dfn5b").contract().image.resize == "squash"
    assert registry.find("RN50/openai").contract().text.tower.activation == "quickgelu"


def test_unknown_names_name_the_closest() -> None:
    with pytest.raises(ContraltoError, match="is it ViT-B-32/openai"):
        registry.find("ViT-B-32/opneai")
    with pytest.raises(ContraltoError, match="is an architecture; its weights are called ViT-H-14-378/dfn5b"):
        registry.find("ViT-H-14-378")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("openai/clip-vit-base-patch32", "ViT-B-32/openai"),
        ("openai/clip-vit-large-patch14-336", "ViT-L-14-336/openai"),
        ("clip-vit-base-patch16", "ViT-B-16/openai"),
        ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "ViT-B-32/laion2b_s34b_b79k"),
        ("CLIP-ViT-H-14-laion2B-s32B-b79K", "ViT-H-14/laion2b_s32b_b79k"),
        ("timm/ViT-B-16-SigLIP", "ViT-B-16-SigLIP/webli"),
        ("TIMM/vit-b-16-siglip", "ViT-B-16-SigLIP/webli"),
        ("ViT-B/32", "ViT-B-32/openai"),
        ("vit-l/14", "ViT-L-14/openai"),
        ("ViT-L/14@336px", "ViT-L-14-336/openai"),
        ("ViT-B-32::openai", "ViT-B-32/openai"),
        ("ViT-B/32::openai", "ViT-B-32/openai"),
        ("ViT-B-32-quickgelu::openai", "ViT-B-32/openai"),
        ("ViT-B-32-quickgelu/metaclip_400m", "ViT-B-32/metaclip_400m"),
        ("RN50x4::openai", "RN50x4/openai"),
        ("vit_b_32/OpenAI", "ViT-B-32/openai"),
        ("ViT-B-32, openai", "ViT-B-32/openai"),
        ("convnext-base-w laion2b-s13b-b82k", "convnext_base_w/laion2b_s13b_b82k"),
    ],
)
def test_names_as_the_field_writes_them(written: str, name: str) -> None:
    assert registry.find(written).name == name


def test_no_two_models_are_called_alike() -> None:
    known = registry.entries()
    assert len({registry.simplified(name) for name in known}) == len(known)
    for name, entry in known.items():
        for written in (name, name.lower(), name.replace("/", "::"), entry.hub_id, *entry.also):
            assert registry.find(written).name == name


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("ViT-B-32", "is an architecture; its weights are called ViT-B-32/openai, ViT-B-32/laion400m_e32"),
        ("vit_h_14_378", "is an architecture; its weights are called ViT-H-14-378/dfn5b"),
        ("ViT-H/14", "is an architecture; its weights are called ViT-H-14/laion2b_s32b_b79k"),
        ("RN50", "is an architecture; its weights are called RN50/openai"),
        ("ViT-B-16-quickgelu", "its weights are called ViT-B-16/openai, ViT-B-16/dfn2b, ViT-B-16/metaclip_400m"),
        ("ViT-B-32-quickgelu::laion2b_s34b_b79k", "is it ViT-B-32/laion2b_s34b_b79k"),  # trained with GELU
        ("google/siglip-base-patch16-224", "hf:google/siglip-base-patch16-224 downloads it, if it is on the hub"),
        ("nobody/nothing", "hf:nobody/nothing downloads it"),
        ("vit-b-32/opneai", "is it ViT-B-32/openai"),
        ("siglip", "is it ViT-B-16-SigLIP/webli"),
        ("models/of/mine", "there is no folder or file 'models/of/mine'"),
        ("./mine", "there is no folder or file './mine'"),
        ("mine/weights.pt", "there is no folder or file"),
        ("~/mine", "is not expanded"),
        ("https://example.org/model.pt", "is a web address: download it first"),
        ("", "is it nano?"),
    ],
)
def test_a_name_that_no_model_has_is_answered_with_what_to_do(written: str, said: str) -> None:
    with pytest.raises(ContraltoError, match=re.escape(said)) as caught:
        registry.find(written)
    assert "\n" not in str(caught.value)
