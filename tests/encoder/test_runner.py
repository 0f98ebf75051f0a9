"""In whatever order and company texts go through a tower, each has its own row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fake_engine import write_random

from contralto.architecture import Bert, CausalText, TextTower, ViT
from contralto.contract import Contract, Image, Text, TokenizerSpec
from contralto.embeddings import unit
from contralto.encoder.runner import Runner
from contralto.engine import Engine, start
from contralto.weights import native

CONTEXT, END = 9, 29
TOWERS: dict[str, tuple[TextTower, str, int]] = {  # tower, pool, pad
    "causal": (CausalText(30, 16, 1, 2, 32, "gelu"), "eot", 0),
    "causal, filled with its end": (CausalText(30, 16, 1, 2, 32, "gelu"), "eot", END),
    "no mask": (CausalText(30, 16, 1, 2, 32, "gelu", "none"), "eot", 0),
    "no mask, last row": (CausalText(30, 16, 1, 2, 32, "gelu", "none"), "last", 1),
    "bert, first row": (Bert(30, 16, 1, 2, 32, types=2), "first", 0),
    "bert, mean": (Bert(30, 16, 1, 2, 32), "mean", 1),
}


@pytest.fixture(scope="module", params=TOWERS)
def model(request, tmp_path_factory) -> tuple[Contract, Engine]:
    tower, pool, pad = TOWERS[request.param]
    image = Image(ViT(8, 1, 1, 8, 8, "gelu"), (8, 8), (0.5,) * 3, (0.5,) * 3)
    stated = Contract(
        request.param, image, Text(tower, TokenizerSpec("clip-bpe", "0" * 64), CONTEXT, pad, pool=pool), 8
    )
    folder = tmp_path_factory.mktemp("model")
    write_random(folder, stated)
    return stated, start(native.read(folder))


@settings(max_examples=15, deadline=None)
@given(texts=st.lists(st.lists(st.integers(2, END - 1), max_size=CONTEXT - 1), min_size=1, max_size=5))
def test_rows_are_those_of_the_full_context(model, texts):
    stated, engine = model
    ids = np.array([text + [END] + [stated.text.pad] * (CONTEXT - 1 - len(text)) for text in texts])
    alone = np.concatenate([engine.text(row[None]) for row in ids])
    rows = Runner(stated, engine, reproducible=False).texts(ids, batch_size=2)
    np.testing.assert_allclose(rows, unit(alone), atol=1e-5)
