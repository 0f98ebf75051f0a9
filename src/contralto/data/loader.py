"""Samples -> arrays: threads decode, crop and tokenise a few batches ahead of the training step.

It uses threads, not processes: Pillow decodes and resizes without the interpreter's lock, and nothing is copied between
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
from contralto.data.mixture import Mixture, SampleUse
from contralto.data.sample import Source
from contralto.errors import ContraltoError, DataError, ItemError, one_line
from contralto.image.decode import decode, decode_unturned
from contralto.image.transform import pixels
from contralto.text.tokenizer import Tokenizer

MAX_SKIP_REASONS = 50


@dataclass(frozen=True)
class Batch:
    """N pairs as input of the towers: pixels float32 (N, 3, H, W) and ids int64 (N, context).

    pictures, texts: int64 (N,). Two pairs with the same picture, or the same caption, have equal numbers there.
    """

    pixels: NDArray[np.float32]
    ids: NDArray[np.int64]
    pictures: NDArray[np.int64]
    texts: NDArray[np.int64]


class Loader:
    """step -> Batch. `workers` threads prepare up to `ahead` batches in advance.

    The batch depends only on the mixture's seed and the step. A failed sample makes its batch smaller and counts in
    `skipped`, by reason, in addition to the samples that the sources skipped on opening. augment=None: the contract's
    preprocessing. A caption longer than the context is truncated. Call it from one thread only.
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
        """The batch of `step`. Raises DataError if none of its samples can be used."""
        wanted = range(step, step + self.ahead + 1)
        self._pending = {s: self._pending.get(s) or self._begin(s) for s in wanted}
        pending = self._pending.pop(step)
        results = pending.results.get()
        reasons = [result for result in results if isinstance(result, str)]
        for reason in reasons:
            has_room = reason in self.skipped or len(self.skipped) < MAX_SKIP_REASONS
            self.skipped[reason if has_room else "other reasons"] += 1
        good = [i for i, result in enumerate(results) if not isinstance(result, str)]
        if not good:
            raise DataError(f"no sample of the batch of step {step} can be used; the first: {reasons[0]}")
        captions = [results[i][0] for i in good]
        text_numbers = {caption: n for n, caption in enumerate(dict.fromkeys(captions))}
        picture_numbers = {(use.source, use.item): n for n, use in enumerate(pending.uses)}
        return Batch(
            pending.pixels if len(good) == len(results) else pending.pixels[good],
            np.stack([results[i][1] for i in good]),
            np.array([picture_numbers[pending.uses[i].source, pending.uses[i].item] for i in good], np.int64),
            np.array([text_numbers[caption] for caption in captions], np.int64),
        )

    def close(self) -> None:
        """Ends the threads."""
        self._close()

    def _begin(self, step: int) -> _Pending:
        uses = self.mixture.batch(step)
        out = np.empty((len(uses), 3, *self.spec.size), np.float32)
        return _Pending(uses, out, self._pool.starmap_async(self._prepare, zip(uses, out, strict=True), chunksize=4))

    def _prepare(self, use: SampleUse, out: NDArray[np.float32]) -> tuple[str, NDArray[np.int64]] | str:
        """Writes the picture into `out` and returns caption and ids, or the reason why the sample cannot be used."""
        try:
            sample, random = self.mixture.sample(use), self.mixture.random(use)
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
        """The side down to which large JPEGs are decoded smaller: the smallest crop keeps twice the tower's size."""
        if self.augment is None:
            return None
        return math.ceil(max(self.spec.size) / math.sqrt(self.augment.area[0]))


@dataclass
class _Pending:
    uses: list[SampleUse]
    pixels: NDArray[np.float32]
    results: AsyncResult[list[tuple[str, NDArray[np.int64]] | str]]


def pixel_batches(
    source: Source, spec: ImageSpec, batch_size: int = 64, workers: int = 2
) -> Iterator[NDArray[np.float32]]:
    """The pictures of a source in its order, preprocessed by the contract: float32 (up to batch_size, 3, H, W).

    It serves evaluation, so nothing is skipped: raises the ContraltoError of the first picture that fails.
    """

    def prepare(index: int) -> NDArray[np.float32]:
        sample = source[index]
        image, turn = decode_unturned(sample.picture, alpha=spec.alpha, name=sample.key)
        return pixels(image, spec, turn=turn)

    with ThreadPool(workers) as pool:
        for start in range(0, len(source), batch_size):
            yield np.stack(pool.map(prepare, range(start, min(start + batch_size, len(source)))))
