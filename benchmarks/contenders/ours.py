"""Contralto, as its users call it."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np

import contralto
from contenders import PICTURES_AT_ONCE, versions
from contralto.engine.base import TowerName


class Ours:
    def __init__(self, model: str, cache: str, **choices: Any) -> None:
        os.environ["CONTRALTO_CACHE"] = cache  # the user's own is neither used nor filled
        self._clip, self._cache = contralto.load(model, **choices), cache
        self._clip.engine_report()  # what is measured once on a machine is measured now
        self.about = f"contralto {contralto.__version__}, {versions('openvino')}, engine {self._clip.engine}"

    def precision(self, side: TowerName) -> str:
        return self._clip.precision_of(side)

    def images(self, pixels: np.ndarray) -> np.ndarray:
        return self._clip.encode_pixels(pixels)

    def texts(self, texts: list[str]) -> np.ndarray:
        return self._clip.encode_text(texts)

    def tokens(self, texts: list[str]) -> np.ndarray:
        return self._clip.tokenize(texts, truncate=True)

    def labels(self, labels: list[str], templates: str) -> np.ndarray:
        """With an empty cache folder, since a matrix found on disk would be no computation."""
        with tempfile.TemporaryDirectory(dir=self._cache) as empty:
            os.environ["CONTRALTO_CACHE"] = empty
            try:
                return self._clip.encode_labels(labels, templates)
            finally:
                os.environ["CONTRALTO_CACHE"] = self._cache

    def folder(self, paths: list[str], out: str) -> None:
        found = [row for _, row in self._clip.stream_images(paths, batch_size=PICTURES_AT_ONCE)]
        np.save(out, np.stack([row for row in found if isinstance(row, np.ndarray)]))


def make(**options: Any) -> Ours:
    return Ours(**options)
