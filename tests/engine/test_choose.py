"""Which engine is chosen, what is refused, and what goes in."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest
from support.small_models import ids, pixels

from contralto.engine import Engine, precision_of, start
from contralto.engine.openvino import supports
from contralto.errors import ContraltoError, MissingExtraError
from contralto.weights.checkpoint import Checkpoint

Make = Callable[..., Checkpoint]


def test_auto_is_openvino_in_fp32(checkpoint: Make) -> None:
    engine = start(checkpoint())
    assert (engine.name, engine.precision) == ("openvino", "fp32")
    assert precision_of(engine, "image") == precision_of(engine, "text") == "fp32"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"engine": "tensorrt"}, "engine must be one of"),
        ({"precision": "fp8"}, "precision must be one of"),
        ({"engine": "compiled", "precision": "int8"}, "does not compute in int8"),
        ({"device": "cuda"}, "is not here"),
        ({"device": "tpu"}, "runs on the cpu"),
        ({"precision": "int8"}, "int8 is calibrated on samples"),
        ({"engine": "eager", "precision": "int8"}, "'eager' does not compute in int8"),
    ],
)
def test_what_there_is_not_is_refused(checkpoint: Make, options: dict[str, str], reason: str) -> None:
    with pytest.raises(ContraltoError, match=reason):
        start(checkpoint(), **options)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_16_bits_are_refused_where_they_would_be_emulated(
    checkpoint: Make, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr("contralto.engine.choose.supports", lambda _: False)
    with pytest.raises(ContraltoError, match=f"no {precision} instructions"):
        start(checkpoint(), precision=precision)
    assert start(checkpoint()).precision == "fp32"
    assert start(checkpoint(), engine="eager", precision=precision).precision == precision


@pytest.mark.parametrize(("capabilities", "half"), [(["FP32", "BF16"], "bf16"), (["FP32", "FP16"], "fp16")])
def test_what_the_processor_has_is_what_the_runtime_says(
    checkpoint: Make, monkeypatch: pytest.MonkeyPatch, capabilities: list[str], half: str
) -> None:
    class Core:
        def get_property(self, device: str, name: str) -> list[str]:
            assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
            return capabilities

    monkeypatch.setattr("contralto.engine.openvino._core", lambda _: Core())
    assert [precision for precision in ("bf16", "fp16") if supports(precision)] == [half]
    assert start(checkpoint(), precision=half).precision == half


def test_eager_without_torch_names_the_extra(checkpoint: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'contralto\[torch\]'"):
        start(checkpoint(), engine="eager")


@pytest.fixture(params=["openvino", "eager"])
def engine(request: pytest.FixtureRequest, checkpoint: Make) -> Engine:
    return start(checkpoint(), engine=request.param)


def test_an_empty_batch_has_no_rows(engine: Engine, checkpoint: Make) -> None:
    contract = checkpoint().contract
    for rows in (engine.image(pixels(contract, 0)), engine.text(ids(contract, 0))):
        assert rows.shape == (0, 24)
        assert rows.dtype == np.float32


def test_results_are_the_callers_own(engine: Engine, checkpoint: Make) -> None:
    batch = pixels(checkpoint().contract)
    given = batch.copy()
    first = engine.image(batch)
    kept = first.copy()
    engine.image(batch + 1)
    assert (first == kept).all()
    first[:] = 0
    assert (engine.image(batch) == kept).all()
    assert (batch == given).all()


def test_other_dtypes_and_strides_are_taken(engine: Engine, checkpoint: Make) -> None:
    contract = checkpoint().contract
    batch, texts = pixels(contract), ids(contract)
    strided = np.ascontiguousarray(batch.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert (engine.image(strided) == engine.image(batch)).all()
    assert (engine.image(batch.astype(np.float64)) == engine.image(batch)).all()
    assert (engine.text(texts.astype(np.int32)) == engine.text(texts)).all()


def test_batches_that_do_not_fit_are_refused(engine: Engine, checkpoint: Make) -> None:
    for batch in (np.zeros((3, 32, 16)), np.zeros((1, 3, 16, 32)), np.zeros((1, 4, 32, 16))):
        with pytest.raises(ContraltoError, match="pixels must have shape"):
            engine.image(batch)
    for batch in (np.zeros((1, 13), int), np.zeros((1, 0), int), np.zeros(3, int), np.zeros((1, 3))):
        with pytest.raises(ContraltoError, match="ids must be integers"):
            engine.text(batch)
    unmasked = start(checkpoint("clipa"), engine=engine.name)
    for columns in (1, 11, 13):
        with pytest.raises(ContraltoError, match="12, as this tower sees the padding"):
            unmasked.text(np.zeros((1, columns), int))
    for value in (-1, 50, 1 << 40):
        with pytest.raises(ContraltoError, match="ids must be from 0 to 49"):
            engine.text(np.array([[3, value]]))
