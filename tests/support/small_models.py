"""Small contracts of every tower and head, with random weights and batches, to compare the engines on."""

from __future__ import annotations

import numpy as np

from contralto.architecture import (
    Bert,
    CausalText,
    ConvNeXt,
    EfficientNet,
    Eva,
    FastStage,
    FastViT,
    ImageTower,
    LinearHead,
    MlpHead,
    NoHead,
    ResidualHead,
    ResNet,
    Stage,
    TextTower,
    ViT,
)
from contralto.contract import Contract, Detector, Image, Score, Text, TokenizerSpec
from contralto.weights.names import expected


def contract(image: ImageTower, size: tuple[int, int], text: TextTower, pool: str = "eot", pad: int = 0) -> Contract:
    tokenizer = TokenizerSpec("clip-bpe", "0" * 64)
    half = (0.5, 0.5, 0.5)
    prepared = Text(text, tokenizer, context=12, pad=pad, pool=pool)  # type: ignore[arg-type]
    return Contract("small", Image(image, size, half, half), prepared, 24)


CONTRACTS = {
    "vit + causal": contract(ViT(16, 2, 2, 8, 32, "quickgelu"), (32, 16), CausalText(50, 16, 2, 2, 32, "quickgelu")),
    "resnet + unmasked": contract(
        ResNet((1, 2, 1, 1), 8, 4),
        (64, 32),
        CausalText(50, 16, 2, 4, 32, "relu", mask="none", head=LinearHead(bias=True)),
    ),
    "efficientnet + bert, mean": contract(
        EfficientNet(8, (Stage(1, 3, 1, 8, 2), Stage(6, 3, 2, 12, 2), Stage(6, 5, 2, 16, 1)), 40, "silu", squeeze=4),
        (37, 50),
        Bert(50, 16, 2, 2, 32),
        pool="mean",
        pad=1,
    ),
    "lite + bert, first": contract(
        EfficientNet(8, (Stage(1, 3, 1, 8, 1), Stage(4, 5, 2, 12, 2)), 40, "relu6", head=ResidualHead(20)),
        (32, 32),
        Bert(50, 16, 1, 2, 32, "silu", head=ResidualHead(20, "relu")),
        pool="first",
    ),
    "align": contract(
        EfficientNet(
            stem=8,
            stages=(Stage(1, 3, 1, 16, 2), Stage(6, 3, 2, 20, 2), Stage(6, 5, 2, 24, 1)),
            top=0,
            activation="silu",
            squeeze=4,
            padding="even",
            head=NoHead(),
        ),
        (37, 45),
        Bert(50, 16, 2, 2, 32, types=2, positions=20, head=LinearHead(bias=True)),
        pool="first",
    ),
    "fastvit + unmasked": contract(
        FastViT(
            (FastStage(8, 1), FastStage(16, 1, squeeze=True), FastStage(32, 1, "attention", positions=True)),
            mlp=2,
            head_width=16,
        ),
        (64, 45),
        CausalText(50, 16, 1, 2, 32, "gelu", mask="none"),
    ),
    "fastvit, layer norm": contract(
        FastViT((FastStage(8, 1), FastStage(16, 1, "attention")), 2, "layer", stem_points=False, head_width=8),
        (33, 32),
        CausalText(50, 16, 1, 2, 32, "gelu"),
    ),
    "eva + causal": contract(Eva(24, 2, 3, 8, 20, 3), (24, 40), CausalText(50, 16, 1, 2, 32, "gelu")),
    "convnext + causal": contract(
        ConvNeXt((1, 2, 1, 1), (8, 12, 16, 20), head=MlpHead(10)), (32, 64), CausalText(50, 16, 1, 2, 32, "gelu")
    ),
    "vit, stem of convolutions": contract(
        ViT(16, 1, 2, 8, 32, "gelu", class_position=False, stem="convolutions", norm_pre=False),
        (16, 24),
        CausalText(50, 16, 1, 2, 32, "gelu"),
    ),
    "vit, residual, sigmoid": contract(
        ViT(16, 1, 4, 4, 32, "gelu", head=ResidualHead(8)), (8, 8), CausalText(50, 16, 1, 2, 32, "gelu")
    ).replace(score=Score("sigmoid", 10.0, -10.0)),
    "siglip": contract(
        ViT(24, 2, 3, 8, 40, "gelu_tanh", "attention", False, True, False, 1e-6, NoHead()),
        (33, 20),  # 4 x 2 patches, and pixels that do not fill one
        CausalText(50, 16, 2, 2, 32, "gelu_tanh", "none", 1e-6, LinearHead(bias=True)),
        pool="last",
        pad=1,
    ).replace(score=Score("sigmoid", 10.0, -10.0)),
    "clipa": contract(
        ViT(16, 2, 2, 8, 32, "gelu", "mean", norm_pre=False),
        (32, 16),
        CausalText(50, 16, 2, 2, 32, "gelu", "none"),
        pool="last",
    ),
    "mean of all tokens + bert, types": contract(
        ViT(16, 1, 2, 8, 32, "silu", "mean", False, True), (16, 16), Bert(50, 16, 1, 2, 32, types=2), pool="first"
    ),
    "class token before attention pool": contract(
        ViT(16, 1, 2, 8, 32, "relu", "attention"), (16, 16), CausalText(50, 16, 1, 2, 32, "relu")
    ),
    "vit, deep prompts": contract(
        ViT(16, 3, 2, 8, 32, "gelu", prompts=3, prompt_depth=2), (32, 16), CausalText(50, 16, 1, 2, 32, "gelu")
    ),
    "prompts, mean": contract(
        ViT(16, 2, 2, 8, 32, "gelu", "mean", class_token=False, prompts=2, prompt_depth=1),
        (32, 16),
        CausalText(50, 16, 1, 2, 32, "gelu"),
    ),
    "prompts, class token, attention pool": contract(
        ViT(16, 2, 2, 8, 32, "relu", "attention", prompts=2, prompt_depth=2),
        (16, 16),
        CausalText(50, 16, 1, 2, 32, "relu"),
    ),
}

