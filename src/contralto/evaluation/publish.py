"""Writes the report folder of a run: a page to look at, figures and protocols as JSON, and one record per item."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from contralto.encoder import Clip
from contralto.engine.machine import instructions
from contralto.errors import ContraltoError
from contralto.evaluation.outcome import Outcome
from contralto.evaluation.report import page
from contralto.evaluation.report_files import write
from contralto.files import written_whole
from contralto.image.decode import decode
from contralto.sets.items import DataSet, Item

PAGE_FILE = "index.html"


def publish(
    folder: Path, clip: Clip, measured: Sequence[tuple[DataSet, Sequence[Outcome]]], *, pictures: bool = True
) -> Path:
    """Writes the report folder, creates it if needed, and returns the path of its page.

    pictures: whether the page shows the pictures of wrong answers.

    Raises DataError if an outcome occurs twice; MissingExtraError without the extra `evaluate`; OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = [outcome for _, several in measured for outcome in several]
    report = write(folder, outcomes, facts(clip), measured=datetime.date.today().isoformat())
    with written_whole(folder / PAGE_FILE) as file:
        file.write(page(report, ItemPictures(measured if pictures else ())).encode("utf-8", "backslashreplace"))
    return folder / PAGE_FILE


def facts(clip: Clip) -> Mapping[str, Any]:
    """Facts about the model and what computed it, ready for JSON."""
    contract = clip.contract
    return {
        "name": contract.name,
        "contract": contract.hash,
        "weights": contract.weights.sha256 if contract.weights else None,
        "trained_on": contract.provenance.trained_on,
        "licence": contract.licence,
        "engine": clip.engine,
        "precision": clip.precision,
        "decode": clip.decode,
        "processor": " ".join(instructions()) or None,
    }


class ItemPictures:
    """(set, split, key) -> the picture of that item, or None if it is no longer available."""

    def __init__(self, measured: Sequence[tuple[DataSet, Sequence[Outcome]]]) -> None:
        self._sets = {(data.name, data.split): data for data, _ in measured}
        self._items: dict[tuple[str, str], dict[str, Item]] = {}

    def __call__(self, name: str, split: str, key: str) -> Image.Image | None:
        place = (name, split)
        if place not in self._sets:
            return None
        if place not in self._items:
            items = self._sets[place].items
            self._items[place] = {item.key: item for item in (items[i] for i in range(len(items)))}
        try:
            return decode(self._items[place][key].realise(), name=key).convert("RGB")
        except (ContraltoError, KeyError):
            return None
