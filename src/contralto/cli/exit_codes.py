"""Exit codes of the commands, and the error for wrong usage that argparse cannot detect."""

from __future__ import annotations

OK, FAILED, USAGE, PARTLY, HUNG_UP, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 129, 130, 143


class UsageError(Exception):
    """Wrong usage of `command`; the message says what is wrong."""

    def __init__(self, command: str, message: str) -> None:
        super().__init__(message)
        self.command = command


def exit_code(used: int, failed: int) -> int:
    """0 if every input was used, 3 if some failed, 1 if none could be used."""
    return FAILED if not used else PARTLY if failed else OK
