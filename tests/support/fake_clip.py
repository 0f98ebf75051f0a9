"""A deterministic stand-in for Clip: embeds pictures by their mean colour, texts by their colour words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from contralto.contract import Contract, preset
from contralto.encoder import Failure
from contralto.errors import ImageError, TextError
from contralto.image.decode import decode
from contralto.text.tokenizer import UnreadText

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 30), "blue": (20, 30, 220), "white": (250, 250, 250)}


class FakeClip:
    """Records the encoded items in `seen`."""

    engine, device, precision, decode, reproducible = "fake", "cpu", "fp32", "scaled", False
    adaptation = labels = base = None

    def __init__(self) -> None:
        self.contract: Contract = preset("tiny")
        self.seen: list[Any] = []

    def made_in(self, side: str) -> str:
        return self.precision

    def stream_images(self, items: Any) -> Iterator[tuple[int, Any]]:
        for index, item in enumerate(items):
            self.seen.append(item)
            try:
                image = decode(item)
            except ImageError as error:
                yield index, Failure.of(index, item, error)
                continue
            mean = np.asarray(image.convert("RGB"), np.float64).reshape(-1, 3).mean(axis=0)
            yield index, self._row(mean)

    def encode_image(self, items: Any, progress: Any = None) -> np.ndarray:
        if isinstance(items, np.ndarray) and items.dtype == np.float32:
            return items
        rows = []
        for index, result in self.stream_images(items):
            if isinstance(result, Failure):
                raise ImageError(str(result.item), result.reason)
            rows.append(result)
            if progress is not None:
                progress(index + 1, len(items))
        return np.stack(rows)

    def expect(self, *, pictures: int) -> None:
        """Nothing is prepared in advance."""

    def preprocess(self, item: Image.Image) -> np.ndarray:
        """Its mean colour, as a picture of one pixel (1, 3, 1, 1)."""
        return np.asarray(item, np.float32).reshape(-1, 3).mean(axis=0)[None, :, None, None]

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return np.stack([self._row(pixel[:, 0, 0]) for pixel in pixels])

    def encode_text(self, texts: Any, *, overlong: str = "error", on_error: str = "raise") -> Any:
        failures = [
            Failure(i, t, "has too many tokens") for i, t in enumerate(texts) if len(t) > 300 and overlong == "error"
        ]
        if failures and on_error == "raise":
            raise TextError(failures[0].item, failures[0].reason)
        bad = {failure.index for failure in failures}
        rows = [self._text(t) for i, t in enumerate(texts) if i not in bad]
        embeddings = np.stack(rows) if rows else np.empty((0, self.contract.embedding), np.float32)
        return (embeddings, failures) if on_error == "skip" else embeddings

    def encode_labels(self, labels: Any, templates: Any = "photo") -> np.ndarray:
        return np.stack([self._text(label) for label in labels])

    def unread(self, texts: Any) -> list[UnreadText]:
        return [UnreadText(i, (text,), False) for i, text in enumerate(texts) if not text.isascii()]

    def similarity(self, images: np.ndarray, texts: np.ndarray) -> np.ndarray:
        return np.atleast_2d(images) @ texts.T

    def _text(self, text: str) -> np.ndarray:
        named = [colour for word, colour in COLOURS.items() if word in text]
        if named:
            return self._row(np.mean(named, axis=0))
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        return self._row(np.frombuffer(digest[:3], np.uint8).astype(np.float64))

    def _row(self, colour: np.ndarray) -> np.ndarray:
        row = np.zeros(self.contract.embedding, np.float32)
        row[:3] = colour / 255 - 0.3
        return row / np.linalg.norm(row)


def paint(path: Path, colour: str) -> Path:
    """Writes a small picture of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (24, 16), COLOURS[colour]).save(path, "PNG")
    return path
