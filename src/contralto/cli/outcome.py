"""How a command ends: exit codes, and wrong usage that the parser itself cannot see."""

from __future__ import annotations

OK, FAILED, USAGE, PARTLY, HUNG_UP, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 129, 130, 143


class Usage(Exception):
    """Wrong usage of `command`; the message says what."""

    def __init__(self, command: str, message: str) -> None:
        super().__init__(message)
        self.command = command


def code(used: int, failed: int) -> int:
    """0; 3 if some inputs could not be used; 1 if none could."""
    return FAILED if not used else PARTLY if failed else OK
