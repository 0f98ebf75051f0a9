"""ALIGN equal to transformers' AlignModel with the same random weights: unit rows of both towers, and the logits.

Bound: 1e-5, as for every architecture that transformers has. Where it has ALIGN's names in an order of its own, the
text tower, they are mapped; its picture tower lists its layers in the order of computing, as ours does.
"""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from support import plain_towers as plain

from contralto.architecture import Bert, EfficientNet, LinearHead, NoHead, Stage
from contralto.contract import Contract, Image, Score, Text, TokenizerSpec
from contralto.model.clip import CLIP

HALF = (0.5, 0.5, 0.5)
STAGES = (Stage(1, 3, 1, 16, 2), Stage(6, 3, 2, 24, 3), Stage(6, 5, 2, 32, 2), Stage(6, 5, 1, 40, 2))
TEMPERATURE, EMBEDDING, PAD, CONTEXT, POSITIONS, VOCABULARY = 0.05, 40, 0, 12, 20, 60


def contract(size: int) -> Contract:
    image = EfficientNet(stem=8, stages=STAGES, top=0, activation="silu", squeeze=4, padding="even", head=NoHead())
    text = Bert(VOCABULARY, 16, 2, 2, 32, types=2, positions=POSITIONS, head=LinearHead(bias=True))
    prepared = Text(text, TokenizerSpec("wordpiece", "0" * 64), CONTEXT, PAD, "none", pool="first")
    pictures = Image(image, (size, size), HALF, HALF, "squash", "bilinear")
    return Contract("small", pictures, prepared, EMBEDDING, Score(scale=1 / TEMPERATURE))


# Odd at every stride, as 289 is at the first; even; odd later on; an even side whose half is odd.
@pytest.mark.parametrize("size", [63, 64, 61, 66])
def test_equals_transformers(size: int) -> None:
    ours = plain.scramble(CLIP(contract(size)))
    with torch.no_grad():
        ours.logit_scale.fill_(-math.log(TEMPERATURE))
    theirs = transformers_align(ours)
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(3, 3, size, size, generator=generator)
    ids = torch.randint(1, VOCABULARY, (4, CONTEXT), generator=generator)
    real = torch.arange(CONTEXT) < torch.tensor([2, 5, 9, CONTEXT])[:, None]
    ids[~real] = PAD
    with torch.no_grad():
        expected = theirs(pixel_values=pixels, input_ids=ids, attention_mask=real.long())
        images, texts = ours.encode_image(pixels), ours.encode_text(ids)
        torch.testing.assert_close(F.normalize(images, dim=-1), expected.image_embeds, rtol=0, atol=1e-5)
        torch.testing.assert_close(F.normalize(texts, dim=-1), expected.text_embeds, rtol=0, atol=1e-5)
        torch.testing.assert_close(ours(pixels, ids), expected.logits_per_image, rtol=0, atol=2e-4)
    assert (expected.image_embeds[0] - expected.image_embeds[1]).abs().max() > 1e-3  # 100 x the bound


def transformers_align(ours: CLIP) -> torch.nn.Module:
    import transformers

    vision = transformers.AlignVisionConfig(
        width_coefficient=0.25,
        depth_coefficient=1.0,
        in_channels=[32, 64, 96, 128],
        out_channels=[64, 96, 128, 160],
        kernel_sizes=[stage.kernel for stage in STAGES],
        strides=[stage.stride for stage in STAGES],
        num_block_repeats=[stage.repeats for stage in STAGES],
        expand_ratios=[stage.expand for stage in STAGES],
        hidden_dim=EMBEDDING,
    )
    text = transformers.AlignTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=POSITIONS,
    )
    config = transformers.AlignConfig(text_config=text, vision_config=vision, projection_dim=EMBEDDING)
    theirs = transformers.AlignModel(config).eval()
    pictures = iter(ours.image.state_dict().values())
    state = {"temperature": (-ours.logit_scale).exp()}
    for name, value in theirs.state_dict().items():
        if name.startswith("text_model.pooler") or name.endswith("num_batches_tracked"):
            state[name] = value  # the pooler's result is not used
        elif name.startswith("vision_model."):
            state[name] = next(pictures)
    assert next(pictures, None) is None
    state |= {_their_name(name): value for name, value in ours.text.state_dict().items()}
    theirs.load_state_dict(state)
    return theirs


def _their_name(name: str) -> str:
    for ours, theirs in (
        ("head.linear", "text_projection"),
        ("blocks.", "text_model.encoder.layer."),
        ("tokens", "text_model.embeddings.word_embeddings"),
        ("positions", "text_model.embeddings.position_embeddings.weight"),
        ("types", "text_model.embeddings.token_type_embeddings.weight"),
        ("norm_embedding", "text_model.embeddings.LayerNorm"),
        ("attention.out", "attention.output.dense"),
        ("attention.q", "attention.self.query"),
        ("attention.k", "attention.self.key"),
        ("attention.v", "attention.self.value"),
        ("norm1", "attention.output.LayerNorm"),
        ("norm2", "output.LayerNorm"),
        ("mlp.up", "intermediate.dense"),
        ("mlp.down", "output.dense"),
    ):
        name = name.replace(ours, theirs)
    return name
