"""Measure a model's throughput on this machine and compare it with the machine's peak: `contralto bench`.

Every value is the median of a few rounds. The peer, if PyTorch is installed, is the same tower in eager PyTorch.
"""

from __future__ import annotations

import functools
import importlib.util
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from contralto.encoder.clip import Clip
from contralto.encoder.samples import DrawnSamples, draw_picture
from contralto.engine import start
from contralto.engine.base import require_embeddings
from contralto.engine.measure import rate
from contralto.engine.operations import picture_operations
from contralto.engine.peak import peaks
from contralto.text import tokenizer

BENCH_SECONDS, BENCH_ROUNDS = 1.0, 9  # per value, whichever comes first
BATCH_SIZES = (1, 4, 16, 32)
NEARLY_BEST = 0.95  # of the best throughput: the smallest batch that reaches it is recommended
CAMERA_SIZE = (4000, 3000)  # 12 megapixels


@dataclass(frozen=True)
class Throughput:
    """One measurement.

    peak: the limit that the machine's matrix products set, in the same unit. fraction: value / peak.
    """

    what: str
    value: float
    unit: str
    peak: float | None = None
    peers: dict[str, float] = field(default_factory=dict)

    @property
    def fraction(self) -> float | None:
        return self.value / self.peak if self.peak else None


def throughputs(clip: Clip) -> Iterator[Throughput]:
    """All measurements, each as soon as it is done. The last one is that of the recommended batch size.

    Raises ContraltoError for a detector.
    """
    require_embeddings(clip.contract)
    samples = DrawnSamples(clip.contract, tokenizer.load(clip.contract.text, clip.checkpoint.folder))
    limits = peaks()
    for precision, limit in limits.items():
        yield Throughput(f"matrix products, {precision}", limit / 1e9, "GFLOP/s")
    operations = {"image": picture_operations(clip.contract), "text": None}
    for one in clip.engine_report().measured:
        cost = operations[one.tower]
        peak = limits[one.precision] / cost if cost and one.precision in limits else None
        what = "pictures" if one.tower == "image" else "texts"
        yield Throughput(f"{what}, {one.precision}", one.per_second, f"{what}/s", peak)
    yield from _inputs(clip, samples)
    yield from _batches(clip, samples, limits)


def _inputs(clip: Clip, samples: DrawnSamples) -> Iterator[Throughput]:
    """Texts to token ids, and a large JPEG to pixels, on one processor."""
    texts = samples.texts()
    yield Throughput(
        "texts to tokens", _rate(lambda: samples.tokenizer.tokenize(texts, truncate=True), len(texts)), "texts/s"
    )
    photograph = _photograph()
    name = "a JPEG of 12 megapixels to pixels, one processor"
    yield Throughput(name, _rate(lambda: clip.preprocess(photograph), 1), "pictures/s")


def _photograph() -> bytes:
    """A JPEG of a camera's size, about 3 MB; its grain makes decoding as slow as for a photograph."""
    chance = np.random.default_rng(0)
    smooth = np.asarray(draw_picture(chance).resize(CAMERA_SIZE), np.int16)
    grain = chance.normal(scale=6, size=(*smooth.shape[:2], 1)).astype(np.int16)
    file = io.BytesIO()
    Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def _batches(clip: Clip, samples: DrawnSamples, limits: dict[str, float]) -> Iterator[Throughput]:
    pixels = samples.pixels()
    pixels = np.concatenate([pixels] * (max(BATCH_SIZES) // len(pixels)))
    cost, precision = picture_operations(clip.contract), clip.precision_of("image")
    peak = limits[precision] / cost if cost and precision in limits else None
    rates = {size: _rate(functools.partial(clip.encode_pixels, pixels[:size]), size) for size in BATCH_SIZES}
    for size, value in rates.items():
        yield Throughput(f"pictures, batch {size}", value, "pictures/s", peak, _peers(clip, pixels[:size]))
    best = next(size for size in BATCH_SIZES if rates[size] >= NEARLY_BEST * max(rates.values()))
    yield Throughput(f"recommended: {clip.engine}, {clip.precision}, batch {best}", rates[best], "pictures/s", peak)


def _peers(clip: Clip, pixels: Any) -> dict[str, float]:
    if importlib.util.find_spec("torch") is None:
        return {}
    plain = start(clip.checkpoint, engine="eager")
    return {"PyTorch, fp32": _rate(lambda: plain.image(pixels), len(pixels))}


def _rate(work: Callable[[], object], count: int) -> float:
    return rate(work, count, BENCH_ROUNDS, BENCH_SECONDS)
