"""A contest: each contender runs in its own process, and they compute in turns, round by round: A B C A B C.

So each contender has its own threads and interpreter (`--peers PYTHON` if this one lacks a peer), and load by other
processes affects all contenders equally. A contender that cannot start is listed with the reason.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from machine import Disturbance

WORKER = Path(__file__).parent / "worker.py"

Kind = Literal["ours", "baseline", "peer"]


@dataclass(frozen=True)
class Contender:
    """kind: ours; baseline: a reference implementation in its default precision; peer: any other."""

    name: str
    module: str
    kind: Kind
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """Of one contender: the median seconds of each round, and the value of the last call."""

    seconds: list[float]
    value: Any

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


class ContenderError(Exception):
    """The error of a contender, in one line."""


class Worker:
    """The process of a contender. Raises ContenderError if it cannot start."""

    def __init__(self, contender: Contender, python: str, scratch: Path) -> None:
        self._scratch, self._log = scratch, (scratch / "log.txt").open("w+")
        command = [python, str(WORKER), contender.module, json.dumps(contender.options)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        try:
            self.about = self._reply()["about"]
        except ContenderError:
            self.close()
            raise

    def call(self, method: str, arguments: dict[str, Any], min_seconds: float = 0.0) -> tuple[list[float], Any]:
        """(seconds of each call, the value of the last call); repeats the call until `min_seconds` have passed."""
        out = str(self._scratch / "out.npy")
        request = {"call": method, "arguments": arguments, "min_seconds": min_seconds, "out": out}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        reply = self._reply()
        value = reply["value"]
        return reply["seconds"], np.load(value["npy"]) if isinstance(value, dict) and "npy" in value else value

    def _reply(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            last = (self._log.read().strip().splitlines() or ["no output"])[-1]
            raise ContenderError(f"the process ended with {self._process.wait()}: {last[:200]}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise ContenderError(reply["error"])
        return reply

    def close(self) -> None:
        """Closes the input of the process, which ends it."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()
        self._process.wait()
        self._log.close()


class Contest:
    """`workers`: the running contenders by name; `absent`: the reason for each contender that could not run."""

    def __init__(self, contenders: list[Contender], pythons: list[str], scratch: Path) -> None:
        self.kinds = {one.name: one.kind for one in contenders}
        self.workers: dict[str, Worker] = {}
        self.absent: dict[str, str] = {}
        self.others = Disturbance()
        for place, one in enumerate(contenders):
            self._start(one, pythons, scratch / f"contender-{place}")

    def _start(self, one: Contender, pythons: list[str], scratch: Path) -> None:
        """Starts a contender in the first interpreter that can run it; ours only in the current one."""
        model = one.options.get("model")
        if model and not Path(model).is_dir():
            self.absent[one.name] = f"no folder {Path(model).name}: that layout has no place for this architecture"
            return
        reasons = []
        for python in pythons[:1] if one.kind == "ours" else pythons:
            scratch.mkdir(parents=True, exist_ok=True)
            try:
                self.workers[one.name] = Worker(one, python, scratch)
                return
            except ContenderError as error:
                reasons.append(str(error) if python == pythons[0] else f"{error} ({python})")
        self.absent[one.name] = "; ".join(dict.fromkeys(reasons))

    def run(
        self,
        method: str,
        arguments: Callable[[int, str], dict[str, Any]],
        runs: int,
        *,
        min_seconds: float = 0.0,
        warm_up: bool = True,
        after: Callable[[], None] | None = None,
    ) -> dict[str, Result]:
        """The results of each contender over `runs` rounds, after a warm-up round with number 0.

        arguments(round, contender) returns the arguments of its method. min_seconds: per turn. after: called after each
        round.
        """
        seconds: dict[str, list[float]] = {name: [] for name in self.workers}
        values: dict[str, Any] = {}
        for turn in range(0 if warm_up else 1, runs + 1):
            for name, worker in list(self.workers.items()):
                self.others.pause()
                try:
                    took, values[name] = worker.call(method, arguments(turn, name), min_seconds if turn else 0.0)
                except ContenderError as error:
                    self._remove(name, str(error))
                    continue
                if turn:
                    seconds[name].append(statistics.median(took))
            if after is not None:
                after()
        return {name: Result(seconds[name], values[name]) for name in self.workers}

    def ask(self, method: str, **arguments: Any) -> dict[str, Any]:
        """The answer of each contender."""
        return {name: worker.call(method, arguments)[1] for name, worker in self.workers.items()}

    def _remove(self, name: str, reason: str) -> None:
        self.workers.pop(name).close()
        self.absent[name] = reason

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()


@contextmanager
def contest(contenders: list[Contender], options: argparse.Namespace) -> Iterator[Contest]:
    scratch = Path(tempfile.mkdtemp(prefix="contralto-contest-"))
    running = None
    try:
        running = Contest(contenders, interpreters(options), scratch)
        yield running
    finally:
        if running is not None:
            running.close()
        shutil.rmtree(scratch)


def interpreters(options: argparse.Namespace) -> list[str]:
    return [sys.executable, *(shutil.which(python) or python for python in options.peers)]


def saved(array: np.ndarray, path: Path) -> dict[str, str]:
    """Saves an array and returns it as an argument for a worker."""
    np.save(path, array)
    return {"npy": str(path)}


def parser(description: str | None, *, runs: int, model: bool = True) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks share."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--runs", type=int, default=runs, help=f"number of measured rounds (default: {runs})")
    made.add_argument("--quick", action="store_true", help="fewer rounds and less input")
    made.add_argument(
        "--json", action="store_true", help="print one JSON object per row on stdout, everything else on stderr"
    )
    help = "another interpreter, for peers that this one lacks; can be repeated"
    made.add_argument("--peers", metavar="PYTHON", action="append", default=[], help=help)
    help = "folder for models and input, reused by later runs (default: a temporary folder)"
    made.add_argument("--models", metavar="DIR", type=Path, help=help)
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    help = "folder with captions, class names and photographs (default: ../shared/data)"
    made.add_argument("--data", metavar="DIR", type=Path, default=beside, help=help)
    if model:
        made.add_argument("--model", metavar="PRESET", default="ViT-B-32", help="default: ViT-B-32")
    return made


def rounds(options: argparse.Namespace) -> int:
    return min(options.runs, 2) if options.quick else int(options.runs)
