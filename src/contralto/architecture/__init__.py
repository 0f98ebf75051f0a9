"""Architectures as data: towers and heads as frozen dataclasses, without torch.

Read `towers.py` (the dataclasses), then `codec.py` (strict conversion from and to JSON). `presets/*.json` are whole
contracts without weights, one file per model; `contralto.contract.preset` reads them.
"""

from contralto.architecture.towers import (
    Bert,
    CausalText,
    ConvNeXt,
    EfficientNet,
    Eva,
    FastStage,
    FastViT,
    Head,
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

__all__ = [
    "Bert",
    "CausalText",
    "ConvNeXt",
    "EfficientNet",
    "Eva",
    "FastStage",
    "FastViT",
    "Head",
    "ImageTower",
    "LinearHead",
    "MlpHead",
    "NoHead",
    "ResNet",
    "ResidualHead",
    "Stage",
    "TextTower",
    "ViT",
]
