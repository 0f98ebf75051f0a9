"""Contralto, called as users call it."""

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
        os.environ["CONTRALTO_CACHE"] = cache  # the cache of the user is neither used nor filled
        self._clip, self._cache = contralto.load(model, **choices), cache
        self._clip.engine_report()  # does the measurement that happens once per machine now
        self.about = f"contralto {contralto.__version__}, {versions('openvino')}, engine {self._clip.engine}"

    def precision(self, tower: TowerName) -> str:
        return self._clip.precision_of(tower)

    def images(self, pixels: np.ndarray) -> np.ndarray:
        return self._clip.encode_pixels(pixels)

    def texts(self, texts: list[str]) -> np.ndarray:
        return self._clip.encode_text(texts)

    def tokens(self, texts: list[str]) -> np.ndarray:
        return self._clip.tokenize(texts, truncate=True)

    def labels(self, labels: list[str], templates: str) -> np.ndarray:
        """Uses an empty cache folder, because a matrix from the disk would skip the computation."""
        with tempfile.TemporaryDirectory(dir=self._cache) as empty:
            os.environ["CONTRALTO_CACHE"] = empty
            try:
                return self._clip.encode_labels(labels, templates)
            finally:
                os.environ["CONTRALTO_CACHE"] = self._cache

    def folder(self, paths: list[str], out: str) -> None:
        results = [row for _, row in self._clip.stream_images(paths, batch_size=PICTURES_AT_ONCE)]
        np.save(out, np.stack([row for row in results if isinstance(row, np.ndarray)]))


def make(**options: Any) -> Ours:
    return Ours(**options)
