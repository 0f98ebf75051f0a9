"""What the library tells of long work: a bar on a terminal, one note elsewhere, nothing when quiet."""

from __future__ import annotations

import logging

import pytest

from contralto import progress
from contralto.cli import console as consoles
from contralto.cli.console import Console

LIBRARY = "contralto"


def work(console: Console, stage: str = "reading", upto: int = 3) -> list[object]:
    """Long work of the library; the bar's function after each record."""
    seen = []
    for done in range(upto + 1):
        progress.log_progress(stage, done, 3, "now")
        seen.append(console.bar)
    return seen


@pytest.fixture
def console(monkeypatch) -> Console:
    monkeypatch.setattr(consoles, "_terminal", lambda stream: True)
    return Console()


def test_without_a_terminal_the_beginning_is_noted_once(capsys) -> None:
    console = Console()
    with console.notes_of(LIBRARY):
        work(console)
        logging.getLogger(LIBRARY).info("an event")
    assert capsys.readouterr().err == "note: reading: now ...\nnote: an event\n"


def test_quiet_says_nothing(capsys) -> None:
    console = Console()
    console.quiet = True
    with console.notes_of(LIBRARY):
        work(console)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_a_bar_lives_from_the_first_record_to_the_last(console: Console) -> None:
    with console.notes_of(LIBRARY):
        for stage in ("reading", "measuring"):
            *during, after = work(console, stage)
            assert None not in during
            assert after is None


def test_a_bar_of_work_that_was_interrupted_ends(console: Console) -> None:
    with console.notes_of(LIBRARY):
        assert None not in work(console, upto=1)
    assert console.bar is None


def test_the_bar_of_a_command_shows_what_the_library_does_meanwhile(console: Console) -> None:
    with console.notes_of(LIBRARY), console.progress("pictures", 9) as advance:
        advance()
        own = console.bar
        assert own is not None
        assert work(console) == [own] * 4
        advance()
        assert console.bar is own
    assert console.bar is None