# 2 x 3 cells, with pixels that do not fill one.
SEEN = Image(ViT(16, 2, 2, 8, 32, "quickgelu", head=NoHead()), (17, 24), (0.5,) * 3, (0.5,) * 3, resize="squash")
DETECTORS = {
    name: CONTRACTS["vit + causal"].replace(image=SEEN, detector=Detector(objectness))
    for name, objectness in (("owlvit", False), ("owlv2", True))
}


def random_arrays(contract: Contract, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights with which no activation vanishes or explodes. Vectors named weight are gains and positive."""
    random = np.random.default_rng(seed)
    arrays = {}
    for name, shape in expected(contract).items():
        array = random.standard_normal(shape, np.float32)
        if len(shape) > 1:
            array *= np.prod(shape[1:]) ** -0.5
        elif name.endswith(("weight", "running_var")):
            array = np.abs(array) * 0.2 + 0.8
        else:
            array = np.asarray(array * 0.2, np.float32)
        arrays[name] = array
    return arrays


def pixels(contract: Contract, count: int = 3) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, 3, *contract.image.size), np.float32)


def ids(contract: Contract, count: int = 3) -> np.ndarray:
    """ids (count, L): texts of all lengths up to 7, padded. Each ends with the largest id; the first has it twice.

    L is 7, or the context if the tower reads the padding.
    """
    random, length = np.random.default_rng(2), 7 if contract.text.trims else contract.text.context
    rows = np.full((count, length), contract.text.pad, np.int64)
    for row, text in enumerate(rows):
        used = length - row % (length - 2)
        text[:used] = random.integers(2, 40, used)
        text[used - 1] = 49
    rows[:1, 2] = 49
    return rows


def unit(embeddings: np.ndarray) -> np.ndarray:
    """Embeddings scaled to unit length. Asserts that they are finite and float32."""
    assert embeddings.dtype == np.float32
    assert np.isfinite(embeddings).all()
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
