"""EVA-02's Transformer as a graph; mirrors contralto.model.eva."""

from __future__ import annotations

import numpy as np

from contralto.architecture import Eva
from contralto.engine.graph.layers import Layers

ROTARY_TEMPERATURE = 10_000


def eva(layers: Layers, tower: Eva, pixels: str, size: tuple[int, int]) -> str:
    """pixels (N, 3, h, w), size = (h, w) -> embeddings (N, E)."""
    x = _block(layers, tower, tower.layers - 1, *_grid(layers, tower, pixels, size))
    x = layers.node("Gather", x, layers.constant(0), axis=1)  # (N, W)
    return layers.head("image.head", tower.head, layers.layer_norm("image.norm_post", x, tower.norm_eps))


def eva_grid(layers: Layers, tower: Eva, pixels: str, size: tuple[int, int]) -> str:
    """pixels (N, 3, h, w), size = (h, w) -> the tokens that the last block reads (N, L, W)."""
    return _grid(layers, tower, pixels, size)[0]


def _grid(layers: Layers, tower: Eva, pixels: str, size: tuple[int, int]) -> tuple[str, _RotaryPositions]:
    x = layers.patches("image.patch", pixels, size, tower.patch)  # (N, L, W)
    count = layers.node("Shape", pixels, start=0, end=1)
    shape = layers.node("Concat", count, layers.constant([1, tower.width]), axis=0)
    first = layers.node("Expand", layers.weight("image.class_token"), shape)
    x = layers.node("Add", layers.node("Concat", first, x, axis=1), layers.weight("image.positions"))
    rotary = _RotaryPositions(layers, tower, size)
    for n in range(tower.layers - 1):
        x = _block(layers, tower, n, x, rotary)
    return x, rotary


def _block(layers: Layers, tower: Eva, index: int, x: str, rotary: _RotaryPositions) -> str:
    """(N, L, W) -> (N, L, W)."""
    name = f"image.blocks.{index}"
    normed = layers.layer_norm(f"{name}.norm1", x, tower.norm_eps)
    x = layers.node("Add", x, _attention(layers, tower, f"{name}.attention", normed, rotary))
    normed = layers.layer_norm(f"{name}.norm2", x, tower.norm_eps)
    return layers.node("Add", x, _gated_mlp(layers, tower, f"{name}.mlp", normed))


class _RotaryPositions:
    """x cos + (x quarter_turn) sin, where `quarter_turn` maps each pair (a, b) of a head to (-b, a)."""

    def __init__(self, layers: Layers, tower: Eva, size: tuple[int, int]) -> None:
        width = tower.width // tower.heads
        angles = rotary_angles((size[0] // tower.patch, size[1] // tower.patch), tower.grid, width)
        quarter_turn = np.zeros((width, width), np.float32)
        for pair in range(0, width, 2):
            quarter_turn[pair + 1, pair], quarter_turn[pair, pair + 1] = -1, 1
        self._layers, self._width, self._heads = layers, tower.width, tower.heads
        self._cosine, self._sine = (layers.constant(table[:, None, :]) for table in (np.cos(angles), np.sin(angles)))
        self._quarter_turn = layers.constant(quarter_turn)

    def __call__(self, x: str) -> str:
        """(N, L, W) -> (N, L, W)."""
        node, constant = self._layers.node, self._layers.constant
        x = node("Reshape", x, constant([0, 0, self._heads, self._width // self._heads]))  # (N, L, H, D)
        turned = node("Mul", node("MatMul", x, self._quarter_turn), self._sine)
        x = node("Add", node("Mul", x, self._cosine), turned)
        return node("Reshape", x, constant([0, 0, self._width]))


def rotary_angles(cells: tuple[int, int], grid: int, width: int) -> np.ndarray:
    """float64 (1 + cells, width): the angle of each number; a pair shares one.

    The first half of a head turns by the row of its cell, the other half by the column.
    """
    angles = np.zeros((1 + cells[0] * cells[1], width))
    for row in range(cells[0]):
        for column in range(cells[1]):
            positions = (row / cells[0] * grid, column / cells[1] * grid)
            for half, position in enumerate(positions):
                for band in range(width // 4):
                    begin = half * (width // 2) + 2 * band
                    angle = position * ROTARY_TEMPERATURE ** (-band / (width // 4))
                    angles[1 + row * cells[1] + column, begin : begin + 2] = angle
    return angles


def _attention(layers: Layers, tower: Eva, name: str, x: str, rotary: _RotaryPositions) -> str:
    q, k = (rotary(layers.linear(f"{name}.{part}", x)) for part in ("q", "k"))
    attended = layers.attend(q, k, layers.linear(f"{name}.v", x), tower.width, tower.heads)
    return layers.linear(f"{name}.out", layers.layer_norm(f"{name}.norm", attended, tower.norm_eps))


def _gated_mlp(layers: Layers, tower: Eva, name: str, x: str) -> str:
    gate = layers.activation("silu", layers.linear(f"{name}.gate", x))
    x = layers.node("Mul", gate, layers.linear(f"{name}.up", x))
    return layers.linear(f"{name}.down", layers.layer_norm(f"{name}.norm", x, tower.norm_eps))
