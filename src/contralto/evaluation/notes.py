"""Notes for users, through the logger `contralto`: they are worth knowing, but are not failures."""

from __future__ import annotations

import logging
from typing import Final

from contralto.sets.data_set import DataSet

NOTES: Final = logging.getLogger("contralto")


def note_left_out(data: DataSet, *, failed: bool = False) -> None:
    """Notes which files of a split are not measured.

    failed: also how many samples cannot be used, and the first of them. The measured split needs no such note, as its
    outcomes list each of them as a failure.
    """
    where = f"{data.name}:{data.split}"
    for sentence in data.left_out.sentences():
        NOTES.info("%s: %s", where, sentence)
    if failed and data.left_out.failed:
        NOTES.info("%s: %d samples cannot be used: %s", where, len(data.left_out.failed), data.left_out.first())
