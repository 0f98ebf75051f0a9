"""CLIP as a whole: counts, names, first weights, seeds, score rules, and what callers may rely on."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from support import plain_towers as plain

from contralto.architecture import (
    Bert,
    CausalText,
    ConvNeXt,
    EfficientNet,
    Eva,
    MlpHead,
    NoHead,
    ResidualHead,
    ResNet,
    Stage,
    ViT,
)
from contralto.contract import Contract, Image, Score, Text, TokenizerSpec, preset, presets
from contralto.errors import ContractError
from contralto.model.clip import CLIP, create
from contralto.weights.names import expected

TOKENIZER = TokenizerSpec("clip-bpe", "0" * 64)
STAGES = (Stage(1, 3, 1, 8, 1), Stage(4, 5, 2, 12, 2))
IMAGE_TOWERS = {
    "vit": ViT(32, 2, 4, 8, 64, "quickgelu"),
    "clipa": ViT(32, 2, 4, 8, 64, "gelu", "mean", norm_pre=False),
    "siglip": ViT(16, 2, 2, 8, 40, "gelu_tanh", "attention", False, True, False, 1e-6, NoHead()),
    "resnet": ResNet((1, 1, 2, 1), 8, 4),
    "efficientnet": EfficientNet(8, STAGES, 24, "relu6", head=ResidualHead(16)),
    "efficientnet-squeeze": EfficientNet(8, STAGES, 24, "silu", squeeze=4),
    "eva": Eva(24, 2, 3, 8, 20, grid=4),
    "convnext": ConvNeXt((1, 1, 2, 1), (8, 12, 16, 20), head=MlpHead(24)),
}
TEXT_TOWERS = {
    "causal": (CausalText(60, 32, 2, 4, 64, "quickgelu"), "eot"),
    "mean": (Bert(60, 32, 2, 4, 64, head=ResidualHead(16)), "mean"),
    "first": (Bert(60, 32, 2, 4, 64, types=2), "first"),
    "last": (CausalText(60, 32, 2, 4, 64, "gelu_tanh", mask="none"), "last"),
}
PAIRS = [("vit", "causal"), ("resnet", "first"), ("efficientnet", "mean"), ("efficientnet-squeeze", "causal")]
PAIRS += [("clipa", "last"), ("siglip", "last"), ("eva", "causal"), ("convnext", "causal")]
END = 59


def contract(image: str = "vit", text: str = "causal", rule: str = "softmax") -> Contract:
    tower, pool = TEXT_TOWERS[text]
    side = Image(IMAGE_TOWERS[image], (32, 32), (0.5,) * 3, (0.5,) * 3)
    return Contract("test", side, Text(tower, TOKENIZER, context=12, pool=pool), embedding=16, score=Score(rule))


def pictures(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def texts(lengths: list[int], width: int) -> torch.Tensor:
    """Rows of random ids that end with END and are filled with 0."""
    ids = torch.randint(1, END, (len(lengths), width), generator=torch.Generator().manual_seed(2))
    for row, length in zip(ids, lengths, strict=True):
        row[length - 1] = END
        row[length:] = 0
    return ids


@pytest.mark.parametrize(
    ("name", "total", "image", "text"),
    [  # counted from the released weights, EVA-02 and ConvNeXt in open_clip; running statistics are no parameters
        ("RN50", 102_007_137, 38_316_896, 63_690_240),
        ("RN101", 119_688_033, 56_259_936, 63_428_096),
        ("RN50x4", 178_300_601, 87_137_080, 91_163_520),
        ("RN50x16", 290_979_217, 167_328_912, 123_650_304),
        ("RN50x64", 623_258_305, 420_380_352, 202_877_952),
        ("ViT-B-32", 151_277_313, 87_849_216, 63_428_096),
        ("ViT-B-16", 149_620_737, 86_192_640, 63_428_096),
        ("ViT-L-14", 427_616_513, 303_966_208, 123_650_304),
        ("ViT-L-14-336", 427_944_193, 304_293_888, 123_650_304),
        ("EVA02-B-16", 149_691_137, 86_263_040, 63_428_096),
        ("EVA02-L-14", 427_755_457, 304_105_152, 123_650_304),
        ("EVA02-L-14-336", 428_083_137, 304_432_832, 123_650_304),
        ("convnext_base", 151_518_849, 88_090_752, 63_428_096),
        ("convnext_base_w", 179_385_345, 88_221_824, 91_163_520),
        ("convnext_base_w_320", 179_385_345, 88_221_824, 91_163_520),
        ("convnext_large_d", 351_772_609, 199_770_816, 152_001_792),
        ("convnext_large_d_320", 351_772_609, 199_770_816, 152_001_792),
        ("convnext_xxlarge", 1_200_576_385, 846_543_744, 354_032_640),
    ],
)
def test_parameter_counts(name, total, image, text):
    with torch.device("meta"):
        clip = CLIP(preset(name))
    counts = [sum(p.numel() for p in module.parameters()) for module in (clip, clip.image, clip.text)]
    assert counts == [total, image, text]


@pytest.mark.parametrize("stated", [*map(preset, presets()), *(contract(*p) for p in PAIRS)], ids=lambda c: c.name)
def test_state_dict_has_the_names_and_shapes_of_the_weight_file(stated):
    with torch.device("meta"):
        clip = CLIP(stated)
    assert {name: tuple(value.shape) for name, value in clip.state_dict().items()} == expected(stated)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_create_is_reproducible_and_leaves_the_global_generator_alone(pair):
    before = torch.get_rng_state()
    one, other, third = (create(contract(*pair), seed=seed)[0].state_dict() for seed in (4, 4, 5))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    fourth = create(contract(*pair), seed=4)[0].state_dict()
    torch.set_rng_state(before)
    assert all(torch.equal(one[name], other[name]) and torch.equal(one[name], fourth[name]) for name in one)
    matrices = [name for name in one if one[name].ndim > 1]
    assert all(not torch.equal(one[name], third[name]) for name in matrices)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_create_sets_every_value(pair):
    torch.use_deterministic_algorithms(True)  # memory that nobody wrote is then filled with NaN
    try:
        assert torch.empty(3).isnan().all()
        clip, _ = create(contract(*pair))
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(value.isfinite().all() for value in clip.state_dict().values())
    assert not clip.training
    assert all(p.requires_grad and p.dtype == torch.float32 for p in clip.parameters())
    assert clip.logit_scale.item() == pytest.approx(math.log(1 / 0.07))


def test_initialisation_has_the_deviations_of_the_paper():
    """The table of the released code, for W = 128 wide pictures and 256 wide texts, 3 layers."""
    stated = Contract(
        "wide",
        Image(ViT(128, 3, 2, 8, 512, "quickgelu"), (64, 64), (0.5,) * 3, (0.5,) * 3),
        Text(CausalText(5000, 256, 3, 4, 1024, "quickgelu"), TOKENIZER, context=77),
        embedding=128,
    )
    state = create(stated)[0].state_dict()
    deviations = {
        "text.tokens.weight": 0.02,
        "text.positions": 0.01,
        "text.blocks.1.attention.q.weight": 256**-0.5,
        "text.blocks.1.attention.v.weight": 256**-0.5,
        "text.blocks.1.attention.out.weight": 256**-0.5 * 6**-0.5,
        "text.blocks.1.mlp.down.weight": 256**-0.5 * 6**-0.5,
        "text.blocks.1.mlp.up.weight": 512**-0.5,
        "text.head.linear.weight": 256**-0.5,
        "image.class_token": 128**-0.5,
        "image.positions": 128**-0.5,
        "image.head.linear.weight": 128**-0.5,
        "image.blocks.1.attention.k.weight": 128**-0.5 / 2**0.5,  # Glorot over (3 W, W): bound (6 / 4 W)^0.5
        "image.patch.weight": (3 * 64) ** -0.5 / 3**0.5,  # PyTorch's default, uniform
    }
    for name, std in deviations.items():
        tolerance = 4 / (2 * state[name].numel()) ** 0.5  # four standard errors
        assert state[name].std().item() == pytest.approx(std, rel=tolerance), name
    assert state["text.blocks.1.attention.q.bias"].count_nonzero() == 0
    resnet = create("RN50")[0].state_dict()
    assert resnet["image.stages.2.3.norm3.weight"].count_nonzero() == 0
    assert resnet["image.stages.2.3.norm2.weight"].eq(1).all()
    for name in ("positions", "q.weight", "out.weight"):
        assert resnet[f"image.pool.{name}"].std().item() == pytest.approx(2048**-0.5, rel=0.02)


def test_create_names_an_unknown_preset():
    with pytest.raises(ContractError, match="no preset is called 'ViT-B-33'"):
        create("ViT-B-33")


@pytest.mark.parametrize("rule", ["softmax", "sigmoid"])
def test_forward_is_scaled_cosine(rule):
    clip, stated = create(contract(rule=rule))
    assert stated.score.rule == rule
    ids = texts([3, 12, 5], 12)
    with torch.no_grad():
        images, captions = clip.encode_image(pictures()), clip.encode_text(ids)
        scale, bias = (10.0, -10.0) if rule == "sigmoid" else (1 / 0.07, 0.0)
        cosines = torch.stack([F.cosine_similarity(row[None], captions) for row in images])
        torch.testing.assert_close(clip(pictures(), ids), scale * cosines + bias)
    assert ("logit_bias" in clip.state_dict()) == (rule == "sigmoid")


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_head_maps_features_and_items_do_not_touch_each_other(pair):
    clip = plain.scramble(CLIP(contract(*pair)))
    pixels, ids = pictures(3), texts([3, 12, 5], 12)
    with torch.no_grad():
        rows = clip.encode_image(pixels), clip.encode_text(ids)
        for tower, batch, whole in zip((clip.image, clip.text), (pixels, ids), rows, strict=True):
            alone = torch.cat([tower(item[None]) for item in batch])
            torch.testing.assert_close(alone, whole, rtol=1e-4, atol=1e-5)
            if hasattr(tower, "head"):
                assert torch.equal(tower.head(tower.features(batch)), whole)


@given(
    st.sampled_from([name for name in TEXT_TOWERS if contract(text=name).text.trims]),
    st.lists(st.integers(2, 12), min_size=1, max_size=5),
)
@settings(max_examples=40, deadline=None)
def test_trimming_padding_changes_no_embedding(text, lengths):
    clip = plain.scramble(CLIP(contract(text=text)))
    ids = texts(lengths, 12)
    with torch.no_grad():
        whole, trimmed = clip.encode_text(ids), clip.encode_text(ids[:, : max(lengths)])
    torch.testing.assert_close(trimmed, whole, rtol=1e-4, atol=1e-5)


def test_causal_text_pools_at_the_first_end_and_sees_nothing_behind_it():
    clip = plain.scramble(CLIP(contract()))
    ids = texts([5], 12)
    later = ids.clone()
    later[0, 5:] = torch.tensor([7, END, 3, 9, END, 1, 2])
    earlier = ids.clone()
    earlier[0, 1] = ids[0, 1] % 50 + 1
    with torch.no_grad():
        row = clip.encode_text(ids)
        torch.testing.assert_close(clip.encode_text(later), row, rtol=1e-4, atol=1e-5)
        assert (clip.encode_text(earlier) - row).abs().max() > 0.01


def test_without_a_mask_later_tokens_count():
    """So `trims` is false for such a tower: nothing of its context may be cut off."""
    tower = CausalText(60, 32, 2, 4, 64, "gelu", mask="none")
    for stated in (contract().replace(text=Text(tower, TOKENIZER, context=12)), contract(text="last")):
        assert not stated.text.trims
        clip = plain.scramble(CLIP(stated))
        ids = texts([5], 12)
        later = ids.clone()
        later[0, 8] = 7
        with torch.no_grad():
            assert (clip.encode_text(later) - clip.encode_text(ids)).abs().max() > 0.01
            assert (clip.encode_text(ids[:, :5]) - clip.encode_text(ids)).abs().max() > 0.01


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_training_reaches_every_parameter(pair):
    clip = plain.scramble(CLIP(contract(*pair))).train()  # not `create`: a bottleneck starts with a closed last gain
    clip(pictures(4), texts([3, 12, 5, 7], 12)).log_softmax(dim=1).diagonal().sum().backward()
    untouched = [name for name, p in clip.named_parameters() if p.grad is None or not p.grad.any()]
    # The same number added to all scores of a query moves no attention weight, so some of these stay exactly zero.
    assert [name for name in untouched if not name.endswith(("attention.k.bias", "pool.k.bias"))] == []


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_autocast_and_half_stay_near_float32(pair):
    clip = create(contract(*pair), seed=2)[0]
    pixels, ids = pictures(), texts([3, 12], 12)
    with torch.no_grad():
        exact = clip.encode_image(pixels), clip.encode_text(ids)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = clip.encode_image(pixels), clip.encode_text(ids)
        low = clip.to(torch.bfloat16)
        pure = low.encode_image(pixels.bfloat16()), low.encode_text(ids)
    assert all(row.dtype == torch.bfloat16 for row in pure)
    for rows in (mixed, pure):
        for row, reference in zip(rows, exact, strict=True):
            # bfloat16 keeps 8 bits: a few parts in a thousand a layer
            assert F.cosine_similarity(row.float(), reference).min() > 0.995


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_traces_as_one_graph(pair):
    """torch.compile and torch.export need forward passes without Python that depends on values."""
    clip = create(contract(*pair), seed=3)[0]
    pixels, ids = pictures(), texts([3, 12], 12)
    program = torch.export.export(clip, (pixels, ids))
    with torch.no_grad():
        torch.testing.assert_close(program.module()(pixels, ids), clip(pixels, ids))
