"""Samples -> arrays: decoded, cropped and tokenised on threads, a few batches ahead of the training step.

Threads rather than processes: Pillow decodes and resizes without the interpreter's lock, and nothing is copied between
processes (docs/training.md has the measured figures).
"""

from __future__ import annotations

import math
import weakref
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.pool import AsyncResult, ThreadPool

import numpy as np
from numpy.typing import NDArray

from contralto.contract import Contract
from contralto.contract import Image as ImageSpec
from contralto.data.augment import Augment
from contralto.data.mixture import Draw, Mixture
from contralto.data.source import Source
from contralto.errors import ContraltoError, DataError, ItemError, one_line
from contralto.image.decode import decode, decode_unturned
from contralto.image.transform import pixels
from contralto.text.tokenizer import Tokenizer

MOST_REASONS = 50


@dataclass(frozen=True)
class Batch:
    """N pairs: pixels float32 (N, 3, H, W) and ids int64 (N, context), as the towers take them.

    pictures, texts: int64 (N,), equal where two pairs have the same picture or the same caption.
    """

    pixels: NDArray[np.float32]
    ids: NDArray[np.int64]
    pictures: NDArray[np.int64]
    texts: NDArray[np.int64]


class Loader:
    """step -> Batch, prepared on `workers` threads up to `ahead` batches before it is asked for.

    The batch depends on the mixture's seed and the step only. A sample that fails makes its batch smaller and counts in
    `skipped` by its reason (as do those that the sources left out on opening). augment=None: the contract's own
    preprocessing. A caption longer than the context is cut. To be called from one thread.
    """

    def __init__(
        self,
        mixture: Mixture,
        contract: Contract,
        tokenizer: Tokenizer,
        augment: Augment | None = Augment(),  # noqa: B008 (frozen)
        workers: int = 2,
        ahead: int = 2,
    ) -> None:
        self.mixture, self.spec, self.tokenizer = mixture, contract.image, tokenizer
        self.augment, self.ahead = augment, ahead
        self.skipped: Counter[str] = Counter()
        for source in mixture.sources:
            self.skipped.update(source.skipped)
        self._pool = ThreadPool(workers)  # its threads end with the process, whatever is still queued
        self._close = weakref.finalize(self, self._pool.terminate)
        self._pending: dict[int, _Pending] = {}

    def __call__(self, step: int) -> Batch:
        """The batch of `step`. Raises DataError if not one of its samples can be used."""
        wanted = range(step, step + self.ahead + 1)
        self._pending = {s: self._pending.get(s) or self._begin(s) for s in wanted}
        pending = self._pending.pop(step)
        results = pending.results.get()
        reasons = [result for result in results if isinstance(result, str)]
        for reason in reasons:
            self.skipped[reason if reason in self.skipped or len(self.skipped) < MOST_REASONS else "other reasons"] += 1
        good = [i for i, result in enumerate(results) if not isinstance(result, str)]
        if not good:
            raise DataError(f"no sample of the batch of step {step} can be used; the first: {reasons[0]}")
        captions = [results[i][0] for i in good]
        number = {caption: n for n, caption in enumerate(dict.fromkeys(captions))}
        unique = {(draw.source, draw.item): n for n, draw in enumerate(pending.draws)}
        return Batch(
            pending.pixels if len(good) == len(results) else pending.pixels[good],
            np.stack([results[i][1] for i in good]),
            np.array([unique[pending.draws[i].source, pending.draws[i].item] for i in good], np.int64),
            np.array([number[caption] for caption in captions], np.int64),
        )

    def close(self) -> None:
        """Ends the threads."""
        self._close()

    def _begin(self, step: int) -> _Pending:
        draws = self.mixture.draws(step)
        out = np.empty((len(draws), 3, *self.spec.size), np.float32)
        return _Pending(draws, out, self._pool.starmap_async(self._prepare, zip(draws, out, strict=True), chunksize=4))

    def _prepare(self, draw: Draw, out: NDArray[np.float32]) -> tuple[str, NDArray[np.int64]] | str:
        """Fills `out` with the picture and returns its caption and ids, or the reason why it cannot be used."""
        try:
            sample, random = self.mixture.sample(draw), self.mixture.random(draw)
            if not sample.captions:
                return "no caption"
            caption = sample.captions[random.integers(len(sample.captions))]
            ids = self.tokenizer.tokenize([caption], truncate=True)[0]
            image = decode(sample.picture, alpha=self.spec.alpha, scaled_to=self._scaled_to(), name=sample.key)
            if self.augment is not None:
                image = self.augment(image, self.spec, random)
            pixels(image, self.spec, out=out)
            return caption, ids
        except ContraltoError as error:
            return one_line(error.reason if isinstance(error, ItemError) else str(error), 100)

    def _scaled_to(self) -> int | None:
        """JPEGs far larger than needed are decoded smaller; the smallest crop still has twice the tower's size."""
        if self.augment is None:
            return None
        return math.ceil(max(self.spec.size) / math.sqrt(self.augment.area[0]))


@dataclass
class _Pending:
    draws: list[Draw]
    pixels: NDArray[np.float32]
    results: AsyncResult[list[tuple[str, NDArray[np.int64]] | str]]


def plain(source: Source, spec: ImageSpec, batch_size: int = 64, workers: int = 2) -> Iterator[NDArray[np.float32]]:
    """The pictures of a source in its order, as the contract prepares them: float32 (up to batch_size, 3, H, W).

    For measuring, so nothing is skipped: raises the ContraltoError of the first picture that fails.
    """

    def prepare(index: int) -> NDArray[np.float32]:
        sample = source[index]
        image, turn = decode_unturned(sample.picture, alpha=spec.alpha, name=sample.key)
        return pixels(image, spec, turn=turn)

    with ThreadPool(workers) as pool:
        for start in range(0, len(source), batch_size):
            yield np.stack(pool.map(prepare, range(start, min(start + batch_size, len(source)))))
