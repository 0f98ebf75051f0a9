"""SigLIP and SigLIP 2: unit embeddings and logits equal to transformers' models with the same random weights.

SigLIP 2 of a fixed resolution is the same architecture, and its files say "siglip" too. transformers' Siglip2Model is
the one for pictures of any shape (NaFlex), which a contract cannot state; at its own grid it is equal again.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from support import plain_towers as plain

from contralto.architecture import CausalText, LinearHead, NoHead, ViT
from contralto.contract import Contract, Image, Score, Text, TokenizerSpec
from contralto.model.clip import CLIP, create

BOUND = 1e-5  # float32; both sum in other orders
PAD = 1  # SigLIP's end token, with which it fills up


def siglip(size: int = 32, text_width: int = 48) -> Contract:
    """text_width: other than the pictures', as in SigLIP 2's largest."""
    image = ViT(
        width=48,
        layers=3,
        heads=4,
        patch=8,
        mlp=90,
        activation="gelu_tanh",
        pool="attention",
        class_token=False,
        patch_bias=True,
        norm_pre=False,
        norm_eps=1e-6,
        head=NoHead(),
    )
    text = CausalText(100, text_width, 2, 3, 80, "gelu_tanh", mask="none", norm_eps=1e-6, head=LinearHead(bias=True))
    return Contract(
        name="small siglip",
        image=Image(image, (size, size), (0.5,) * 3, (0.5,) * 3, resize="squash"),
        text=Text(text, TokenizerSpec("sentencepiece", "0" * 64, "m"), 16, PAD, "canonicalize", "end", "last"),
        embedding=48,
        score=Score("sigmoid", 10.0, -10.0),
    )


@pytest.mark.parametrize(
    "contract",
    [siglip(), siglip(text_width=60), siglip(size=38)],  # 38: the last 6 rows and columns make no patch
    ids=["one width", "two widths", "odd size"],
)
def test_equals_transformers_siglip(contract):
    ours = plain.scramble(CLIP(contract))
    theirs = transformers_siglip(contract)
    theirs.load_state_dict(their_state(ours), strict=True)
    pixels, ids = batch(contract)
    with torch.no_grad():
        expected = theirs(input_ids=ids, pixel_values=pixels)
        equal(ours.encode_image(pixels), expected.image_embeds)
        equal(ours.encode_text(ids), expected.text_embeds)
        torch.testing.assert_close(ours(pixels, ids), expected.logits_per_image, rtol=1e-4, atol=1e-4)


def test_equals_transformers_siglip2_at_its_own_grid():
    import transformers

    contract = siglip()
    ours = plain.scramble(CLIP(contract))
    vision, text = _configs(contract)
    vision["num_patches"] = 16
    theirs = transformers.Siglip2Model(transformers.Siglip2Config(vision_config=vision, text_config=text)).eval()
    state = their_state(ours)
    patch = "vision_model.embeddings.patch_embedding.weight"
    state[patch] = state[patch].permute(0, 2, 3, 1).flatten(1)  # a linear map of the pixels, channels last
    theirs.load_state_dict(state, strict=True)
    pixels, ids = batch(contract)
    patches = pixels.unfold(2, 8, 8).unfold(3, 8, 8)  # (N, 3, 4, 4, 8, 8)
    patches = patches.permute(0, 2, 3, 4, 5, 1).reshape(len(pixels), 16, -1)
    grid = {
        "pixel_attention_mask": torch.ones(len(pixels), 16, dtype=torch.long),
        "spatial_shapes": torch.full((len(pixels), 2), 4),
    }
    with torch.no_grad():
        expected = theirs(input_ids=ids, pixel_values=patches, **grid)
        equal(ours.encode_image(pixels), expected.image_embeds)
        equal(ours.encode_text(ids), expected.text_embeds)


def test_first_weights():
    """The pictures' by Glorot's bounds and without biases; the sigmoid's own scale and bias."""
    state = create(siglip())[0].state_dict()
    assert all(not value.any() for name, value in state.items() if name.startswith("image.") and name.endswith("bias"))
    for name, inputs, outputs in (
        ("blocks.1.attention.q.weight", 48, 48),
        ("blocks.1.mlp.up.weight", 48, 90),
        ("pool.v.weight", 48, 48),
        ("pool.mlp.down.weight", 90, 48),
        ("pool.query", 1, 48),
    ):
        bound = (6 / (inputs + outputs)) ** 0.5
        assert 0.9 * bound < state[f"image.{name}"].abs().max() <= bound
    assert state["image.positions"].std().item() == pytest.approx(48**-0.5, rel=0.1)
    assert state["logit_scale"].exp().item() == pytest.approx(10)
    assert state["logit_bias"].item() == -10


