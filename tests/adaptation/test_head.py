"""The last layer of every kind of head: P f + rest is what the engine computes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from support.small_models import CONTRACTS, ids, pixels, random_arrays, unit

from contralto.adaptation.head import last_layer
from contralto.encoder.featurizer import headless, text_features
from contralto.engine import start
from contralto.errors import ContraltoError
from contralto.weights import native

HEADS = {
    "vit + causal": ("image", "text"),
    "resnet + unmasked": ("text",),  # with a bias
    "lite + bert, first": ("image", "text"),  # residual, of silu and relu
    "convnext + causal": ("image",),  # two layers
    "vit, residual, sigmoid": ("image",),
    "siglip": ("text",),
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    @cache
    def read(name):
        folder = tmp_path_factory.mktemp("model")
        native.write(folder, CONTRACTS[name], random_arrays(CONTRACTS[name]))
        return native.read(folder)

    return read


def features(whole, tower):
    """(the embeddings, the features) of random pictures or texts."""
    contract = whole.contract
    engine = start(whole, engine="eager", precision="fp32", device="cpu")
    if tower == "text":
        given = ids(contract)
        return engine.text(given), text_features(whole, given, "eager", "cpu")
    given = pixels(contract)
    return engine.image(given), start(headless(whole), engine="eager", precision="fp32", device="cpu").image(given)


@pytest.mark.parametrize(("name", "tower"), [(name, tower) for name, towers in HEADS.items() for tower in towers])
def test_the_matrix_times_what_it_reads_plus_the_rest_is_the_embedding(checkpoint, name, tower):
    whole = checkpoint(name)
    embeddings, read = features(whole, tower)
    layer = last_layer(whole, tower, read)
    assert np.array_equal(layer.matrix, whole.array(f"{layer.name}.weight"))
    ours = layer.read @ layer.matrix.T + layer.rest
    assert np.abs(unit(ours.astype(np.float32)) - unit(embeddings)).max() < 1e-5
    assert layer.read.dtype == layer.matrix.dtype == layer.rest.dtype == np.float64


@pytest.mark.parametrize(
    ("name", "said"), [("siglip", "the image tower has no projection"), ("resnet + unmasked", "a ResNet's projection")]
)
def test_a_tower_without_a_last_layer_is_refused(checkpoint, name, said):
    whole = checkpoint(name)
    width = whole.contract.image.tower.features
    with pytest.raises(ContraltoError, match=said) as raised:
        last_layer(whole, "image", np.zeros((2, width), np.float32))
    assert "take adapter" in str(raised.value)


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "quickgelu", "relu", "relu6", "silu", "softmax"])
def test_the_hidden_units_of_every_activation(checkpoint, activation):
    """By the engine, with the activation of the head replaced in the contract."""
    whole = checkpoint("vit, residual, sigmoid")
    image = whole.contract.image
    head = replace(image.tower.head, activation=activation)
    changed = replace(image, tower=replace(image.tower, head=head))
    whole = whole.replace(whole.contract.replace(image=changed))
    embeddings, read = features(whole, "image")
    layer = last_layer(whole, "image", read)
    assert np.abs(layer.read @ layer.matrix.T + layer.rest - embeddings).max() < 1e-4 * np.abs(embeddings).max()
