"""Features before the projection: the same tower without its head, in every engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from support.small_models import CONTRACTS, pixels, unit

from contralto.architecture import LinearHead, ResNet
from contralto.encoder.featurizer import headless
from contralto.engine import start
from contralto.model.clip import CLIP
from contralto.weights.checkpoint import Checkpoint

Make = Callable[..., Checkpoint]


def head_of(checkpoint: Checkpoint) -> torch.nn.Module:
    """The reference's head with the checkpoint's weights."""
    with torch.device("meta"):
        clip = CLIP(checkpoint.contract)
    state = {name: torch.tensor(checkpoint[name]) for name in checkpoint}
    clip.load_state_dict(state, assign=True)
    return clip.eval().image.head


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_head_over_the_features_makes_the_embedding(checkpoint: Make, name: str) -> None:
    model = checkpoint(name, "float32")
    if isinstance(model.contract.image.tower, ResNet):
        assert headless(model) is model, "the projection is a part of the pool, which the published probes read"
        return
    given = pixels(model.contract)
    features = start(headless(model)).image(given)
    assert features.shape == (len(given), headless(model).contract.embedding)
    with torch.inference_mode():
        again = head_of(model)(torch.tensor(features)).numpy()
    assert np.abs(unit(again) - unit(start(model).image(given))).max() < 1e-5


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_engines_agree_on_features(checkpoint: Make, name: str) -> None:
    model = headless(checkpoint(name, "float16"))
    given = pixels(model.contract)
    fast, plain = start(model).image(given), start(model, engine="eager").image(given)
    assert np.abs(unit(fast) - unit(plain)).max() < 1e-5
    assert np.allclose(np.linalg.norm(fast, axis=1), np.linalg.norm(plain, axis=1), rtol=1e-4)


def test_a_tower_that_has_a_head_loses_it_and_nothing_else(checkpoint: Make) -> None:
    model = checkpoint("vit + causal", "float32")
    assert isinstance(model.contract.image.tower.head, LinearHead)
    without_head = headless(model)
    assert without_head.contract.embedding == model.contract.image.tower.width
    assert set(without_head.tensors) == {n for n in model.tensors if n.startswith("image.") and "image.head" not in n}
    same = dataclasses.replace(without_head.contract.image.tower, head=model.contract.image.tower.head)
    assert same == model.contract.image.tower
