"""Damaged files against every reader: each must give a sound model or a one-line error, fast and in little memory.

    python benchmarks/fuzz.py [--count 100000] [--seed 0] [--keep FOLDER]

The script mutates good small files (see mutate.py) and reads them under an audit hook, which records what Python
opens, starts, imports, compiles or connects to. An input that breaks a rule is printed and saved in FOLDER; then the
exit code is 1. "Slowest" and "peak" refer to single inputs; the peak is the memory that Python and NumPy allocate
(tracemalloc).
"""

from __future__ import annotations

import argparse
import collections
import encodings.unicode_escape  # noqa: F401  error messages use this codec; imported here so that no read imports it
import io
import json
import math
import mmap  # noqa: F401  NumPy imports it for its first memory map
import os
import sys
import tempfile
import time
import traceback
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import mutate
import numpy as np
import safetensors.torch
import torch
from torch import nn

from contralto.architecture import CausalText, ViT
from contralto.contract import FILE_NAME, preset
from contralto.errors import ContraltoError, one_line
from contralto.weights import container, native, open_clip, transformers
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.names import expected

MAX_SECONDS, MAX_MB = 20.0, 400.0  # for one input (tracemalloc makes a read many times slower)
FORBIDDEN = ("subprocess", "socket", "import", "exec", "compile", "pickle", "ctypes", "shutil", "urllib", "os.")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True)
class Reader:
    """file: the damaged file; others: the files next to it; read: a function of the path of the file."""

    name: str
    share: float
    file: str
    seeds: tuple[bytes, ...]
    damage: tuple[mutate.Mutator, ...]
    read: Callable[[Path], Any]
    others: dict[str, bytes]


@dataclass
class Tally:
    inputs: int = 0
    accepted: int = 0
    slowest: float = 0.0
    peak: float = 0.0
    faults: int = 0


