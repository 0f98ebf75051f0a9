"""What a model is made of, as data: towers and heads as frozen dataclasses. Nothing is built here, torch is not needed.

Read `towers.py` (the parts), then `codec.py` (parts <-> JSON, strictly). `presets/*.json` are whole contracts
without weights, one file a model; `contralto.contract.preset` reads them.
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
