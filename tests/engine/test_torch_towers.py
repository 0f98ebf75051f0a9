"""What the engines on PyTorch share: devices, precisions, whose arrays are whose, and what is said without PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.small_models import ids, pixels

from contralto.engine import torch_towers
from contralto.engine.compiled import Compiled
from contralto.engine.eager import Eager
from contralto.engine.torch_towers import TorchEngine, devices
from contralto.errors import ContraltoError, MissingExtraError
from contralto.weights.checkpoint import Checkpoint

Make = Callable[..., Checkpoint]


@pytest.fixture(params=[Eager, Compiled])
def kind(request: pytest.FixtureRequest, graphs: list[Any]) -> type[TorchEngine]:
    engine_class: type[TorchEngine] = request.param
    return engine_class


def test_what_goes_in_is_left_alone_and_what_comes_out_is_the_callers(
    kind: type[TorchEngine], checkpoint: Make
) -> None:
    model = checkpoint()
    engine, batch, texts = kind(model), pixels(model.contract), ids(model.contract)
    given, given_texts = batch.copy(), texts.copy()
    batch.flags.writeable = texts.flags.writeable = False
    rows, text_rows = engine.image(batch), engine.text(texts)
    kept, text_kept = rows.copy(), text_rows.copy()
    engine.image(given + 1), engine.text(texts[::-1])
    assert (rows == kept).all()
    assert (text_rows == text_kept).all()
    rows[:] = 0
    assert (engine.image(batch) == kept).all()
    assert (batch == given).all()
    assert (texts == given_texts).all()
    assert engine.image(batch[:0]).shape == engine.text(texts[:0]).shape == (0, 24)


def test_devices_are_those_that_pytorch_finds(
    kind: type[TorchEngine], checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert devices() == ["cpu"]
    assert kind(checkpoint(), device="auto").device == kind(checkpoint()).device == "cpu"
    with pytest.raises(ContraltoError, match=rf"device 'cuda' is not here: PyTorch {torch.__version__[0]}.* finds cpu"):
        kind(checkpoint(), device="cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices() == ["cpu", "cuda:0", "cuda:1"]
    for device, name in (("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1"), ("cpu", "cpu")):
        assert kind(checkpoint(), device=device).device == name
    for device in ("cuda:2", "cuda:x", "tpu", ""):
        with pytest.raises(ContraltoError, match="finds cpu, cuda:0, cuda:1"):
            kind(checkpoint(), device=device)


def test_float32_is_not_rounded_to_tf32() -> None:
    from torch.backends import cudnn

    before = cudnn.allow_tf32
    with torch_towers.full_precision():
        assert not cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    assert cudnn.allow_tf32 == before


@pytest.mark.parametrize(("major", "half"), [(9, "bf16"), (8, "bf16"), (7, "fp16")])
def test_the_16_bits_of_a_gpu(monkeypatch: pytest.MonkeyPatch, major: int, half: str) -> None:
    class Properties:
        def __init__(self) -> None:
            self.major = major

    class Device:
        def __init__(self, name: str) -> None:
            assert name == "cuda:1"

        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(torch.cuda, "device", Device)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Properties())
    assert torch_towers.half_precision("cuda:1") == half


def test_without_torch_the_extra_is_named(
    kind: type[TorchEngine], checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert devices() == []
    with pytest.raises(MissingExtraError, match=rf"engine '{kind.name}' needs .* pip install 'contralto\[torch\]'"):
        kind(checkpoint())