def equal(ours: torch.Tensor, expected: torch.Tensor) -> None:
    assert (F.normalize(ours, dim=-1) - expected).abs().max() < BOUND
    assert expected.std(dim=0).mean() > 100 * BOUND  # the rows differ


def batch(contract: Contract) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures, and texts that end with PAD and are filled up with it."""
    generator = torch.Generator().manual_seed(5)
    pixels = torch.randn(3, 3, *contract.image.size, generator=generator)
    ids = torch.randint(2, contract.text.tower.vocabulary, (3, contract.text.context), generator=generator)
    for row, length in zip(ids, (1, 7, contract.text.context), strict=True):
        row[length - 1 :] = PAD
    return pixels, ids


def transformers_siglip(contract: Contract) -> torch.nn.Module:
    import transformers

    vision, text = _configs(contract)
    vision["image_size"] = contract.image.size[0]
    return transformers.SiglipModel(transformers.SiglipConfig(vision_config=vision, text_config=text)).eval()


def _configs(contract: Contract) -> tuple[dict[str, object], dict[str, object]]:
    """What stays away is what their defaults say: gelu_pytorch_tanh, eps 1e-6."""
    vision, text = (
        {
            "hidden_size": tower.width,
            "intermediate_size": tower.mlp,
            "num_hidden_layers": tower.layers,
            "num_attention_heads": tower.heads,
        }
        for tower in (contract.image.tower, contract.text.tower)
    )
    vision["patch_size"] = contract.image.tower.patch
    text |= {
        "vocab_size": contract.text.tower.vocabulary,
        "max_position_embeddings": contract.text.context,
        "projection_size": contract.embedding,
    }
    return vision, text


def their_state(ours: CLIP) -> dict[str, torch.Tensor]:
    state = {_their_name(name): value for name, value in ours.state_dict().items()}
    pool = "vision_model.head"
    for part in ("weight", "bias"):  # their pool is PyTorch's own attention, with q, k, v in one
        fused = torch.cat([state.pop(f"{pool}.{letter}.{part}") for letter in "qkv"])
        state[f"{pool}.attention.in_proj_{part}"] = fused
    state[f"{pool}.probe"] = state[f"{pool}.probe"][None, None]
    return state | {name: state[name][None] for name in ("logit_scale", "logit_bias")}


def _their_name(name: str) -> str:
    side = "vision" if name.startswith("image.") else "text"
    if name in ("logit_scale", "logit_bias"):
        return name
    name = name.removeprefix("image.").removeprefix("text.")
    for ours, theirs in (
        ("head.linear", "head"),
        ("pool.query", "head.probe"),
        ("pool.out", "head.attention.out_proj"),
        ("pool.norm", "head.layernorm"),
        ("pool.", "head."),
        ("patch.", "embeddings.patch_embedding."),
        ("positions", "embeddings.position_embedding.weight"),
        ("tokens.", "embeddings.token_embedding."),
        ("norm_post", "post_layernorm" if side == "vision" else "final_layer_norm"),
        ("blocks.", "encoder.layers."),
        ("norm1", "layer_norm1"),
        ("norm2", "layer_norm2"),
        ("attention.out.", "self_attn.out_proj."),
        ("mlp.up", "mlp.fc1"),
        ("mlp.down", "mlp.fc2"),
    ):
        name = name.replace(ours, theirs)
    for letter in "qkv":
        name = name.replace(f"attention.{letter}.", f"self_attn.{letter}_proj.")
    return f"{side}_model.{name}"
