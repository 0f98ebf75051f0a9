"""Small contracts of every tower and head, with random weights and batches: what the engines are compared on."""

from __future__ import annotations

import numpy as np

from contralto.architecture import (
    Bert,
    CausalText,
    EfficientNet,
    ImageTower,
    LinearHead,
    ResidualHead,
    ResNet,
    Stage,
    TextTower,
    ViT,
)
from contralto.contract import Contract, Image, Score, Text, Tokenizer
from contralto.weights.names import expected


def contract(image: ImageTower, size: tuple[int, int], text: TextTower, pool: str = "eot", pad: int = 0) -> Contract:
    tokenizer = Tokenizer("clip-bpe", "0" * 64)
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
    "vit, residual, sigmoid": contract(
        ViT(16, 1, 4, 4, 32, "gelu", head=ResidualHead(8)), (8, 8), CausalText(50, 16, 1, 2, 32, "gelu")
    ).replace(score=Score("sigmoid", 10.0, -10.0)),
}


def random_arrays(contract: Contract, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights under which no activation vanishes or explodes; vectors named weight are gains and positive."""
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


def ids(contract: Contract, count: int = 3, length: int = 7) -> np.ndarray:
    """Texts of all lengths up to `length`, the largest id at the end of each (and once more in the first), padded."""
    random = np.random.default_rng(2)
    rows = np.full((count, length), contract.text.pad, np.int64)
    for row, text in enumerate(rows):
        used = length - row % (length - 2)
        text[:used] = random.integers(2, 40, used)
        text[used - 1] = 49
    rows[:1, 2] = 49
    return rows
