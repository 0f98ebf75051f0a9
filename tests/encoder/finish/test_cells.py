"""The ways to read cells, against loops over tokens and heads in float64."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.plain_towers import layer_norm, linear, sigmoid, softmax
from support.small_models import CONTRACTS, pixels, random_arrays

import contralto
from contralto.encoder.finish import finish_of
from contralto.engine import start
from contralto.errors import ContraltoError, ImageError
from contralto.weights.native import read, write

WITH_CLASS_TOKEN = ["vit + causal", "vit, deep prompts", "eva + causal"]
WAYS = ("plain", "maskclip", "sclip", "clearclip", "naclip")


class Plain:
    """The last block of a tower with a class token, one token and one head at a time."""

    def __init__(self, name: str, grid: np.ndarray) -> None:
        self.contract = CONTRACTS[name]
        self.tower = self.contract.image.tower
        arrays = random_arrays(self.contract).items()
        self.weights = {name: array.astype(np.float64) for name, array in arrays}
        self.places = tuple(side // self.tower.patch for side in self.contract.image.size)
        self.block, self.eps = f"image.blocks.{self.tower.layers - 1}", self.tower.norm_eps
        self.grid, self.is_eva = grid.astype(np.float64), name.startswith("eva")
        self.first = len(grid) - self.places[0] * self.places[1]

    def cells(self, how: str) -> np.ndarray:
        y = layer_norm(self.grid, self.weights, f"{self.block}.norm1", self.eps)
        q, k, v = (linear(y, self.weights, f"{self.block}.attention.{part}") for part in "qkv")
        if self.is_eva:
            q, k = self.turned(q), self.turned(k)
        rows = []
        for cell in range(self.first, len(y)):
            x = self.out(self.mixed(how, cell, q, k, v))
            if how in ("plain", "maskclip", "sclip"):
                x = self.grid[cell] + x
                x = x + self.mlp(layer_norm(x, self.weights, f"{self.block}.norm2", self.eps))
            rows.append(
                linear(layer_norm(x, self.weights, "image.norm_post", self.eps), self.weights, "image.head.linear")
            )
        return np.array(rows).reshape(*self.places, -1)

    def mixed(self, how: str, cell: int, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
        share = q.shape[1] // self.tower.heads
        parts = []
        for head in range(self.tower.heads):
            part = slice(head * share, (head + 1) * share)
            by = {
                (a, b): np.array([one[cell, part] @ other[token, part] for token in range(len(k))]) / share**0.5
                for a, one in (("q", q), ("k", k))
                for b, other in (("q", q), ("k", k))
            }
            weights = {
                "plain": lambda by=by: softmax(by["q", "k"]),
                "maskclip": lambda: np.eye(len(k))[cell],
                "sclip": lambda by=by: softmax(by["q", "q"]) + softmax(by["k", "k"]),
                "clearclip": lambda by=by: softmax(by["q", "q"]),
                "naclip": lambda by=by: softmax(by["k", "k"] + self.nearness(cell)),
            }[how]()
            parts.append(sum(weight * value[part] for weight, value in zip(weights, v, strict=True)))
        return np.concatenate(parts)

    def nearness(self, cell: int) -> np.ndarray:
        near = np.zeros(len(self.grid))
        row, column = divmod(cell - self.first, self.places[1])
        for other in range(self.first, len(near)):
            r, c = divmod(other - self.first, self.places[1])
            near[other] = np.exp(-((r - row) ** 2 + (c - column) ** 2) / 50)
        return near

    def turned(self, x: np.ndarray) -> np.ndarray:
        """Pairs of a head turned: those of its first half by the row, of the second by the column."""
        x, width = x.copy(), x.shape[1] // self.tower.heads
        for token in range(1, len(x)):
            places = [
                n / side * self.tower.grid
                for n, side in zip(divmod(token - 1, self.places[1]), self.places, strict=True)
            ]
            for pair in range(x.shape[1] // 2):
                half, band = divmod(pair % (width // 2), width // 4)
                angle = places[half] * 10_000 ** (-band / (width // 4))
                turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
                x[token, 2 * pair : 2 * pair + 2] = turn @ x[token, 2 * pair : 2 * pair + 2]
        return x

    def out(self, mixed: np.ndarray) -> np.ndarray:
        if self.is_eva:
            mixed = layer_norm(mixed, self.weights, f"{self.block}.attention.norm", self.eps)
        return linear(mixed, self.weights, f"{self.block}.attention.out")

    def mlp(self, x: np.ndarray) -> np.ndarray:
        name = f"{self.block}.mlp"
        if self.is_eva:
            gate = linear(x, self.weights, f"{name}.gate")
            product = gate * sigmoid(gate) * linear(x, self.weights, f"{name}.up")
            return linear(layer_norm(product, self.weights, f"{name}.norm", self.eps), self.weights, f"{name}.down")
        up = linear(x, self.weights, f"{name}.up")
        gelu = {"quickgelu": lambda: up * sigmoid(1.702 * up), "gelu": lambda: _gelu(up)}[self.tower.activation]()
        return linear(gelu, self.weights, f"{name}.down")


def _gelu(x: np.ndarray) -> np.ndarray:
    import scipy.special

    return x * scipy.special.ndtr(x)


@pytest.fixture(scope="module", params=WITH_CLASS_TOKEN)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Plain, object]:
    folder, contract = tmp_path_factory.mktemp("model"), CONTRACTS[request.param]
    write(folder, contract, random_arrays(contract))
    checkpoint = read(folder)
    plain = Plain(request.param, start(checkpoint).grid(pixels(contract))[0])
    return plain, finish_of(checkpoint, plain.places)


@pytest.mark.parametrize("how", WAYS)
def test_the_cells_of_a_class_token(both, how: str) -> None:
    plain, finish = both
    expected = plain.cells(how)
    assert np.abs(finish.cells(plain.grid, how) - expected).max() < 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize("how", WAYS)
def test_float32_is_near_float64(both, how: str, tmp_path: Path) -> None:
    plain, finish = both
    write(tmp_path, plain.contract, random_arrays(plain.contract))
    fast = finish_of(read(tmp_path), plain.places, dtype=np.float32).cells(plain.grid.astype(np.float32), how)
    exact = finish.cells(plain.grid, how)
    assert fast.dtype == np.float32
    assert np.abs(fast - exact).max() < 1e-4 * np.abs(exact).max()


def test_the_ways_differ(both) -> None:
    plain, finish = both
    cells = [finish.cells(plain.grid, how) for how in WAYS]
    assert set(finish.ways) == set(WAYS)
    for index, one in enumerate(cells):
        assert all(np.abs(one - other).max() > 1e-3 for other in cells[index + 1 :])


def _finish(name: str, folder: Path):
    contract = CONTRACTS[name]
    write(folder, contract, random_arrays(contract))
    checkpoint = read(folder)
    grid = start(checkpoint).grid(pixels(contract))[0].astype(np.float64)
    weights = {name: array.astype(np.float64) for name, array in random_arrays(contract).items()}
    cell = contract.image.tower.cell
    places = grid.shape[1:] if grid.ndim == 3 else tuple(side // cell for side in contract.image.size)
    return finish_of(checkpoint, places), grid, weights, contract


def test_a_cell_of_siglip_goes_through_the_pool_as_a_value(tmp_path: Path) -> None:
    finish, grid, weights, contract = _finish("siglip", tmp_path)
    cells, eps = finish.cells(grid, "plain"), contract.image.tower.norm_eps
    for index, cell in enumerate(cells.reshape(len(grid), -1)):
        x = layer_norm(grid[index], weights, "image.norm_post", eps)
        x = linear(linear(x, weights, "image.pool.v"), weights, "image.pool.out")
        up = linear(layer_norm(x, weights, "image.pool.norm", eps), weights, "image.pool.mlp.up")
        up = up * (1 + np.tanh((2 / np.pi) ** 0.5 * (up + 0.044715 * up**3))) / 2
        assert np.allclose(cell, x + linear(up, weights, "image.pool.mlp.down"))


def test_a_cell_of_a_resnet_goes_through_the_pool_as_a_value(tmp_path: Path) -> None:
    finish, grid, weights, _ = _finish("resnet + unmasked", tmp_path)
    for row, column in ((0, 0), (1, 0)):
        x = grid[:, row, column] + weights["image.pool.positions"][1 + row * grid.shape[2] + column]
        expected = linear(linear(x, weights, "image.pool.v"), weights, "image.pool.out")
        assert np.allclose(finish.cells(grid, "plain")[row, column], expected)


def test_a_cell_of_a_map_is_the_embedding_of_a_map_that_is_everywhere_like_it(tmp_path: Path) -> None:
    for number, name in enumerate(("lite + bert, first", "convnext + causal", "fastvit + unmasked", "clipa")):
        finish, grid, _, _ = _finish(name, tmp_path / str(number))
        cells = finish.cells(grid, "plain")
        uniform = (
            np.broadcast_to(grid[:, :1, :1], grid.shape) if grid.ndim == 3 else grid * 0 + grid[-cells[..., 0].size]
        )
        assert np.allclose(cells[0, 0], finish.embed(uniform))


@pytest.fixture(scope="module")
def nano() -> contralto.Clip:
    return contralto.load("nano")


def test_clip_gives_unit_rows_for_one_picture_or_several(nano: contralto.Clip) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 90, 70, 3), np.uint8)
    cells = nano.cells(list(noise))
    assert cells.shape == (3, 7, 7, nano.contract.embedding)
    assert cells.dtype == np.float32
    assert np.allclose(np.linalg.norm(cells, axis=-1), 1, atol=1e-6)
    assert np.allclose(nano.cells(noise[1]), cells[1], atol=1e-5)
    assert nano.cells([]).shape == (0, 7, 7, nano.contract.embedding)
    assert np.array_equal(nano.cells(list(noise), how="plain"), cells)


def test_reproducible_cells_do_not_depend_on_the_other_pictures() -> None:
    clip = contralto.load("nano", reproducible=True)
    noise = list(np.random.default_rng(0).integers(0, 256, (3, 90, 70, 3), np.uint8))
    assert np.array_equal(clip.cells(noise)[2], clip.cells(noise[2]))


def test_a_picture_that_fails_is_named_or_skipped(nano: contralto.Clip) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 40, 50, 3), np.uint8)
    cells, failures = nano.cells([noise[0], b"no picture", noise[1]], on_error="skip")
    assert len(cells) == 2
    assert [failure.index for failure in failures] == [1]
    with pytest.raises(ImageError, match="picture 1"):
        nano.cells([noise[0], b"no picture"])


def test_a_way_that_the_tower_lacks_is_refused(nano: contralto.Clip) -> None:
    with pytest.raises(ContraltoError, match="how must be one of plain"):
        nano.cells(np.zeros((40, 40, 3), np.uint8), how="naclip")


def test_auto_is_naclip_with_a_class_token(both) -> None:
    assert both[1].ways[0] == "naclip"
