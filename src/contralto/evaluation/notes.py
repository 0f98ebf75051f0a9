"""Notes for whoever measures, by the logger `contralto`: what is worth knowing and is no failure."""

from __future__ import annotations

import logging
from typing import Final

from contralto.sets.data_set import DataSet

NOTES: Final = logging.getLogger("contralto")


def tell_left_out(data: DataSet, *, failed: bool = False) -> None:
    """What of the split's files is not measured. failed: also how many samples cannot be used, and the first of them;
    of the split that is measured, each is listed among the failures of its outcomes."""
    where = f"{data.name}:{data.split}"
    for sentence in data.left_out.sentences():
        NOTES.info("%s: %s", where, sentence)
    if failed and data.left_out.failed:
        NOTES.info("%s: %d samples cannot be used: %s", where, len(data.left_out.failed), data.left_out.first())