class Watch:
    """Records what Python does outside its process while it reads an input."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.is_on = False
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        if event in ("compile", "exec") and sys._getframe(1).f_globals["__name__"] == "typing":
            return  # the annotations of our own dataclasses
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if writes or (event.startswith(FORBIDDEN) and event not in ("os.listdir", "os.scandir")):
            self.seen.append(f"{event} {str(arguments)[:100]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--keep",
        type=Path,
        default=Path("fuzz-faults"),
        help="folder for inputs that break a rule (default: fuzz-faults)",
    )
    options = parser.parse_args()
    warnings.simplefilter("error")
    begin, watch = time.perf_counter(), Watch()
    one_line("\n")  # the first imports a codec
    shared = Path("/dev/shm")  # in memory, if available
    print(f"{'reader':23}{'inputs':>9}{'accepted':>10}{'refused':>9}{'slowest ms':>12}{'peak MB':>9}{'faults':>8}")
    total = 0
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        for reader in readers():
            tally = run(reader, round(options.count * reader.share), options, Path(folder) / reader.name, watch)
            refused = tally.inputs - tally.accepted - tally.faults
            numbers = f"{tally.inputs:9}{tally.accepted:10}{refused:9}{tally.slowest * 1e3:12.1f}{tally.peak:9.1f}"
            print(f"{reader.name:23}{numbers}{tally.faults:8}", flush=True)
            total += tally.faults
    print(f"{time.perf_counter() - begin:.0f} s, seed {options.seed}, {total} faults")
    sys.exit(1 if total else 0)


def run(reader: Reader, count: int, options: argparse.Namespace, folder: Path, watch: Watch) -> Tally:
    """Reads `count` files: first the good ones, which must be accepted, then damaged ones."""
    folder.mkdir()
    for name, content in reader.others.items():
        (folder / name).write_bytes(content)
    path, tally = folder / reader.file, Tally()
    for number, content in enumerate(inputs(reader, count, Random(f"{options.seed} {reader.name}"))):
        path.write_bytes(content)
        fault = one(reader, path, tally, watch)
        if number < len(reader.seeds) and tally.accepted <= number:
            sys.exit(f"{reader.name}: the good file {number} is refused: {fault}")
        if fault:
            tally.faults += 1
            options.keep.mkdir(exist_ok=True)
            kept = options.keep / f"{reader.name}-{number}-{reader.file}"
            kept.write_bytes(content)
            print(f"{kept}: {fault}"[:300])
    return tally


def inputs(reader: Reader, count: int, random: Random) -> Iterator[bytes]:
    yield from reader.seeds
    for _ in range(count - len(reader.seeds)):
        content = random.choice(reader.damage)(random.choice(reader.seeds), random)
        if random.random() < 0.1:
            content = mutate.anything(content, random)
        if random.random() < 0.02:
            other = random.choice(reader.seeds)
            content = content[: random.randrange(len(content) + 1)] + other[random.randrange(len(other)) :]
        yield content


def one(reader: Reader, path: Path, tally: Tally, watch: Watch) -> str:
    """Reads the file; returns the broken rule, or an empty string."""
    tally.inputs += 1
    watch.seen.clear()
    fault = ""
    tracemalloc.start()
    watch.is_on, begin = True, time.perf_counter()
    try:
        model = reader.read(path)
        watch.is_on = False
        sound(model, path)
        tally.accepted += 1
    except ContraltoError as error:
        watch.is_on = False
        if not str(error).isprintable():
            fault = f"not one line: {error!r}"
    except BaseException as error:
        watch.is_on = False
        if isinstance(error, KeyboardInterrupt):
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        fault = f"{type(error).__name__}: {str(error)[:100]} ({Path(place.filename).name}:{place.lineno})"
    seconds, peak = time.perf_counter() - begin, tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    tally.slowest, tally.peak = max(tally.slowest, seconds), max(tally.peak, peak)
    if watch.seen:
        fault = f"it did {collections.Counter(watch.seen).most_common(3)}"
    if seconds > MAX_SECONDS or peak > MAX_MB:
        fault = fault or f"it took {seconds:.1f} s and {peak:.0f} MB"
    return fault


def sound(model: container.Container | Checkpoint, path: Path) -> None:
    """Checks that every tensor can be read and is not larger than the files."""
    size = sum(file.stat().st_size for file in model.files)
    for stored in model.tensors.values():
        if stored.array.nbytes > size or stored.array.size != math.prod(stored.shape):
            raise AssertionError(f"{path}: a tensor of {stored.array.nbytes} bytes in {size}")
        stored.array.tobytes()


def readers() -> list[Reader]:
    """All readers, each with its good files."""
    torch.manual_seed(0)
    base = torch.randn(4, 3)
    odd = {"b.c": base.t(), "d": base.half()[1:], "e": base.bfloat16(), "f": torch.tensor(4), "g": base[:0]}
    tensors = {"a": base, **odd}
    training = {"epoch": 1, "state_dict": {f"module.{n}": t for n, t in odd.items()}, "optimizer": {"state": {0: base}}}
    whole = safetensors.torch.save({name: tensor.contiguous().clone() for name, tensor in tensors.items()})
    shards = {"1.safetensors": whole, "2.safetensors": safetensors.torch.save({"h": base})}
    names = dict.fromkeys(tensors, "1.safetensors") | {"h": "2.safetensors"}
    index = json.dumps({"metadata": {"total_size": 1}, "weight_map": names}).encode()
    zips = tuple(_saved(value) for value in (tensors, training))
    old = tuple(_saved(value, _use_new_zipfile_serialization=False) for value in (tensors, training))
    read, plain, text = container.read, mutate.anything, mutate.json_text
    return [
        Reader("safetensors", 0.2, "x", (whole,), (plain, mutate.safetensors), read, {}),
        Reader("torch.save", 0.25, "x", zips, (plain, mutate.zipped, mutate.zipped), read, {}),
        Reader("torchscript", 0.15, "x", (_script(),), (plain, mutate.zipped, mutate.zipped), read, {}),
        Reader("legacy", 0.2, "x", old, (plain, mutate.legacy, mutate.legacy), read, {}),
        Reader("index", 0.08, "x.index.json", (index,), (plain, text, text, text), read, shards),
        *_folders((plain, text, text, text)),
    ]


def _saved(value: Any, **how: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **how)
    return buffer.getvalue()


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(4), nn.Linear(4, 4).half()
        self.register_buffer("running", torch.ones(4))
        self.names, self.sizes = ["a"], [1, 2]

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.norm(rows) + self.running


def _script() -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, but the published archives use it
        buffer = io.BytesIO()
        torch.jit.save(torch.jit.script(nn.Sequential(Block(), nn.Sequential(Block()))), buffer)
    return buffer.getvalue()


def _folders(damage: tuple[mutate.Mutator, ...]) -> Iterator[Reader]:
    """A small model in each layout, for damage to its configuration."""
    whole = preset("ViT-B-32")
    image = replace(whole.image, size=(32, 32), tower=ViT(64, 1, 1, 16, 256, "quickgelu"))
    text = replace(whole.text, tower=CausalText(49408, 64, 1, 1, 256, "quickgelu"))
    contract = whole.replace(image=image, text=text, embedding=16)
    with tempfile.TemporaryDirectory() as scratch:
        ours = Path(scratch) / "native"
        native.write(ours, contract, {n: np.zeros(s, np.float32) for n, s in expected(contract).items()}, "float16")
        checkpoint = native.read(ours)
        for layout, name in ((native, FILE_NAME), (open_clip, "open_clip_config.json"), (transformers, "config.json")):
            folder = ours
            if layout is not native:
                folder = Path(scratch) / name
                layout.write(folder, checkpoint)
            files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
            seed = files.pop(name)
            yield Reader(name, 0.04, name, (seed,), damage, _of_folder(layout.read), files)


def _of_folder(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    return lambda path: read(path.parent)


if __name__ == "__main__":
    main()
