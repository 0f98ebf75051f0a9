"""A contest: every contender is a process of its own, and they compute one after another, round by round: A B C A B C.

So each has its own threads and its own interpreter (`--peers PYTHON`, where the project's lacks a peer), none disturbs
another, and what else the machine does falls on all alike. Who cannot take part is listed with the reason.
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
    """Of a contender over the rounds: the median of each round, and what it gave in the last."""

    seconds: list[float]
    value: Any

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


class Failed(Exception):
    """What a contender said, in one line."""


class Worker:
    """The process of a contender. Raises Failed if it cannot start."""

    def __init__(self, contender: Contender, python: str, scratch: Path) -> None:
        self._scratch, self._log = scratch, (scratch / "log.txt").open("w+")
        command = [python, str(WORKER), contender.module, json.dumps(contender.options)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        try:
            self.about = self._reply()["about"]
        except Failed:
            self.close()
            raise

    def call(self, method: str, arguments: dict[str, Any], least: float = 0.0) -> tuple[list[float], Any]:
        """(seconds of each call, the value of the last); it is called until `least` seconds have gone by."""
        out = str(self._scratch / "out.npy")
        request = {"call": method, "arguments": arguments, "least": least, "out": out}
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
            last = (self._log.read().strip().splitlines() or ["nothing said"])[-1]
            raise Failed(f"the process ended with {self._process.wait()}: {last[:200]}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise Failed(reply["error"])
        return reply

    def close(self) -> None:
        """The end of its input ends the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()
        self._process.wait()
        self._log.close()


class Contest:
    """The contenders that could start (`workers`, by name), and of each other why not (`absent`)."""

    def __init__(self, contenders: list[Contender], pythons: list[str], scratch: Path) -> None:
        self.kinds = {one.name: one.kind for one in contenders}
        self.workers: dict[str, Worker] = {}
        self.absent: dict[str, str] = {}
        self.others = Disturbance()
        for place, one in enumerate(contenders):
            self._start(one, pythons, scratch / f"contender-{place}")

    def _start(self, one: Contender, pythons: list[str], scratch: Path) -> None:
        """In the first interpreter where it can; ours only in the one that runs this."""
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
            except Failed as error:
                reasons.append(str(error) if python == pythons[0] else f"{error} ({python})")
        self.absent[one.name] = "; ".join(dict.fromkeys(reasons))

    def run(
        self,
        method: str,
        arguments: Callable[[int, str], dict[str, Any]],
        runs: int,
        *,
        least: float = 0.0,
        warm_up: bool = True,
        after: Callable[[], None] | None = None,
    ) -> dict[str, Result]:
        """Each contender's results of `runs` rounds, after one, number 0, that does not count.

        arguments(round, contender) is what its method is given; least: seconds that a turn lasts at least. after:
        called when a round is over.
        """
        seconds: dict[str, list[float]] = {name: [] for name in self.workers}
        values: dict[str, Any] = {}
        for turn in range(0 if warm_up else 1, runs + 1):
            for name, worker in list(self.workers.items()):
                self.others.pause()
                try:
                    took, values[name] = worker.call(method, arguments(turn, name), least if turn else 0.0)
                except Failed as error:
                    self._leaves(name, str(error))
                    continue
                if turn:
                    seconds[name].append(statistics.median(took))
            if after is not None:
                after()
        return {name: Result(seconds[name], values[name]) for name in self.workers}

    def ask(self, method: str, **arguments: Any) -> dict[str, Any]:
        """What each that can answers."""
        return {name: worker.call(method, arguments)[1] for name, worker in self.workers.items()}

    def _leaves(self, name: str, reason: str) -> None:
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
    """An array as an argument for a worker."""
    np.save(path, array)
    return {"npy": str(path)}


def parser(description: str | None, *, runs: int, model: bool = True) -> argparse.ArgumentParser:
    """The options that all benchmarks have."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--runs", type=int, default=runs, help=f"rounds that count (default: {runs})")
    made.add_argument("--quick", action="store_true", help="a short form: fewer rounds, less material")
    made.add_argument("--json", action="store_true", help="an object a row on stdout, all else on stderr")
    help = "another interpreter, for peers that the running one lacks; may be given several times"
    made.add_argument("--peers", metavar="PYTHON", action="append", default=[], help=help)
    help = "where models and material are kept between runs (default: a temporary folder)"
    made.add_argument("--models", metavar="DIR", type=Path, help=help)
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    help = "captions, class names and photographs, if there (default: ../shared/data)"
    made.add_argument("--data", metavar="DIR", type=Path, default=beside, help=help)
    if model:
        made.add_argument("--model", metavar="PRESET", default="ViT-B-32", help="default: ViT-B-32")
    return made


def rounds(options: argparse.Namespace) -> int:
    return min(options.runs, 2) if options.quick else int(options.runs)
