"""The heads of OWL-ViT and OWLv2 as a graph; mirrors contralto.model.detector."""

from __future__ import annotations

from contralto.architecture import ViT
from contralto.contract import Detector
from contralto.engine.graph.layers import Layers
from contralto.engine.graph.vit import SLICE_END, vit_grid

HEAD_LAYERS = 3  # of the box and the objectness head


def cell_numbers(spec: Detector, embedding: int) -> int:
    """How many numbers the heads give for each cell."""
    return embedding + (7 if spec.objectness else 6)


def detector(layers: Layers, spec: Detector, tower: ViT, pixels: str, size: tuple[int, int]) -> str:
    """pixels (N, 3, h, w), size = (h, w) -> raw cells (N, L, E + 6), or E + 7 with objectness.

    For each cell: its row (E), the shift and the scale of its logits, four numbers for its box, its objectness.
    """
    x = layers.block(f"image.blocks.{tower.layers - 1}", vit_grid(layers, tower, pixels, size), tower)
    x = layers.layer_norm("image.norm_post", x, tower.norm_eps)
    cells = layers.node("Slice", x, layers.constant([1]), layers.constant([SLICE_END]), layers.constant([1]))
    pooled = layers.node("Gather", x, layers.constant([0]), axis=1)  # (N, 1, W)
    x = layers.layer_norm("image.detector.norm", layers.node("Mul", cells, pooled), tower.norm_eps)
    outputs = [layers.linear(f"image.detector.{name}", x) for name in ("row", "shift", "scale")]
    outputs.append(_mlp(layers, "image.detector.box", x))
    if spec.objectness:
        outputs.append(_mlp(layers, "image.detector.objectness", x))
    return layers.node("Concat", *outputs, axis=-1)


def _mlp(layers: Layers, name: str, x: str) -> str:
    for n in range(HEAD_LAYERS):
        x = layers.linear(f"{name}.{n}", x if n == 0 else layers.activation("gelu", x))
    return x
