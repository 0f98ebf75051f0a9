"""ViT and CLIP's text tower: unit embeddings equal to transformers' CLIPModel with the same random weights."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from support import plain_towers as plain

from contralto.architecture import CausalText, ViT
from contralto.contract import Contract, Image, Text, TokenizerSpec
from contralto.model.clip import CLIP, create

BOUND = 1e-5  # float32; both sum in other orders


def small(activation: str = "gelu", size: int = 32, eps: float = 1e-5, pad: int = 0) -> Contract:
    text = CausalText(100, 48, 2, 3, 64, activation, norm_eps=eps)
    return Contract(
        name="small",
        image=Image(ViT(64, 3, 4, 8, 96, activation, norm_eps=eps), (size, size), (0.5,) * 3, (0.5,) * 3),
        text=Text(text, TokenizerSpec("clip-bpe", "0" * 64), context=16, pad=pad),
        embedding=24,
    )


@pytest.mark.parametrize(
    "contract",
    [
        small("quickgelu"),
        small("gelu"),
        small("gelu_tanh"),
        small(size=37),  # 5 rows and columns of pixels make no patch
        small(eps=1e-2),
        small(pad=99),  # filled up with the end token, as OpenAI's tokenizer in transformers does
    ],
    ids=["quickgelu", "gelu", "gelu_tanh", "odd size", "eps", "pad"],
)
def test_small_equals_transformers(contract):
    _compare(plain.scramble(CLIP(contract)), contract, torch.Generator().manual_seed(5))


def test_vit_b_32_equals_transformers():
    _compare(*create("ViT-B-32", seed=1), torch.Generator().manual_seed(6))


@pytest.mark.parametrize(("other", "apart"), [("quickgelu", 100), ("gelu_tanh", 5)])
def test_the_gelus_differ(other, apart):
    """So that the comparisons above would notice the wrong one."""
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        exact, near = (plain.scramble(CLIP(small(name))).encode_image(pixels) for name in ("gelu", other))
    assert (F.normalize(exact, dim=-1) - F.normalize(near, dim=-1)).abs().max() > apart * BOUND


def _compare(ours: CLIP, contract: Contract, generator: torch.Generator) -> None:
    theirs = _transformers_clip(contract)
    theirs.load_state_dict({_their_name(name): value for name, value in ours.state_dict().items()}, assign=True)
    pixels = torch.randn(3, 3, *contract.image.size, generator=generator)
    end, context = contract.text.tower.vocabulary - 1, contract.text.context
    ids = torch.randint(1, end, (3, context), generator=generator)
    for row, length in zip(ids, (2, context // 2, context), strict=True):
        row[length - 1] = end
        row[length:] = contract.text.pad
    with torch.no_grad():
        expected = theirs(input_ids=ids, pixel_values=pixels)
        for mine, reference in (
            (ours.encode_image(pixels), expected.image_embeds),
            (ours.encode_text(ids), expected.text_embeds),
        ):
            assert (F.normalize(mine, dim=-1) - reference).abs().max() < BOUND
            assert reference.std(dim=0).mean() > 100 * BOUND  # the rows differ
        torch.testing.assert_close(ours(pixels, ids), expected.logits_per_image, rtol=1e-4, atol=1e-4)


def _transformers_clip(contract: Contract) -> torch.nn.Module:
    import transformers

    image, text = contract.image.tower, contract.text.tower
    act = {"quickgelu": "quick_gelu", "gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh"}[image.activation]
    vision_config = {
        "hidden_size": image.width,
        "intermediate_size": image.mlp,
        "num_hidden_layers": image.layers,
        "num_attention_heads": image.heads,
        "patch_size": image.patch,
        "image_size": contract.image.size[0],
        "hidden_act": act,
        "layer_norm_eps": image.norm_eps,
    }
    text_config = {
        "vocab_size": text.vocabulary,
        "hidden_size": text.width,
        "intermediate_size": text.mlp,
        "num_hidden_layers": text.layers,
        "num_attention_heads": text.heads,
        "max_position_embeddings": contract.text.context,
        "hidden_act": act,
        "layer_norm_eps": text.norm_eps,
        "bos_token_id": text.vocabulary - 2,
        "eos_token_id": text.vocabulary - 1,
        "pad_token_id": contract.text.pad,
    }
    config = transformers.CLIPConfig(
        vision_config=vision_config, text_config=text_config, projection_dim=contract.embedding
    )
    return transformers.CLIPModel(config).eval()


def _their_name(name: str) -> str:
    side = "vision" if name.startswith("image.") else "text"
    name = name.removeprefix("image.").removeprefix("text.")
    if name.startswith("head.linear"):
        return {"vision": "visual", "text": "text"}[side] + "_projection.weight"
    if name == "logit_scale":
        return name
    for ours, theirs in (
        ("patch.", "embeddings.patch_embedding."),
        ("class_token", "embeddings.class_embedding"),
        ("positions", "embeddings.position_embedding.weight"),
        ("tokens.", "embeddings.token_embedding."),
        ("norm_pre", "pre_layrnorm"),
        ("norm_post", "post_layernorm" if side == "vision" else "final_layer_norm"),
        ("blocks.", "encoder.layers."),
        ("norm1", "layer_norm1"),
        ("norm2", "layer_norm2"),
        ("attention.out", "self_attn.out_proj"),
        ("mlp.up", "mlp.fc1"),
        ("mlp.down", "mlp.fc2"),
    ):
        name = name.replace(ours, theirs)
    for letter in "qkv":
        name = name.replace(f"attention.{letter}.", f"self_attn.{letter}_proj.")
    return f"{side}_model.{name}"
