"""The output of a command: results on stdout, as text or as JSON lines; everything else on stderr."""

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
    """The streams of one command. `saved_work` is the message on interruption: it says which work is saved."""

    def __init__(self) -> None:
        self.json = self.quiet = self.debug = False
        self.saved_work = "nothing was written"
        self.bar: Callable[[str, int, int], None] | None = None  # updates the current bar; None without a bar
        self._library_bar = contextlib.ExitStack()  # holds the bar for stages that the library logs
        for stream in (sys.stdout, sys.stderr):  # escape characters that the terminal cannot encode
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")

    def line(self, text: str = "") -> None:
        """Writes a line of the result. Raises OSError if the disk is full or the program that reads it has ended."""
        with _stdout():
            if sys.stdout is None:
                raise OSError("is closed")
            sys.stdout.write(text + "\n")

    def record(self, value: dict[str, Any]) -> None:
        """Writes a result as one line of ASCII JSON. A name that is not UTF-8 is written with surrogate escapes."""
        self.line(json.dumps(value, allow_nan=False))

    def failure(self, path: str, reason: str) -> None:
        """Reports an input that could not be used, even with --quiet: it explains the exit code."""
        self.error(json.dumps({"path": path, "error": reason}) if self.json else f"{printable(path)}: {reason}")

    def note(self, text: str) -> None:
        """Writes a note to stderr, unless --quiet is given. A note is not a failure."""
        if not self.quiet:
            self.error(f"note: {one_line(text, 1000)}")

    @contextlib.contextmanager
    def notes_of(self, logger: str) -> Iterator[None]:
        """Shows the log records of the library: progress records as a bar, all others as notes."""
        handler = _Notes(self)
        log = logging.getLogger(logger)
        level = log.level
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        try:
            yield
        finally:
            self._library_bar.close()
            log.removeHandler(handler)
            log.setLevel(level)

    def show_stage(self, stage: str, done: int, total: int, text: str) -> None:
        """Shows the progress of the library in the current bar, or in a new one; without a terminal, as one note."""
        if self.quiet or not _terminal(sys.stderr):
            if done == 0:
                self.note(f"{text} ...")
            return
        if self.bar is None:
            self.bar = self._library_bar.enter_context(self.stages())
        self.bar(stage, done, total)
        if done >= total:
            self._library_bar.close()

    def error(self, text: str) -> None:
        """Writes a line to stderr. A failure to write is ignored: no other channel is left."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def stop(self) -> None:
        """Ends the output after Ctrl-C or TERM."""
        with contextlib.suppress(OSError):
            self.flush()
        self.error(f"stopped: {self.saved_work}")

    def flush(self) -> None:
        """Flushes stdout. Raises OSError if the result cannot be written."""
        with _stdout():
            if sys.stdout is not None:
                sys.stdout.flush()

    def abandon(self) -> None:
        """Discards the buffered output, because stdout can no longer be written."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)

    def bold(self, text: str) -> str:
        """Bold on a terminal, unless NO_COLOR is set."""
        return f"\033[1m{text}\033[0m" if _coloured(sys.stdout) else text

    def dim(self, text: str) -> str:
        """Faint on a terminal, unless NO_COLOR is set."""
        return f"\033[2m{text}\033[0m" if _coloured(sys.stdout) else text

    @contextlib.contextmanager
    def progress(self, what: str, total: int, *, streams: bool = False) -> Iterator[Callable[[], None]]:
        """Yields a function to call after each of `total` items. On a terminal it moves a bar with rate and time left.

        streams: the command prints results at the same time. No bar is shown if both would go to the terminal.
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
        """Yields a function of (stage, done, total). It shows a bar for the latest stage."""
        if self.quiet or not _terminal(sys.stderr) or (streams and _terminal(sys.stdout)):
            yield lambda stage, done, total: None
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
                text = f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
                bar.update(bar.task_ids[0], completed=done, total=total, rate=text if done > first else "")

            outer, self.bar = self.bar, tell
            try:
                yield tell
            finally:
                self.bar = outer

    @contextlib.contextmanager
    def download(self) -> Iterator[Callable[[int, int], None]]:
        """Yields a function of (bytes done, total bytes). On a terminal its first call shows a bar."""
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
    """Names standard output in an OSError, except in BrokenPipeError: it is not a failure if the reader has ended."""
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
            self._console.show_stage(record.stage, record.done, total, record.getMessage())  # type: ignore[attr-defined]
        else:
            self._console.note(record.getMessage())


def printable(path: str) -> str:
    """A name for display: control characters and bytes that are not UTF-8 are escaped; nothing is cut."""
    return one_line(path, PATH_LIMIT)


def _terminal(stream: IO[str] | None) -> bool:
    return stream is not None and stream.isatty()


def _coloured(stream: IO[str] | None) -> bool:
    return _terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
