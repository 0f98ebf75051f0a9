"""The samples of each training batch, as a function of only (seed, step)."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contralto.data.sample import Sample, Source
from contralto.errors import ContractError


class SampleUse(NamedTuple):
    """Sample `item` of source number `source`, in the source's `epoch` (from 0)."""

    source: int
    item: int
    epoch: int


class Mixture:
    """Sources mixed by weight. Every batch has the same number of samples of a source: batch_size times its share,
    rounded by largest remainder. An epoch of a source uses each of its samples once, in an order that is shuffled for
    each epoch.

    Raises ContractError if a source gets no place in a batch of this size.
    """

    def __init__(self, sources: Sequence[tuple[Source, float]], batch_size: int, seed: int = 0) -> None:
        if not sources or batch_size < 1:
            raise ContractError(f"a mixture needs sources and a batch size, got {len(sources)} and {batch_size}")
        self.sources = tuple(source for source, _ in sources)
        self.batch_size, self.seed = batch_size, seed
        self.counts = allocate([weight for _, weight in sources], batch_size)
        for source, count in zip(self.sources, self.counts, strict=True):
            if count == 0:
                reason = f"gets no place in a batch of {batch_size}: raise its weight or the batch size"
                raise ContractError(f"source {source.name!r} {reason}")
            if len(source) == 0:
                raise ContractError(f"source {source.name!r} is empty")
        self._order = functools.lru_cache(maxsize=2 * len(sources))(self._shuffled)

    def batch(self, step: int) -> list[SampleUse]:
        """The samples of step `step` (from 0), source by source."""
        return [
            self._use(source, step * count + place)
            for source, count in enumerate(self.counts)
            for place in range(count)
        ]

    def sample(self, use: SampleUse) -> Sample:
        """Reads the sample. Raises SampleError."""
        return self.sources[use.source][use.item]

    def random(self, use: SampleUse) -> np.random.Generator:
        """The generator for this use of the sample: caption, crop, flip."""
        return self._stream(0, *use)

    def _use(self, source: int, position: int) -> SampleUse:
        epoch, place = divmod(position, len(self.sources[source]))
        return SampleUse(source, int(self._order(source, epoch)[place]), epoch)

    def _shuffled(self, source: int, epoch: int) -> NDArray[np.int64]:
        return self._stream(1, source, epoch).permutation(len(self.sources[source]))

    def _stream(self, *key: int) -> np.random.Generator:
        """A generator for this key, independent of all other keys."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


def allocate(weights: Sequence[float], places: int) -> list[int]:
    """Distributes `places` in proportion to the weights, by largest remainder. Among equals, the earlier one wins."""
    for weight in weights:
        if not (math.isfinite(weight) and weight > 0):
            raise ContractError(f"a mixture's weights must be above 0, got {weight}")
    exact = [weight / sum(weights) * places for weight in weights]
    counts = [math.floor(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: places - sum(counts)]:
        counts[i] += 1
    return counts
