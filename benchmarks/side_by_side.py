"""What image.py and text.py share: one tower, the default engine and eager PyTorch in turns, equality checked first."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

import numpy as np

from contralto.contract import FILE_NAME, Contract, preset
from contralto.engine import Engine, start
from contralto.engine.cpus import available_cpus
from contralto.engine.graph.files import write_graphs
from contralto.model.clip import create
from contralto.weights.native import read, write

BOUND = 1e-4  # on unit rows, float32 against float32
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "asimddp", "bf16")


def side_by_side(side: Literal["image", "text"], shapes: list[tuple[int, ...]], runs: int = 7) -> None:
    """Prints items a second of both engines and their ratio, for batches of each shape. Exits 1 if rows differ.

    The model is the folder given on the command line, else the preset nano with random weights stored in int8 (how
    fast it is does not depend on their values).
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else _random_nano(Path(scratch))
        checkpoint = read(folder)
        engines = {name: start(checkpoint, engine=name) for name in ("openvino", "eager")}
        print(f"{checkpoint.contract.name} ({FILE_NAME} in {folder}), {side} tower, {available_cpus()} processors")
        print(f"instructions: {' '.join(flags())}")
        for shape in shapes:
            batch = _batch(checkpoint.contract, side, shape)
            rows = [_unit(_compute(engine, side, batch)) for engine in engines.values()]
            apart = float(np.abs(rows[0] - rows[1]).max())
            if apart > BOUND:
                sys.exit(f"rows differ by {apart:.1e}, more than {BOUND:.0e}")
            seconds: dict[str, list[float]] = {name: [] for name in engines}
            for _ in range(runs):
                for name, engine in engines.items():
                    begin = time.perf_counter()
                    _compute(engine, side, batch)
                    seconds[name].append(time.perf_counter() - begin)
            median = {name: statistics.median(values) for name, values in seconds.items()}
            speeds = "  ".join(f"{name} {shape[0] / value:7.1f}/s" for name, value in median.items())
            print(f"batch {shape}: {speeds}  ratio {median['eager'] / median['openvino']:.2f}  apart {apart:.0e}")


def _random_nano(folder: Path) -> Path:
    model, contract = create(preset("nano"))
    write(folder, contract, {name: tensor.numpy() for name, tensor in model.state_dict().items()}, "int8")
    write_graphs(folder)
    return folder


def _batch(contract: Contract, side: str, shape: tuple[int, ...]) -> np.ndarray:
    random = np.random.default_rng(0)
    if side == "image":
        return random.standard_normal((*shape, 3, *contract.image.size), np.float32)
    return random.integers(1, contract.text.tower.vocabulary, shape)


def _compute(engine: Engine, side: str, batch: np.ndarray) -> np.ndarray:
    return engine.image(batch) if side == "image" else engine.text(batch)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def flags() -> list[str]:
    """Those of the processor's instruction sets that decide how fast a tower is (Linux only)."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ["unknown"]
    present = next((line.split() for line in lines if line.startswith(("flags", "Features"))), [])
    return [flag for flag in FLAGS if flag in present]
