"""What a command says: results on stdout, as text or as JSON lines; everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

from contralto.errors import one_line

PATH_LIMIT = 8192


class Console:
    """The streams of one command. `kept` is said when the command is interrupted: what of its work stays."""

    def __init__(self) -> None:
        self.json = self.quiet = self.debug = False
        self.kept = "nothing was written"
        self._bar: Callable[[str, int, int], None] | None = None  # of the command's own stages, while there are any
        self._own = contextlib.ExitStack()  # the bar of what the library tells, where there is no other
        for stream in (sys.stdout, sys.stderr):  # a character that the terminal lacks is no reason to fail
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")

    def line(self, text: str = "") -> None:
        """A line of the result. Raises OSError, a full disk or a reader that left."""
        with _stdout():
            if sys.stdout is None:
                raise OSError("is closed")
            sys.stdout.write(text + "\n")

    def record(self, value: dict[str, Any]) -> None:
        """A result as one line of JSON, in ASCII: a name that is not UTF-8 travels as surrogate escapes."""
        self.line(json.dumps(value, allow_nan=False))

    def failed(self, path: str, reason: str) -> None:
        """An input that could not be used. Told even when quiet: it is why the exit code is not 0."""
        self.error(json.dumps({"path": path, "error": reason}) if self.json else f"{shown(path)}: {reason}")

    def note(self, text: str) -> None:
        """Something worth knowing that is no failure."""
        if not self.quiet:
            self.error(f"note: {one_line(text, 1000)}")

    @contextlib.contextmanager
    def notes_of(self, logger: str) -> Iterator[None]:
        """What the library logs meanwhile as notes, and how far it is, as when it measures the machine, as a bar."""
        handler = _Notes(self)
        found = logging.getLogger(logger)
        level = found.level
        found.addHandler(handler)
        found.setLevel(logging.INFO)
        try:
            yield
        finally:
            self._own.close()
            found.removeHandler(handler)
            found.setLevel(level)

    def reached(self, stage: str, done: int, total: int, text: str) -> None:
        """How far the library is: in the bar that is shown, or one for this stage; a note where there are no bars."""
        if self.quiet or not _terminal(sys.stderr):
            if done == 0:
                self.note(f"{text} ...")
            return
        if self._bar is None:
            self._bar = self._own.enter_context(self.stages())
        self._bar(stage, done, total)
        if done >= total:
            self._own.close()

    def error(self, text: str) -> None:
        """A line on stderr; there is nobody to tell where that fails."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def stopped(self) -> None:
        """After Ctrl-C or TERM."""
        with contextlib.suppress(OSError):
            self.flush()
        self.error(f"stopped: {self.kept}")

    def flush(self) -> None:
        """Raises OSError if the result cannot be written."""
        with _stdout():
            if sys.stdout is not None:
                sys.stdout.flush()

    def abandon(self) -> None:
        """Nothing more can be written: what is left in the buffer goes nowhere, silently."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)

    def bold(self, text: str) -> str:
        """Bold on a terminal, unless NO_COLOR is set."""
        return f"\033[1m{text}\033[0m" if _coloured(sys.stdout) else text

    def dim(self, text: str) -> str:
        """Faint on a terminal, unless NO_COLOR is set."""
        return f"\033[2m{text}\033[0m" if _coloured(sys.stdout) else text

    @contextlib.contextmanager
    def progress(self, what: str, total: int, *, streams: bool = False) -> Iterator[Callable[[], None]]:
        """Gives a function to be called after each of `total` things: a bar with rate and time left on a terminal.

        streams: results are printed meanwhile; then there is no bar where both would share the terminal.
        """
        with self.stages(streams=streams) as tell:
            done = 0
            if total:
                tell(what, 0, total)

            def advance() -> None:
                nonlocal done
                done += 1
                tell(what, done, total)

            yield advance

    @contextlib.contextmanager
    def stages(self, *, streams: bool = False) -> Iterator[Callable[[str, int, int], None]]:
        """Gives a function for (what is done, done, total): a bar for the stage that it was last called with."""
        if self.quiet or not _terminal(sys.stderr) or (streams and _terminal(sys.stdout)):
            yield lambda what, done, total: None
            return
        from rich.console import Console as Terminal
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        rest = (TextColumn("{task.fields[rate]}"), TimeRemainingColumn(compact=True), TextColumn("left"))
        terminal = Terminal(stderr=True)
        with Progress(*columns, *rest, console=terminal, transient=True, redirect_stdout=False) as bar:
            stage, began, first = "", 0.0, 0

            def tell(what: str, done: int, total: int) -> None:
                nonlocal stage, began, first
                if what != stage or not bar.tasks:
                    for task in bar.task_ids:
                        bar.remove_task(task)
                    stage, began, first = what, time.monotonic(), done
                    bar.add_task(what, total=total, rate="")
                rate = (done - first) / max(time.monotonic() - began, 1e-6)
                told = f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
                bar.update(bar.task_ids[0], completed=done, total=total, rate=told if done > first else "")

            outer, self._bar = self._bar, tell
            try:
                yield tell
            finally:
                self._bar = outer

    @contextlib.contextmanager
    def download(self) -> Iterator[Callable[[int, int], None]]:
        """Gives a function for (bytes done, bytes in all): a bar from its first call on, if there is a terminal."""
        if self.quiet or not _terminal(sys.stderr):
            yield lambda done, total: None
            return
        from rich.console import Console as Terminal
        from rich.progress import DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

        columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        terminal = Terminal(stderr=True)
        bar = Progress(
            *Progress.get_default_columns()[:2], *columns, console=terminal, transient=True, redirect_stdout=False
        )

        def tell(done: int, total: int) -> None:
            if not bar.tasks:
                bar.start()
                bar.add_task("downloading", total=total)
            bar.update(bar.tasks[0].id, completed=done, total=total)

        try:
            yield tell
        finally:
            bar.stop()


@contextlib.contextmanager
def _stdout() -> Iterator[None]:
    """An error of writing says where; a reader that left is not one."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), "standard output") from error


class _Notes(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(total := getattr(record, "total", None), int):
            self._console.reached(record.stage, record.done, total, record.getMessage())  # type: ignore[attr-defined]
        else:
            self._console.note(record.getMessage())


def shown(path: str) -> str:
    """A name for people: control characters and bytes that are not UTF-8 are escaped, nothing is cut."""
    return one_line(path, PATH_LIMIT)


def _terminal(stream: IO[str] | None) -> bool:
    return stream is not None and stream.isatty()


def _coloured(stream: IO[str] | None) -> bool:
    return _terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
