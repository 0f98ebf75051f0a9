"""What the runtime gets to see: few shapes, waits that can be interrupted, and no pages of what it has packed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.small_models import ids, pixels

from contralto.engine import openvino
from contralto.engine.openvino import OpenVINO, batch_slices, infer
from contralto.weights.checkpoint import Checkpoint

BERT = "efficientnet + bert, mean"
SIZES = {1, 2, 4, 8, 16, 32}


@given(st.integers(0, 500), st.sampled_from([1, 8, 32]))
def test_parts_are_in_order_and_of_few_sizes(count: int, most: int) -> None:
    parts = list(batch_slices(count, most))
    assert [place for part in parts for place in range(part.start, part.stop)] == list(range(count))
    sizes = [part.stop - part.start for part in parts]
    assert set(sizes) <= SIZES
    assert max(sizes, default=0) <= most
    assert sizes[: count // most] == [most] * (count // most)  # full batches stay full


@pytest.fixture
def shapes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Those of the first input of each batch that a tower computes."""
    seen: list[tuple[int, ...]] = []
    run = openvino._Tower.run

    def watched(tower: openvino._Tower, *inputs: np.ndarray) -> np.ndarray:
        seen.append(inputs[0].shape)
        return run(tower, *inputs)

    monkeypatch.setattr(openvino._Tower, "run", watched)
    return seen


@pytest.mark.parametrize("name", ["vit + causal", BERT])
def test_batches_of_any_size_come_in_few_and_in_order(checkpoint, shapes, name: str) -> None:
    model = checkpoint(name)
    engine, batch = OpenVINO(model), pixels(model.contract, 37)
    alone = np.concatenate([engine.image(one[None]) for one in batch])
    for count in (*range(8), 31, 33, 37):
        np.testing.assert_allclose(engine.image(batch[:count]), alone[:count], atol=1e-5)
    assert {shape[0] for shape in shapes} <= SIZES


def test_texts_of_any_number_and_length_come_in_few_shapes(checkpoint, shapes) -> None:
    model = checkpoint(BERT)
    spec, short = model.contract.text, ids(model.contract, 8)
    padded = np.pad(short, ((0, 0), (0, spec.context - short.shape[1])), constant_values=spec.pad)
    engine, texts = OpenVINO(model), np.tile(padded, (5, 1))
    alone = np.concatenate([engine.text(row[None]) for row in texts])
    for count in (*range(8), 31, 33, 40):
        np.testing.assert_allclose(engine.text(texts[:count]), alone[:count], atol=1e-5)
    assert {shape[0] for shape in shapes} <= SIZES
    assert {shape[1] for shape in shapes} == {8}


@pytest.mark.parametrize("side", ["image", "text"])
def test_weights_are_given_back_when_compiled_and_after_each_new_shape(checkpoint, monkeypatch, side: str) -> None:
    model, released = checkpoint(BERT), []
    monkeypatch.setattr(Checkpoint, "release", lambda self, tower: released.append(tower))
    engine = OpenVINO(model)
    given = pixels(model.contract, 4) if side == "image" else ids(model.contract, 4)
    for count, times in ((4, 2), (4, 2), (2, 3), (4, 3)):
        getattr(engine, side)(given[:count])
        assert released == [side] * times


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_ends_the_batch_that_is_computed(stop: type[BaseException]) -> None:
    done: list[str] = []

    class Request:
        def start_async(self, inputs: object, share_inputs: bool) -> None:
            done.append("start")

        def wait_for(self, milliseconds: int) -> bool:
            assert milliseconds <= 200
            if done[-1] == "turn":
                raise stop
            done.append("turn")
            return False

        def cancel(self) -> None:
            done.append("cancel")

        def wait(self) -> None:
            done.append("wait")
            raise RuntimeError("cancelled")

    with pytest.raises(stop):
        infer(Request(), [])
    assert done == ["start", "turn", "cancel", "wait"]


def test_weights_in_16_bits_are_marked_to_stay_so(checkpoint) -> None:
    for dtype, marked in (("float32", False), ("float16", True), ("bfloat16", True), ("int8", False)):
        model = checkpoint("vit + causal", dtype)
        graph = openvino.model(model, openvino.runtime_graph(model, "image"))
        marks = [operation for operation in graph.get_ops() if openvino.HALF_MARK in operation.get_rt_info()]
        assert bool(marks) == marked, dtype
        assert {operation.get_type_name() for operation in marks} <= {"Convert"}
