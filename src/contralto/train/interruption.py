"""Ctrl-C, TERM and HUP end a run between two steps, so that it can save its state."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interruption:
    """A context that delays the caller's signal handlers to the end of a step.

    A signal within `held` takes effect when the block ends, any other signal at once. After a handler has raised,
    further signals are dropped, because the run is already ending and writes its checkpoint. Signals that the caller
    ignores or leaves to the system are unchanged. Outside the main thread, which alone receives signals, the context
    does nothing.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._held = False
        self._waiting: int | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Delays signals to the end of the block."""
        if self._held:  # nested, or the run is ending
            yield
            return
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._waiting is not None:
            number, self._waiting = self._waiting, None
            self._receive(number, None)

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._held:
            self._waiting = self._waiting or number
            return
        self._held = True  # stays so if the handler raises
        self._handlers[number](number, frame)
        self._held = False
