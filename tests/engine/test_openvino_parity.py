"""The fast engine against the reference: only the order of sums differs.

What it keeps to is 1e-4 on unit rows in float32. Here the bound is 1e-5, as GELU and its tanh form can be 6e-5 apart.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.small_models import CONTRACTS, ids, pixels, random_arrays, unit

from contralto.contract import Contract, preset
from contralto.engine import Engine, start
from contralto.engine.graph.whole_tower import write_graphs
from contralto.engine.openvino import configuration, core, supports
from contralto.errors import ContraltoError
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.native import read, write

Make = Callable[..., Checkpoint]
Rows = tuple[np.ndarray, np.ndarray]
BOUND = 1e-5


def rows(engine: Engine, contract: Contract) -> Rows:
    """Unit rows of both towers."""
    return unit(engine.image(pixels(contract))), unit(engine.text(ids(contract)))


def distance(one: Rows, other: Rows) -> float:
    """The largest difference of a number of a unit row, over both towers."""
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


def cosine(one: Rows, other: Rows) -> float:
    """The lowest cosine of rows of the same item, over both towers."""
    return min(float((a * b).sum(axis=1).min()) for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def rows_in_fp32(checkpoint: Make) -> Callable[..., Rows]:
    """rows_in_fp32(engine, name, dtype): computed once, as a tower takes longer to compile than all else."""

    @functools.cache
    def compute(engine: str, name: str, dtype: str) -> Rows:
        model = checkpoint(name, dtype)
        return rows(start(model, engine=engine), model.contract)  # type: ignore[arg-type]

    return compute


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8"])
@pytest.mark.parametrize("name", CONTRACTS)
def test_openvino_gives_the_reference_rows(rows_in_fp32: Callable[..., Rows], name: str, dtype: str) -> None:
    assert distance(rows_in_fp32("openvino", name, dtype), rows_in_fp32("eager", name, dtype)) < BOUND


def test_the_bound_tells_the_gelus_apart(tmp_path: Path) -> None:
    contract, engines = CONTRACTS["siglip"], []
    for activation in ("gelu", "gelu_tanh"):
        image, text = (
            dataclasses.replace(side, tower=dataclasses.replace(side.tower, activation=activation))
            for side in (contract.image, contract.text)
        )
        write(tmp_path / activation, contract.replace(image=image, text=text), random_arrays(contract))
        engines.append(start(read(tmp_path / activation)))
    one, other = (rows(engine, contract) for engine in engines)
    assert all(np.abs(a - b).max() > 5 * BOUND for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_the_graph_files_give_the_same_to_a_runtime_that_knows_nothing_of_us(checkpoint: Make, dtype: str) -> None:
    model = checkpoint("efficientnet + bert, mean", dtype)
    for side, batch in (("image", pixels(model.contract)), ("text", ids(model.contract))):
        compiled = core().compile_model(model.folder / f"{side}.onnx", "CPU", configuration("fp32"))
        wanted = getattr(start(model), side)(batch)
        assert np.abs(unit(compiled([batch])[0]) - unit(wanted)).max() < BOUND


def test_rows_differ_between_items_and_weights(tmp_path: Path, checkpoint: Make) -> None:
    """So that equality above means something."""
    model = checkpoint()
    given = images, _ = rows(start(model), model.contract)
    assert np.abs(images[0] - images[1]).max() > 0.01
    write(tmp_path, model.contract, random_arrays(model.contract, seed=1))
    assert distance(given, rows(start(read(tmp_path)), model.contract)) > 0.01


@pytest.mark.parametrize("name", ["vit + causal", "efficientnet + bert, mean"])
def test_padding_and_company_change_nothing(checkpoint: Make, name: str) -> None:
    model = checkpoint(name)
    engine, texts = start(model), ids(model.contract)
    padded = np.pad(texts, ((0, 0), (0, 5)), constant_values=model.contract.text.pad)
    alone = np.concatenate([engine.text(row[None]) for row in texts])
    for embeddings in (engine.text(padded), alone):
        np.testing.assert_allclose(unit(embeddings), unit(engine.text(texts)), atol=1e-5)


def test_vit_b_32_in_its_real_widths(tmp_path: Path) -> None:
    """Three of its twelve layers, as all of them are too slow for every run; all have been compared once."""
    contract = preset("ViT-B-32")
    image = dataclasses.replace(contract.image, tower=dataclasses.replace(contract.image.tower, layers=3))
    text = dataclasses.replace(contract.text, tower=dataclasses.replace(contract.text.tower, layers=3))
    contract = contract.replace(image=image, text=text)
    write(tmp_path, contract, random_arrays(contract), "float16")
    write_graphs(tmp_path)
    model = read(tmp_path)
    texts = np.random.default_rng(0).integers(1, 49_000, (2, 9))
    texts[:, -1] = 49_407
    one, other, images = start(model), start(model, engine="eager"), pixels(contract, 1)
    assert np.abs(unit(one.image(images)) - unit(other.image(images))).max() < BOUND
    assert np.abs(unit(one.text(texts)) - unit(other.text(texts))).max() < BOUND


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("name", CONTRACTS)
def test_16_bits_are_near_in_eager(
    checkpoint: Make, rows_in_fp32: Callable[..., Rows], name: str, precision: str
) -> None:
    model = checkpoint(name)
    engine = start(model, engine="eager", precision=precision)
    assert engine.precision == precision
    given, exact = rows(engine, model.contract), rows_in_fp32("eager", name, "float32")
    assert cosine(given, exact) > 0.999
    assert distance(given, exact) > BOUND  # another precision indeed


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("name", CONTRACTS)
def test_16_bits_are_near_where_the_processor_has_them_and_refused_elsewhere(
    checkpoint: Make, rows_in_fp32: Callable[..., Rows], name: str, precision: str
) -> None:
    model = checkpoint(name)
    if not supports(precision):
        with pytest.raises(ContraltoError, match=f"no {precision} instructions"):
            start(model, precision=precision)
        return
    engine = start(model, precision=precision)
    assert engine.precision == precision
    given, exact = rows(engine, model.contract), rows_in_fp32("openvino", name, "float32")
    assert cosine(given, exact) > 0.999
    assert distance(given, exact) > BOUND
