"""Names and shapes of a detector's heads."""

from __future__ import annotations

from contralto.contract import Detector
from contralto.weights.names.parts import Shapes, linear, norm, under


def detector(spec: Detector, width: int, embedding: int) -> Shapes:
    """Names below `image.detector`. They stand in the image tower, since an engine loads a tower by its prefix."""
    shapes = under("norm", norm(width)) | under("row", linear(width, embedding))
    shapes |= under("shift", linear(width, 1)) | under("scale", linear(width, 1))
    shapes |= under("box", _mlp(width, 4))
    return shapes | (under("objectness", _mlp(width, 1)) if spec.objectness else {})


def _mlp(width: int, outputs: int) -> Shapes:
    """Three maps with GELU between."""
    layers = {"0": linear(width, width), "1": linear(width, width), "2": linear(width, outputs)}
    return {f"{number}.{name}": shape for number, one in layers.items() for name, shape in one.items()}
