"""Progress of a run on stderr: a bar on a terminal, else a plain line every ten seconds. Or calls of a function.

A run continues if stderr cannot be written, for example after its terminal was closed.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as RichProgress

PLAIN_SECONDS = 10.0


class RunDisplay(Protocol):
    """What the loop tells of a run; a context during the run."""

    def step(self, done: int, loss: float) -> None: ...

    def note(self, text: str) -> None: ...

    def pause(self) -> None: ...

    def __enter__(self) -> RunDisplay: ...

    def __exit__(self, *error: object) -> None: ...


def display(name: str, step: int, steps: int, progress: bool | Callable[[int, int], object]) -> RunDisplay:
    """A bar, shown or not, or the calls of a function of (completed steps, steps)."""
    if callable(progress):
        return StepCalls(progress, step, steps)
    return ProgressBar(name, step, steps, progress)


class StepCalls:
    """Calls a function at the start and after each step; prints nothing."""

    def __init__(self, call: Callable[[int, int], object], step: int, steps: int) -> None:
        self._call, self._step, self._steps = call, step, steps

    def step(self, done: int, loss: float) -> None:
        self._call(done, self._steps)

    def note(self, text: str) -> None:
        """Notes are for people who watch a terminal."""

    def pause(self) -> None:
        """Calls state no rate."""

    def __enter__(self) -> StepCalls:
        self._call(self._step, self._steps)
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to end."""


class ProgressBar:
    """Shows steps per second (smoothed), loss and time left. `shown=False` shows only notes."""

    def __init__(self, name: str, step: int, steps: int, shown: bool) -> None:
        self._name, self._steps, self._shown = name, steps, shown
        self._seconds, self._before, self._printed = 0.0, time.monotonic(), time.monotonic()
        self._bar: RichProgress | None = None
        if shown and sys.stderr is not None and sys.stderr.isatty():
            console = Console(stderr=True, highlight=False, soft_wrap=True)
            name_column, text_column = TextColumn("{task.description}"), TextColumn("{task.fields[text]}")
            self._bar = RichProgress(name_column, BarColumn(), MofNCompleteColumn(), text_column, console=console)
            self._row = self._bar.add_task(name, total=steps, completed=step, text="")

    def step(self, done: int, loss: float) -> None:
        """Shows that `done` steps are completed, the last one with this loss."""
        now = time.monotonic()
        seconds = max(now - self._before, 1e-9)
        self._seconds = 0.95 * self._seconds + 0.05 * seconds if self._seconds else seconds  # of a step, smoothed
        self._before = now
        text = f"loss {loss:.4f}  {1 / self._seconds:.2f} steps/s  {_clock((self._steps - done) * self._seconds)} left"
        if self._bar is not None:
            self._bar.update(self._row, completed=done, text=text)
        elif self._shown and (now - self._printed >= PLAIN_SECONDS or done == self._steps):
            self._printed = now
            self._print(f"step {done}/{self._steps}  {text}")

    def note(self, text: str) -> None:
        """Prints one line above the bar."""
        self._print(text)

    def pause(self) -> None:
        """Excludes the time since the last step (validation, a checkpoint) from the rate."""
        self._before = time.monotonic()

    def __enter__(self) -> ProgressBar:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.stop()

    def _print(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # stderr is gone, or closed
            if self._bar is not None:
                self._bar.console.print(f"{self._name}: {text}", markup=False)
            elif sys.stderr is not None:
                print(f"{self._name}: {text}", file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
