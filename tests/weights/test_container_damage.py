"""Damaged files of every kind give a container or a one-line error. benchmarks/fuzz.py is the long run."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from contralto.errors import WeightsError
from contralto.weights.container import read

TENSORS = {"a": torch.arange(6.0).reshape(2, 3).t(), "b.c": torch.ones(2).half(), "d": torch.zeros(0, 2)}


def saved(**how: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save({"state_dict": TENSORS, "epoch": 3}, buffer, **how)
    return buffer.getvalue()


def script() -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, but the published archives need it
        torch.jit.save(torch.jit.script(nn.Sequential(nn.Linear(2, 2))), buffer)
    return buffer.getvalue()


MADE: dict[str, Callable[[], bytes]] = {
    "safetensors": lambda: safetensors.torch.save({n: t.contiguous() for n, t in TENSORS.items()}),
    "torch": saved,
    "legacy": lambda: saved(_use_new_zipfile_serialization=False),
    "torchscript": script,
    "index": lambda: json.dumps({"weight_map": dict.fromkeys(TENSORS, "shard")}).encode(),
}

# Offset, number of bytes, and their replacement: nothing, other bytes, or the same bytes twice.
edit = st.tuples(st.floats(0, 1), st.integers(0, 12), st.none() | st.binary(max_size=12) | st.just("again"))


def edited(data: bytes, where: float, count: int, put: bytes | str | None) -> bytes:
    begin = int(where * len(data))
    old = data[begin : begin + count]
    return data[:begin] + (2 * old if put == "again" else bytes(put or b"")) + data[begin + count :]  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", MADE)
@given(edits=st.lists(edit, min_size=1, max_size=4), cut=st.none() | st.floats(0, 1))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_gives_a_container_or_one_line(
    tmp_path: Path, kind: str, edits: list[tuple[float, int, bytes | str | None]], cut: float | None
) -> None:
    data = MADE[kind]()
    for where, count, put in edits:
        data = edited(data, where, count, put)
    if cut is not None:
        data = data[: int(cut * len(data))]
    path = tmp_path / "x"
    path.write_bytes(data)
    (tmp_path / "shard").write_bytes(MADE["safetensors"]())
    try:
        tensors = read(path).tensors
    except WeightsError as error:
        message = str(error)
    else:
        message = "".join(str(len(stored.array.tobytes())) for stored in tensors.values())
    assert message.isprintable()
