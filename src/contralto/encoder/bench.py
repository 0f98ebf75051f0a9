"""What a model makes on this machine, beside what the machine could make: the short form of the benchmarks.

Every figure is the median of a few rounds. A peer is what else is installed here: the same towers in eager PyTorch.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from contralto.encoder.clip import Clip
from contralto.encoder.samples import Samples, drawn
from contralto.engine import start
from contralto.engine.measure import rate
from contralto.engine.operations import picture_operations
from contralto.engine.peak import peaks
from contralto.text import tokenizer

SECONDS, ROUNDS = 1.0, 9  # of each figure, whichever comes first
BATCHES = (1, 4, 16, 32)
NEARLY = 0.95  # of the best rate: the smallest batch that reaches it is recommended
CAMERA = (4000, 3000)  # a picture of 12 megapixels


@dataclass(frozen=True)
class Figure:
    """One rate. peak: what the machine's matrix products would allow, in the same unit; fraction: of it."""

    what: str
    value: float
    unit: str
    peak: float | None = None
    peers: dict[str, float] = field(default_factory=dict)

    @property
    def fraction(self) -> float | None:
        return self.value / self.peak if self.peak else None


def figures(clip: Clip) -> Iterator[Figure]:
    """One after the other, as they are found. The last one is of the batch that is recommended."""
    samples = Samples(clip.contract, tokenizer.load(clip.contract.text, clip.checkpoint.folder))
    limits = peaks()
    for precision, limit in limits.items():
        yield Figure(f"matrix products, {precision}", limit / 1e9, "GFLOP/s")
    operations = {"image": picture_operations(clip.contract), "text": None}
    for one in clip.engine_report().measured:
        cost = operations[one.tower]
        peak = limits[one.precision] / cost if cost and one.precision in limits else None
        what = "pictures" if one.tower == "image" else "texts"
        yield Figure(f"{what}, {one.precision}", one.per_second, f"{what}/s", peak)
    yield from _inputs(clip, samples)
    yield from _batches(clip, samples, limits)


def _inputs(clip: Clip, samples: Samples) -> Iterator[Figure]:
    """Texts to tokens, and a large JPEG to pixels, on one processor."""
    texts = samples.texts()
    yield Figure(
        "texts to tokens", _rate(lambda: samples.tokenizer.tokenize(texts, truncate=True), len(texts)), "texts/s"
    )
    photograph = _photograph()
    name = "a JPEG of 12 megapixels to pixels, one processor"
    yield Figure(name, _rate(lambda: clip.preprocess(photograph), 1), "pictures/s")


def _photograph() -> bytes:
    """A JPEG of a camera's size, with the grain that makes its decoding take as long: some 3 MB."""
    chance = np.random.default_rng(0)
    smooth = np.asarray(drawn(chance).resize(CAMERA), np.int16)
    grain = chance.normal(scale=6, size=(*smooth.shape[:2], 1)).astype(np.int16)
    file = io.BytesIO()
    Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def _batches(clip: Clip, samples: Samples, limits: dict[str, float]) -> Iterator[Figure]:
    pixels = samples.pixels()
    pixels = np.concatenate([pixels] * (max(BATCHES) // len(pixels)))
    cost, precision = picture_operations(clip.contract), clip.precision_of("image")
    peak = limits[precision] / cost if cost and precision in limits else None
    found = {size: _rate(lambda some=pixels[:size]: clip.encode_pixels(some), size) for size in BATCHES}  # type: ignore[misc]
    for size, value in found.items():
        yield Figure(f"pictures, batch {size}", value, "pictures/s", peak, _peers(clip, pixels[:size]))
    best = next(size for size in BATCHES if found[size] >= NEARLY * max(found.values()))
    yield Figure(f"recommended: {clip.engine}, {clip.precision}, batch {best}", found[best], "pictures/s", peak)


def _peers(clip: Clip, pixels: Any) -> dict[str, float]:
    if importlib.util.find_spec("torch") is None:
        return {}
    plain = start(clip.checkpoint, engine="eager")
    return {"PyTorch, fp32": _rate(lambda: plain.image(pixels), len(pixels))}


def _rate(work: Callable[[], object], count: int) -> float:
    return rate(work, count, ROUNDS, SECONDS)
