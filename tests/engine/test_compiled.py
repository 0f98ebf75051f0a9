"""torch.compile against the reference, and what has to hold around it. Inductor itself takes seconds a graph, so but
for one test dynamo's graphs are run as they are; a GPU is played by a function that overwrites its own output."""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.small_models import ids, pixels, unit

from contralto.engine import compiled
from contralto.engine.compiled import Compiled
from contralto.engine.eager import Eager
from contralto.errors import ContraltoError
from contralto.weights.checkpoint import Checkpoint

Make = Callable[..., Checkpoint]
BOUND = 1e-5


def apart(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    return float(np.abs(unit(one) - unit(other)).max())


@pytest.mark.parametrize(
    "name",
    [
        "vit + causal",
        "resnet + unmasked",
        "efficientnet + bert, mean",
        "fastvit + unmasked",
        "eva + causal",
        "siglip",
    ],
)
def test_rows_are_the_references_whatever_the_size_of_a_batch(checkpoint: Make, name: str, graphs: list[Any]) -> None:
    model = checkpoint(name)
    engine, reference = Compiled(model), Eager(model)
    images, texts = pixels(model.contract, 7), ids(model.contract, 7)
    for count in (3, 1, 7, 2):
        assert apart(engine.image(images[:count]), reference.image(images[:count])) < BOUND
    assert len(graphs) == 2  # one for a batch of one, one for all others
    lengths = (texts.shape[1], 12, 3) if model.contract.text.trims else (12,)
    for count in (3, 1, 7, 2):
        for length in lengths:
            part = np.pad(texts[:count], ((0, 0), (0, 12 - texts.shape[1])), constant_values=model.contract.text.pad)
            part = part[:, :length]
            assert apart(engine.text(part), reference.text(part)) < BOUND
    assert len(graphs) == 4


@pytest.fixture
def inductor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """PyTorch's own compiler, with nothing in its cache. It imports a module of PyTorch that warns of itself."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script_method` is deprecated", DeprecationWarning)
        from torch._inductor import config

        with config.patch({"cpp.vec_isa_ok": True}):  # else it compiles programs to see what the processor can do
            yield


def test_what_inductor_makes_of_a_tower(checkpoint: Make, inductor: None) -> None:
    model = checkpoint("vit, residual, sigmoid")
    engine, reference = Compiled(model), Eager(model)
    texts = ids(model.contract, 5)
    for count in (5, 3):  # of the two sizes the second finds all compiled
        assert apart(engine.text(texts[:count]), reference.text(texts[:count])) < BOUND


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_16_bits_are_near(checkpoint: Make, graphs: list[Any], precision: str) -> None:
    model = checkpoint()
    engine, exact = Compiled(model, precision), Eager(model)
    assert engine.precision == precision
    for side, batch in (("image", pixels(model.contract)), ("text", ids(model.contract))):
        got, want = unit(getattr(engine, side)(batch)), unit(getattr(exact, side)(batch))
        assert (got * want).sum(axis=1).min() > 0.999
        assert np.abs(got - want).max() > BOUND  # another precision indeed


def test_many_rows_go_in_several_batches(checkpoint: Make, graphs: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model = checkpoint()
    monkeypatch.setattr(compiled, "BATCH_PIXELS", {"cpu": 5 * 32 * 16})  # 5 pictures, so 4
    monkeypatch.setattr(compiled, "BATCH_TEXTS", {"cpu": 4})
    seen = watched(monkeypatch)
    images, texts = pixels(model.contract, 10), ids(model.contract, 10)
    assert apart(Compiled(model).image(images), Eager(model).image(images)) < BOUND
    assert apart(Compiled(model).text(texts), Eager(model).text(texts)) < BOUND
    assert [shape[0] for shape in seen] == [4, 4, 2] * 2
    monkeypatch.setattr(compiled, "BATCH_PIXELS", {"cpu": 1})  # less than a picture
    assert Compiled(model).image(images[:2]).shape == (2, 24)


def test_a_gpu_sees_few_shapes_and_may_overwrite_its_rows(
    checkpoint: Make, graphs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes are powers of two, lengths multiples of 8, and no row is lost to the next batch."""
    model = checkpoint()
    monkeypatch.setattr(compiled, "RECORDED_DEVICES", ("cpu",))
    monkeypatch.setattr(compiled, "BATCH_TEXTS", {"cpu": 4})
    seen = watched(monkeypatch)
    engine, reference = Compiled(model), Eager(model)
    for count in (1, 3, 5):
        images = pixels(model.contract, count)
        assert apart(engine.image(images), reference.image(images)) < BOUND
    assert [shape[0] for shape in seen] == [1, 4, 8]
    seen.clear()
    texts = ids(model.contract, 11)
    first = engine.text(texts[:3])
    kept = first.copy()
    assert apart(engine.text(texts), reference.text(texts)) < BOUND
    assert apart(engine.text(np.pad(texts, ((0, 0), (0, 2)))), reference.text(texts)) < BOUND
    assert seen == [(4, 8)] * 7
    assert (first == kept).all()


def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes that are computed from now on, by functions that give all their rows in the same memory."""
    seen: list[tuple[int, ...]] = []
    compile_ = compiled._compiled

    def watching(tower: torch.nn.Module, dynamic_axes: int) -> Callable[[torch.Tensor], torch.Tensor]:
        function, memory = compile_(tower, dynamic_axes), torch.empty(64, 24)

        def call(staged: torch.Tensor) -> torch.Tensor:
            seen.append(tuple(staged.shape))
            memory.fill_(np.nan)
            memory[: len(staged)] = function(staged)
            time.sleep(0.005)  # for another thread to come between
            return memory[: len(staged)]

        return call

    monkeypatch.setattr(compiled, "_compiled", watching)
    monkeypatch.setattr(compiled, "_Recordings", lambda function, device: function)
    return seen


def test_towers_of_one_kind_do_not_share_the_limit_of_variants(checkpoint: Make, graphs: list[Any]) -> None:
    model = checkpoint("eva + causal")
    texts = ids(model.contract)
    with torch._dynamo.config.patch(recompile_limit=2):
        for _ in range(3):
            assert Compiled(model).text(texts).shape == (3, 24)
    assert len(graphs) == 3


def test_threads_get_the_rows_of_a_single_one(
    checkpoint: Make, graphs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    watched(monkeypatch)  # rows in memory that the next call overwrites
    model = checkpoint()
    images, texts = pixels(model.contract, 8), ids(model.contract, 8)
    alone, shared = Compiled(model), Compiled(model)
    want = [(alone.image(images[i : i + 1]), alone.text(texts[i : i + 1])) for i in range(8)]

    def ask(i: int) -> tuple[np.ndarray, np.ndarray]:
        return shared.image(images[i % 8][None]), shared.text(texts[i % 8][None])

    with ThreadPoolExecutor(8) as threads:
        for i, rows in enumerate(threads.map(ask, range(64))):
            assert all((got == kept).all() for got, kept in zip(rows, want[i % 8], strict=True))


def test_without_a_compiler_one_line_says_so(checkpoint: Make, inductor: None) -> None:
    from torch._inductor import config

    model = checkpoint("vit, residual, sigmoid")
    said = r"cannot run the text tower on cpu: .*no-such-compiler.*'eager'"
    with config.patch({"cpp.cxx": ("no-such-compiler",)}), pytest.raises(ContraltoError, match=said) as told:
        Compiled(model).text(ids(model.contract))
    assert "\n" not in str(told.value)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_a_forked_child_gets_an_error_instead_of_hanging(checkpoint: Make) -> None:
    program = """
import os, sys
import numpy as np
from contralto.engine import compiled
from contralto.errors import ContraltoError
from contralto.weights.native import read
compiled.BACKEND = "eager"
engine = compiled.Compiled(read(sys.argv[1]))
texts = np.array([[5, 6, 49]])
engine.text(texts)
child = os.fork()
if child == 0:
    try:
        engine.text(texts)
    except ContraltoError as error:
        os._exit(7 if str(error).startswith("engine 'compiled' was used before a fork: load the model again") else 1)
    os._exit(2)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
    command = [sys.executable, "-c", program, str(checkpoint().folder)]
    done = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_recording_is_made_once_a_shape_and_replayed_on_its_own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """With stand-ins for CUDA: what is recorded reads from one tensor and writes to another, and runs at a replay."""
    calls: list[tuple[torch.Tensor, torch.Tensor]] = []
    pools, modes = [], []

    def double(given: torch.Tensor) -> torch.Tensor:
        calls.append((given, given * 2))
        return calls[-1][1]

    class Graph:
        def replay(self) -> None:
            given, rows = self.recorded
            rows.copy_(given * 2)

    @contextmanager
    def recording(graph: Any, pool: object, capture_error_mode: str) -> Iterator[None]:
        pools.append(pool)
        modes.append(capture_error_mode)
        yield
        graph.recorded = calls[-1]
        graph.recorded[1].fill_(np.nan)  # a recording computes nothing

    class Stream:
        def wait_stream(self, _: Stream) -> None: ...

    stand_ins = {
        "graph_pool_handle": lambda: "pool",
        "device": lambda _: nullcontext(),
        "stream": lambda _: nullcontext(),
        "Stream": Stream,
        "current_stream": Stream,
        "CUDAGraph": Graph,
        "graph": recording,
    }
    for name, value in stand_ins.items():
        monkeypatch.setattr(torch.cuda, name, value)
    run = compiled._Recordings(double, torch.device("cpu"))
    small, large = torch.ones(1, 4), torch.ones(2, 4)
    for factor in (1, 5):
        assert (run(small * factor) == 2 * factor).all()
        assert (run(large * factor) == 2 * factor).all()
    assert run(small).data_ptr() == run(small * 3).data_ptr()
    assert len(calls) == 6  # twice to warm up and once to record, for each shape
    assert (pools, modes) == (["pool"] * 2, ["thread_local"] * 2)
