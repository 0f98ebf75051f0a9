"""timm's names of image towers: all of them, with their shapes, and a round trip bit for bit."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest

from contralto.architecture import ConvNeXt, Eva, LinearHead, MlpHead, NoHead, ResidualHead, ViT
from contralto.architecture.towers import ImageTower
from contralto.contract import Contract, preset
from contralto.weights.checkpoint import StoredTensor
from contralto.weights.layouts import timm
from contralto.weights.layouts.conversion import Part, export_tensors, foreign_shapes, import_tensors
from contralto.weights.names import Shape, expected

SIGLIP = ViT(24, 2, 3, 8, 40, "gelu_tanh", "attention", False, True, False, 1e-6, NoHead())
CLASS = ViT(24, 2, 3, 8, 48, "gelu", patch_bias=True, head=LinearHead(bias=True))
CONVNEXT = ConvNeXt((1, 2, 1, 1), (8, 12, 16, 20))
SMALL: dict[str, ImageTower] = {
    "eva": Eva(24, 2, 3, 8, 20, grid=4),
    "convnext": CONVNEXT,
    "convnext, mlp": dataclasses.replace(CONVNEXT, head=MlpHead(10)),
    "siglip": SIGLIP,
    "class token": CLASS,
    "stem of convolutions": dataclasses.replace(CLASS, norm_pre=False, class_position=False, stem="convolutions"),
}


def small(tower: ImageTower) -> Contract:
    tiny = preset("tiny")
    embedding = tower.width if isinstance(tower, ViT) else tiny.embedding
    return tiny.replace(image=dataclasses.replace(tiny.image, tower=tower, size=(32, 32)), embedding=embedding)


def layout(contract: Contract) -> tuple[list[Part], dict[str, Shape]]:
    parts = timm.parts(contract)
    assert parts is not None
    return parts, {name: shape for name, shape in expected(contract).items() if name.startswith("image.")}


@pytest.mark.parametrize(
    ("name", "count", "digest"),  # open_clip 3.3.0's models with timm 1.0.31, without num_batches_tracked
    [
        ("EVA02-B-16", 260, "56d4f60e23a1a727"),
        ("EVA02-L-14", 512, "5d4cbd6cf16574bc"),
        ("EVA02-L-14-336", 512, "d70ca22f4604e4fa"),
        ("convnext_base", 343, "d0315c6465846290"),
        ("convnext_base_w", 343, "b4872f6989ffa98c"),
        ("convnext_base_w_320", 343, "b4872f6989ffa98c"),
        ("convnext_large_d", 345, "d29a6ade80040607"),
        ("convnext_large_d_320", 345, "d29a6ade80040607"),
        ("convnext_xxlarge", 379, "c788528942d9b15a"),
        ("ViT-B-16-SigLIP", 162, "cd17ec32f3ba41fe"),
        ("ViT-SO400M-14-SigLIP2-378", 342, "2436b56fb7e95489"),
        ("ViT-gopt-16-SigLIP2-384", 498, "d29a065a9ec13a68"),
        ("MobileCLIP-B", 162, "f5f0cd332124698a"),
        ("MobileCLIP2-L-14", 297, "7d5d9c723db02a17"),
    ],
)
def test_names_and_shapes_are_timms(name: str, count: int, digest: str) -> None:
    lines = sorted(f"{foreign} {shape}" for foreign, shape in foreign_shapes(*layout(preset(name))).items())
    assert len(lines) == count
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] == digest


@pytest.mark.parametrize("tower", SMALL.values(), ids=SMALL)
def test_round_trip(tower: ImageTower) -> None:
    parts, shapes = layout(small(tower))
    random = np.random.default_rng(0)
    foreign = {
        name: StoredTensor("BF16", random.integers(0, 30_000, shape).astype(np.uint16))
        for name, shape in foreign_shapes(parts, shapes).items()
    }
    native = import_tensors(foreign, parts, shapes, "file")
    assert {name: stored.shape for name, stored in native.items()} == shapes
    back = export_tensors(native, parts, "file")
    assert back.keys() == foreign.keys()
    for name, stored in foreign.items():
        assert back[name].dtype == "BF16"
        assert np.array_equal(back[name].array, stored.array)


@pytest.mark.parametrize(
    ("tower", "foreign", "native"),
    [
        ("siglip", "blocks.1.attn.qkv", [f"blocks.1.attention.{kind}" for kind in "qkv"]),
        ("siglip", "attn_pool.kv", ["pool.k", "pool.v"]),
        ("eva", "blocks.1.attn.q_proj", ["blocks.1.attention.q"]),
        ("eva", "blocks.1.attn.v_proj", ["blocks.1.attention.v"]),
        ("eva", "blocks.1.mlp.fc1_g", ["blocks.1.mlp.gate"]),
        ("eva", "blocks.1.mlp.fc1_x", ["blocks.1.mlp.up"]),
        ("convnext", "stages.1.blocks.1.norm", ["stages.1.blocks.1.norm"]),
    ],
)
def test_tensors_of_one_shape_are_not_mixed_up(tower: str, foreign: str, native: list[str]) -> None:
    """A tensor filled with rising numbers arrives at its own place, in this order, and nowhere else."""
    parts, shapes = layout(small(SMALL[tower]))
    zeros = {
        name: StoredTensor("F32", np.zeros(shape, np.float32)) for name, shape in foreign_shapes(parts, shapes).items()
    }
    name = f"visual.trunk.{foreign}.bias"
    rising = np.arange(1, zeros[name].shape[0] + 1, dtype=np.float32)
    ours = import_tensors(zeros | {name: StoredTensor("F32", rising)}, parts, shapes, "file")
    assert {n for n, stored in ours.items() if stored.array.any()} == {f"image.{own}.bias" for own in native}
    assert np.array_equal(np.concatenate([ours[f"image.{own}.bias"].array for own in native]), rising)


@pytest.mark.parametrize(
    "tower",
    [
        dataclasses.replace(SMALL["eva"], head=LinearHead()),
        dataclasses.replace(CONVNEXT, head=LinearHead(bias=True)),
        dataclasses.replace(CONVNEXT, head=ResidualHead(10)),
        dataclasses.replace(CLASS, head=LinearHead()),
        dataclasses.replace(SIGLIP, pool="mean"),
    ],
    ids=["eva", "convnext, bias", "convnext, residual", "vit, no bias", "vit, mean"],
)
def test_towers_that_open_clip_does_not_build_have_no_layout(tower: ImageTower) -> None:
    assert timm.parts(small(tower)) is None
