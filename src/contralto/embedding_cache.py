"""Shared by all caches of embeddings: the key, and the form of a result in SQLite.

An embedding depends on its item, which each cache identifies by path or content, and on the facts that `identity`
states. A failure is cached only if the item's bytes alone decide it (`ItemError.lasting`), and it counts only for the
image reader that judged it: a newer reader may decode a file that an older one refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
import PIL

from contralto.contract import Contract
from contralto.embeddings import Embeddings
from contralto.engine.base import TowerName
from contralto.engine.machine import runtime
from contralto.image.formats import readers
from contralto.version import __version__

Outcome = Embeddings | str
"""An embedding float32 (d,), or the reason why there is none."""

COLUMNS: Final = "row BLOB, failure TEXT, judge TEXT"
"""SQL columns for one outcome; `pack` writes their values, `unpack` reads them."""


class EmbeddingSource(Protocol):
    """The facts about an encoder that a cache key needs; `contralto.encoder.Clip` has them."""

    @property
    def contract(self) -> Contract: ...
    @property
    def engine(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def reproducible(self) -> bool: ...
    @property
    def decode(self) -> str: ...

    def made_in(self, tower: TowerName, /) -> str: ...


def identity(source: EmbeddingSource, *towers: TowerName) -> dict[str, Any]:
    """Everything but the items that determines the embeddings of these towers, as JSON values.

    Another version of Contralto, of the runtime or of Pillow may compute other embeddings. The processor is left out,
    because the bounds of a precision hold on every processor.
    """
    stated: dict[str, Any] = {
        "contralto": __version__,
        "contract": source.contract.hash,
        "engine": source.engine,
        "runtime": runtime(source.engine),
        "device": source.device.partition(":")[0],
        "reproducible": source.reproducible,
        **{tower: source.made_in(tower) for tower in towers},
    }
    return stated | ({"decode": source.decode, "pillow": PIL.__version__} if "image" in towers else {})


def digest(stated: object) -> bytes:
    """sha256 of a JSON value, 32 bytes."""
    return hashlib.sha256(json.dumps(stated, sort_keys=True, separators=(",", ":")).encode()).digest()


def pack(outcome: Outcome) -> tuple[bytes | None, str | None, str | None]:
    """The values of COLUMNS."""
    if isinstance(outcome, str):
        return None, outcome.encode("utf-8", "backslashreplace").decode(), readers()
    return outcome.tobytes(), None, None


def unpack(columns: Sequence[Any], width: int) -> Outcome | None:
    """The outcome with these values of COLUMNS; None if it cannot be used here.

    width: the length of an embedding.
    """
    row, failure, judge = columns
    if row is not None:
        return np.frombuffer(row, np.float32) if len(row) == 4 * width else None
    return str(failure) if judge == readers() else None
