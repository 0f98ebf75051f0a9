"""`contralto COMMAND ...`: finds and runs the command, and turns every error into one line and an exit code.

Exit codes: 0 success; 1 failure, or no input was usable; 2 wrong usage; 3 finished, but some inputs could not be used;
130 Ctrl-C; 143 TERM; 129 the terminal was closed (HUP).
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from types import FrameType

from contralto.cli.commands import COMMANDS, GROUPS, Parser
from contralto.cli.console import Console
from contralto.cli.exit_codes import FAILED, HUNG_UP, INTERRUPTED, OK, TERMINATED, USAGE, UsageError
from contralto.errors import ContraltoError, one_line


class TerminationSignal(BaseException):
    """The process received TERM, or HUP, which a closed terminal sends."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code. Every Exception becomes an exit code."""
    console = Console()
    with _termination_signals(), warnings.catch_warnings(), console.notes_of("contralto"):
        warnings.filterwarnings(
            "ignore", module="PIL"
        )  # Pillow warns of a damaged EXIF block even if the picture is fine
        code = _guarded(sys.argv[1:] if argv is None else list(argv), console)
    if argv is None and code in (INTERRUPTED, TERMINATED, HUNG_UP):
        os._exit(code)  # do not wait for threads that still decode a large picture
    return code


def _guarded(arguments: list[str], console: Console) -> int:
    try:
        code = _command(arguments, console)
        console.flush()
    except UsageError as error:
        console.error(f"{error.command}: {one_line(str(error))}\nsee {error.command} --help")
        code = USAGE
    except SystemExit as stop:  # argparse, after --help
        code = OK if stop.code is None else int(stop.code)
    except BrokenPipeError as error:
        if error.filename is None:  # the reader of stdout closed it, as head does
            console.abandon()
            code = OK
        else:  # the output file is a pipe whose reader has ended
            code = _failed(error, console)
    except KeyboardInterrupt:
        console.stop()
        code = INTERRUPTED
    except TerminationSignal as stop:
        console.stop()
        code = stop.code
    except Exception as error:
        code = _failed(error, console)
    return code


def _command(arguments: list[str], console: Console) -> int:
    """Finds the command, reads its options and runs it."""
    name = arguments[0] if arguments else ""
    if name in ("-h", "--help"):
        console.line(_help())
        return OK
    if name == "--version":
        from contralto.version import __version__

        console.line(f"contralto {__version__}")
        return OK
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"; did you mean {close[0]}?" if close else f": choose from {', '.join(COMMANDS)}"
        raise UsageError("contralto", f"unknown command {name!r}{hint}" if name else f"name a command{hint}")
    module = importlib.import_module(f"contralto.cli.{name}")
    parser = Parser.of(name, module.__doc__)
    module.options(parser)
    args = parser.parse(arguments[1:])
    console.json, console.quiet, console.debug = args.json, args.quiet, args.debug
    return int(module.run(args, console))


def _failed(error: Exception, console: Console) -> int:
    if console.debug:
        console.error("".join(traceback.format_exception(error)).rstrip())
    elif isinstance(error, ContraltoError):
        console.error(f"contralto: {_flat(error)}")
    elif isinstance(error, OSError):  # for example a full disk or a closed output
        from contralto.files import error_text

        console.error(f"contralto: {error_text(error)}")
    else:
        console.error(
            f"contralto: internal error (--debug shows the traceback): {type(error).__name__}: {_flat(error)}"
        )
    try:
        console.flush()
    except OSError:
        console.abandon()
    return FAILED


def _flat(error: Exception) -> str:
    return one_line(str(error), 1000)


def _help() -> str:
    width = max(map(len, COMMANDS))
    groups = "\n\n".join(
        "\n".join([f"{title}:", *(f"  {name:{width}}  {command.description}" for name, command in group.items())])
        for title, group in GROUPS.items()
    )
    return (
        "CLIP: pictures and texts in one embedding space.\n\n"
        f"usage: contralto COMMAND ...\n\n{groups}\n\n"
        "contralto COMMAND --help shows its options; contralto --version shows the version.\n\n"
        '  contralto classify cat.jpg --labels cat dog "red car"\n'
        '  contralto search ~/Pictures "a dog on the beach"'
    )


@contextlib.contextmanager
def _termination_signals() -> Iterator[None]:
    """TERM and HUP end the command as Ctrl-C does, so finished work is saved. Repeated signals have no effect.

    An ignored signal stays ignored: nohup ignores HUP.
    """
    ending = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal ending
        if not ending:
            ending = True
            raise TerminationSignal(number)

    before: dict[int, object] = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
        before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
