"""Stretched text positions, against the published rule written row by row."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from support.fake_engine import write_random

import contralto
from contralto.architecture import Bert
from contralto.contract import Contract, preset
from contralto.errors import ContraltoError
from contralto.weights import native
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.stretch import stretch, stretched

TINY = preset("tiny")


def published(e: np.ndarray) -> np.ndarray:
    """Long-CLIP's rule: e'[20 + 4j + m] = e[20 + j] + m/4 (e[21 + j] - e[20 + j]), the last interval continued."""
    length = len(e)
    new = np.zeros((4 * length - 60, e.shape[1]))
    for i in range(20):
        new[i] = e[i]
    for j in range(length - 21):
        for m in range(4):
            new[20 + 4 * j + m] = (4 - m) / 4 * e[20 + j] + m / 4 * e[21 + j]
    for m in range(4):
        new[4 * length - 64 + m] = e[-1] + m / 4 * (e[-1] - e[-2])
    return new


@pytest.mark.parametrize("length", [77, 64, 23, 22])
def test_the_rule_is_the_published_one(length):
    positions = np.random.default_rng(length).standard_normal((length, 5)).astype(np.float32)
    made = stretch(positions)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, published(positions.astype(np.float64)), atol=1e-6)
    assert made[:20].tobytes() == positions[:20].tobytes()
    assert made[20::4].tobytes() == positions[20:].tobytes()


def made(folder, stated: Contract = TINY) -> Checkpoint:
    write_random(folder, stated)
    return native.read(folder)


def with_text(**changes: object) -> Contract:
    return TINY.replace(text=dataclasses.replace(TINY.text, **changes))


def bert(**changes: object) -> Contract:
    tower = TINY.text.tower
    return with_text(tower=Bert(tower.vocabulary, tower.width, 1, tower.heads, tower.mlp, **changes), pool="mean")


@pytest.mark.parametrize("stated", [TINY, bert()], ids=["causal", "bert"])
def test_short_texts_keep_their_row_and_longer_ones_fit(tmp_path, stated):
    before = made(tmp_path / "before", stated)
    after = stretched(before, 4 * TINY.text.context - 60)
    assert after.contract.text.context == 68
    assert "stretched from 32 to 68" in (after.contract.provenance.converted_from or "")
    assert after.contract.hash != before.contract.hash
    assert all(after.tensors[name].array is before.tensors[name].array for name in before if name != "text.positions")
    native.write_stored(tmp_path / "after", after.contract, after.tensors, "float32")
    short, long = "word " * 18, "word " * 40
    first, second = (contralto.load(tmp_path / name, precision="fp32") for name in ("before", "after"))
    np.testing.assert_allclose(first.encode_text(short), second.encode_text(short), atol=1e-5)
    assert np.abs(first.encode_text("word " * 28) - second.encode_text("word " * 28)).max() > 1e-4
    assert first.too_long([long]) == [0]
    assert second.encode_text(long).shape == (TINY.embedding,)


def test_int8_positions_become_float32(tmp_path):
    folder = tmp_path / "int8"
    arrays = dict(made(tmp_path / "float32"))
    native.write(folder, TINY, arrays, "int8")
    before = native.read(folder)
    after = stretched(before, 68)
    assert before.stored("text.positions").dtype == "I8"
    assert after.stored("text.positions").dtype == "F32"
    assert after.array("text.positions")[:20].tobytes() == before.array("text.positions")[:20].tobytes()
    native.write_stored(tmp_path / "after", after.contract, after.tensors, "int8")
    assert native.read(tmp_path / "after").array("text.positions").shape[0] == 68


@pytest.mark.parametrize(
    ("stated", "context", "why"),
    [
        (TINY, 248, "its 32 positions become 68, give that length"),
        (TINY, 32, "become 68"),
        (with_text(context=20), 20, "has 20 positions, and the first 20 are kept"),
        (with_text(tower=dataclasses.replace(TINY.text.tower, mask="none"), pool="last"), 68, "reads the padding"),
        (bert(positions=64), 68, "has 64 positions, more than the context already"),
    ],
)
def test_what_cannot_be_stretched_is_one_line(tmp_path, stated, context, why):
    with pytest.raises(ContraltoError, match=f"tiny cannot be stretched to {context} tokens: .*{why}") as caught:
        stretched(made(tmp_path, stated), context)
    assert str(caught.value).isprintable()
