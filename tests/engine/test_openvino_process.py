"""Threads, forks, and what a process of the default engine loads, opens and writes. Each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.small_models import ids, pixels

from contralto.engine import start
from contralto.weights.checkpoint import Checkpoint

Make = Callable[..., Checkpoint]

PREPARE = """
import os, sys, time
import numpy as np
from contralto.engine import start
from contralto.weights.native import read
model = read(sys.argv[1])
engine = start(model)
texts = np.array([[5, 6, 49]])
pixels = np.ones((1, 3, *model.contract.image.size), np.float32)
"""


def run(program: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PREPARE + program, str(folder)],
        check=False,
        timeout=60,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_threads_get_the_rows_of_a_single_one(checkpoint: Make) -> None:
    model = checkpoint()
    images, texts = pixels(model.contract, 8), ids(model.contract, 8)
    alone = start(model)
    want = [(alone.image(images[i : i + 1]), alone.text(texts[i : i + 1])) for i in range(8)]
    shared = start(model)  # the towers are compiled while several threads ask

    def ask(i: int) -> tuple[np.ndarray, np.ndarray]:
        return shared.image(images[i % 8][None]), shared.text(texts[i % 8][None])

    with ThreadPoolExecutor(8) as threads:
        for i, rows in enumerate(threads.map(ask, range(64))):
            assert all((got == kept).all() for got, kept in zip(rows, want[i % 8], strict=True))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_a_forked_child_computes_and_ends(checkpoint: Make) -> None:
    """The child uses one tower that the parent had compiled, one that it had not, and leaves by the usual way."""
    program = """
before = engine.text(texts)
time.sleep(0.5)  # a fork while the runtime's own threads still hold a lock would copy the lock
child = os.fork()
if child == 0:
    assert (engine.text(texts) == before).all()
    assert engine.image(pixels).shape == (1, 24)
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert (engine.text(texts) == before).all()
"""
    run(program, checkpoint().folder)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_eager_says_so_instead_of_hanging_in_a_forked_child(checkpoint: Make) -> None:
    program = """
from contralto.errors import ContraltoError
engine = start(model, engine="eager")
engine.text(texts)
if os.fork() == 0:
    try:
        engine.text(texts)
    except ContraltoError as error:
        os._exit(7 if "before a fork" in str(error) else 1)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    assert run(program, checkpoint().folder).strip() == "7"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_a_forked_child_that_computes_nothing_ends(checkpoint: Make) -> None:
    program = """
engine.text(texts)
time.sleep(0.5)  # a fork while the runtime's own threads still hold a lock would copy the lock
child = os.fork()
if child == 0:
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
    run(program, checkpoint().folder)


def test_no_torch_no_connection_no_telemetry_no_stray_file(checkpoint: Make, tmp_path: Path) -> None:
    """Neither the runtime nor we start a process, touch a socket or write a file."""
    program = """
seen = []
def watch(event, arguments):
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if event.startswith(("socket.", "os.fork", "os.posix_spawn", "subprocess.")) or writes:
        seen.append((event, arguments))
sys.addaudithook(watch)
engine.text(texts), engine.image(pixels)
assert not seen, seen
assert "torch" not in sys.modules
assert "openvino_telemetry" not in sys.modules
import openvino
assert openvino.convert_model  # what the host program may want of openvino is still there
"""
    run(program, checkpoint().folder, HOME=str(tmp_path), PYTHONDONTWRITEBYTECODE="1")
    assert not list(tmp_path.iterdir())


def test_a_process_that_asks_texts_never_reads_the_picture_tower(checkpoint: Make) -> None:
    program = """
engine.text(texts)
assert {side for side, _ in engine._towers} == {"text"}
"""
    run(program, checkpoint().folder)


def test_ctrl_c_after_engines_were_freed_is_an_exception_not_a_crash(checkpoint: Make) -> None:
    """OpenVINO's plugin replaces the signal stack of the thread that loads it."""
    program = """
import gc, signal, time
other = start(model)
other.image(pixels), engine.text(texts), engine.image(pixels)
del engine
gc.collect()
del other
gc.collect()
heap = [bytearray(11_000) for _ in range(1000)]
try:
    os.kill(os.getpid(), signal.SIGINT)
    end = time.monotonic() + 10  # any thread of the process may take the signal, and tell ours a little later
    while time.monotonic() < end:
        pass
except KeyboardInterrupt:
    print("interrupted")
"""
    assert run(program, checkpoint().folder).strip() == "interrupted"
