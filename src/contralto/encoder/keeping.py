"""What all caches of rows have in common: the name of everything that decides a row, and how an outcome is stored.

A row depends on its item, which each cache knows by its path or content, and on what `identity` states: a cache that is
keyed by that answers exactly what is asked. A failure is kept only if the bytes alone decide it (`ItemError.lasting`),
and even then it counts only for the reader that judged it: an upgraded one may read what its predecessor refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import PIL

from contralto.embeddings import Embeddings
from contralto.encoder.clip import Clip
from contralto.engine.base import TowerName
from contralto.engine.machine import runtime
from contralto.image.formats import readers
from contralto.version import __version__

Outcome = Embeddings | str
"""A row float32 (d,), or the reason why there is none."""

COLUMNS: Final = "row BLOB, failure TEXT, judge TEXT"
"""Of an SQLite table, in which `packed` and `unpacked` keep an outcome."""


def identity(clip: Clip, *sides: TowerName) -> dict[str, Any]:
    """What decides the rows of these towers besides the items themselves, fit for JSON.

    Another version of Contralto, of the runtime or of Pillow may compute other rows. Not in it is the processor: the
    bounds that hold for a precision hold on all of them.
    """
    stated: dict[str, Any] = {
        "contralto": __version__,
        "contract": clip.contract.hash,
        "engine": clip.engine,
        "runtime": runtime(clip.engine),
        "device": clip.device.partition(":")[0],
        "reproducible": clip.reproducible,
        **{side: clip.made_in(side) for side in sides},
    }
    return stated | ({"decode": clip.decode, "pillow": PIL.__version__} if "image" in sides else {})


def digest(stated: object) -> bytes:
    """sha256 of what is fit for JSON, 32 bytes."""
    return hashlib.sha256(json.dumps(stated, sort_keys=True, separators=(",", ":")).encode()).digest()


def packed(outcome: Outcome) -> tuple[bytes | None, str | None, str | None]:
    """The values of COLUMNS."""
    if isinstance(outcome, str):
        return None, outcome.encode("utf-8", "backslashreplace").decode(), readers()
    return outcome.tobytes(), None, None


def unpacked(columns: Sequence[Any], width: int) -> Outcome | None:
    """The outcome with these values of COLUMNS, a row being of `width` numbers. None for what cannot be used here."""
    row, failure, judge = columns
    if row is not None:
        return np.frombuffer(row, np.float32) if len(row) == 4 * width else None
    return str(failure) if judge == readers() else None
