"""Each finish against the PyTorch tower: its embedding, and its gradient against autograd and central differences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from support.small_models import CONTRACTS, pixels, random_arrays

import contralto
from contralto.encoder.finish import Finish, LastAttention, finish_of, layers, one_query
from contralto.engine import start
from contralto.model.clip import CLIP
from contralto.weights.native import read, write

ATTENDING = [name for name in CONTRACTS if name.startswith(("vit", "resnet", "eva", "siglip")) or "attention" in name]


class Case(NamedTuple):
    """A finish, a picture's grid, and the PyTorch tower from any grid on."""

    finish: Finish
    grid: np.ndarray
    tower: Callable[[torch.Tensor], torch.Tensor]
    direction: np.ndarray


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Case]:
    made: dict[str, Case] = {}

    def make(name: str) -> Case:
        if name not in made:
            made[name] = _case(name, tmp_path_factory.mktemp("model"))
        return made[name]

    return make


def _case(name: str, folder: Path) -> Case:
    contract = CONTRACTS[name]
    write(folder, contract, random_arrays(contract))
    checkpoint = read(folder)
    model = CLIP(contract).double().eval()
    model.load_state_dict({name: torch.tensor(checkpoint[name]) for name in checkpoint})
    given = torch.tensor(pixels(contract)).double()
    grids = model.image.grid(given).detach().numpy()

    def tower(grid: torch.Tensor) -> torch.Tensor:
        object.__setattr__(model.image, "grid", lambda _: grid[None])
        try:
            return model.image(given[:1])[0]
        finally:
            object.__delattr__(model.image, "grid")

    cell = contract.image.tower.cell
    places = grids.shape[2:] if grids.ndim == 4 else tuple(side // cell for side in contract.image.size)
    direction = np.random.default_rng(3).standard_normal(contract.embedding)
    return Case(finish_of(checkpoint, places), grids[1], tower, direction)


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_finish_of_the_grid_is_the_embedding(case: Callable[[str], Case], name: str) -> None:
    one = case(name)
    assert np.allclose(one.finish.embed(one.grid), one.tower(torch.tensor(one.grid)).detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("engine", ["openvino", "eager"])
@pytest.mark.parametrize("name", CONTRACTS)
def test_an_engines_grid_leads_to_its_embedding(tmp_path: Path, name: str, engine: str) -> None:
    contract = CONTRACTS[name]
    write(tmp_path, contract, random_arrays(contract))
    running, given = start(read(tmp_path), engine=engine), pixels(contract)
    grids, cell = running.grid(given), contract.image.tower.cell
    places = grids.shape[2:] if grids.ndim == 4 else tuple(side // cell for side in contract.image.size)
    finish = finish_of(read(tmp_path), places)
    ends = np.stack([finish.embed(grid.astype(np.float64)) for grid in grids])
    whole = running.image(given)
    assert np.abs(ends - whole).max() < 1e-4 * np.abs(whole).max()  # float32 sums in another order


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_gradient_is_autograds(case: Callable[[str], Case], name: str) -> None:
    one = case(name)
    leaf = torch.tensor(one.grid, requires_grad=True)
    (one.tower(leaf) @ torch.tensor(one.direction)).backward()
    expected = leaf.grad.numpy()
    gradient = one.finish.gradient(one.grid, one.direction)
    assert gradient.shape == one.grid.shape
    # PyTorch's norms compute in float32
    assert np.abs(gradient - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_gradient_is_the_central_difference(case: Callable[[str], Case], name: str) -> None:
    one, random = case(name), np.random.default_rng(4)
    gradient = one.finish.gradient(one.grid, one.direction)
    for _ in range(3):
        step = 1e-5 * random.standard_normal(one.grid.shape)
        ends = [one.finish.embed(one.grid + sign * step) @ one.direction for sign in (1, -1)]
        assert (ends[0] - ends[1]) / 2 == pytest.approx((gradient * step).sum(), rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("name", ATTENDING)
def test_the_gradient_of_the_attention_is_the_central_difference(
    case: Callable[[str], Case], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = case(name)
    attention = one.finish.attention(one.grid, one.direction)
    assert isinstance(attention, LastAttention)
    rows, columns = one.finish.places
    assert attention.weights.shape == attention.gradient.shape == (len(attention.weights), rows, columns)
    assert (attention.weights > 0).all()
    assert (attention.weights.sum((1, 2)) < 1 + 1e-9).all()

    def embed(head: int, change: float) -> float:
        def changed(x: np.ndarray) -> np.ndarray:
            y = layers.softmax(x)
            y[head, -1] += change  # the sum stays 1
            y[head, -rows * columns] -= change
            return y

        with monkeypatch.context() as patch:
            patch.setattr(one_query, "softmax", changed)
            if name.startswith("eva"):
                patch.setattr("contralto.encoder.finish.eva.softmax", changed)
            return float(one.finish.embed(one.grid) @ one.direction)

    for head, gradient in enumerate(attention.gradient):
        slope = (embed(head, 1e-5) - embed(head, -1e-5)) / 2e-5
        assert slope == pytest.approx(gradient[-1, -1] - gradient[0, 0], rel=1e-6, abs=1e-9)


def test_a_tower_that_pools_by_the_mean_has_no_attention(case: Callable[[str], Case]) -> None:
    for name in ("clipa", "convnext + causal", "lite + bert, first"):
        one = case(name)
        assert one.finish.attention(one.grid, one.direction) is None


def test_random_weights_are_the_same_for_a_seed_and_have_the_deviation_of_each_tensor(tmp_path: Path) -> None:
    contract: Any = CONTRACTS["vit + causal"]
    write(tmp_path, contract, random_arrays(contract))
    checkpoint, name = read(tmp_path), "image.blocks.1.mlp.up.weight"
    one, same, other = (layers.FinishWeights(checkpoint, seed)[name] for seed in (1, 1, 2))
    assert (one == same).all()
    assert not np.allclose(one, other)
    assert one.std() == pytest.approx(checkpoint[name].std(), rel=0.1)
    assert abs(np.corrcoef(one.ravel(), checkpoint[name].ravel())[0, 1]) < 0.15


def test_relevance_is_that_of_transformers_with_autograd(tmp_path: Path) -> None:
    """Chefer et al. 2021: attention of the last layer times its gradient, the positive part, the mean of the heads."""
    from support import small_transformers

    folder = tmp_path / "model"
    model = small_transformers.clip(folder)
    model.save_pretrained(folder)
    model.double().set_attn_implementation("eager")
    clip = contralto.load(folder)
    given = np.random.default_rng(5).standard_normal((1, 3, 32, 32), np.float32)
    text = np.random.default_rng(6).standard_normal(24)
    text /= np.linalg.norm(text)

    vision = model.vision_model(torch.tensor(given).double(), output_attentions=True)
    embedding = model.visual_projection(vision.pooler_output)[0]
    cosine = embedding @ torch.tensor(text) / embedding.norm()
    weights = vision.attentions[-1]
    (slope,) = torch.autograd.grad(cosine, weights)
    expected = (weights * slope)[0, :, 0, 1:].clamp(min=0).mean(0).detach().numpy().reshape(4, 4)

    grid, finish = clip.grids.of(given)[0].astype(np.float64), clip.grids.finish
    ours = finish.embed(grid)
    length = np.linalg.norm(ours)
    unit = ours / length
    attention = finish.attention(grid, (text - unit * (unit @ text)) / length)
    assert attention is not None
    relevance = np.maximum(0, attention.weights * attention.gradient).mean(0)
    assert np.abs(relevance - expected).max() < 1e-3 * expected.max()
