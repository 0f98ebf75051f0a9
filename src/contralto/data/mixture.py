"""Which samples make up the batch of a step: a function of (seed, step) and nothing else."""

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
    """Sample `item` of source number `source`, used for the (`turn` + 1)-th time."""

    source: int
    item: int
    turn: int


class Mixture:
    """Sources mixed by weight. Each batch holds the same number of samples of a source: batch_size times its share,
    rounded by largest remainder. Within a source, every sample comes once before any comes again, in an order that
    is shuffled anew each turn.

    Raises ContractError for weights that cannot be kept at this batch size.
    """

    def __init__(self, sources: Sequence[tuple[Source, float]], batch_size: int, seed: int = 0) -> None:
        if not sources or batch_size < 1:
            raise ContractError(f"a mixture needs sources and a batch size, got {len(sources)} and {batch_size}")
        self.sources = tuple(source for source, _ in sources)
        self.batch_size, self.seed = batch_size, seed
        self.counts = shares([weight for _, weight in sources], batch_size)
        for source, count in zip(self.sources, self.counts, strict=True):
            if count == 0:
                reason = f"gets no place in a batch of {batch_size}: raise its weight or the batch size"
                raise ContractError(f"source {source.name!r} {reason}")
            if len(source) == 0:
                raise ContractError(f"source {source.name!r} is empty")
        self._order = functools.lru_cache(maxsize=2 * len(sources))(self._shuffled)

    def draws(self, step: int) -> list[SampleUse]:
        """The batch of step `step` (from 0): the sources one after another."""
        return [
            self._draw(source, step * count + place)
            for source, count in enumerate(self.counts)
            for place in range(count)
        ]

    def sample(self, draw: SampleUse) -> Sample:
        """Reads the drawn sample. Raises SampleError."""
        return self.sources[draw.source][draw.item]

    def random(self, draw: SampleUse) -> np.random.Generator:
        """The random numbers of this use of this sample: caption, crop, flip."""
        return self._stream(0, *draw)

    def _draw(self, source: int, position: int) -> SampleUse:
        turn, place = divmod(position, len(self.sources[source]))
        return SampleUse(source, int(self._order(source, turn)[place]), turn)

    def _shuffled(self, source: int, turn: int) -> NDArray[np.int64]:
        return self._stream(1, source, turn).permutation(len(self.sources[source]))

    def _stream(self, *key: int) -> np.random.Generator:
        """Random numbers that no other key shares."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


def shares(weights: Sequence[float], places: int) -> list[int]:
    """`places` handed out in proportion to the weights, by largest remainder, earlier first among equals."""
    for weight in weights:
        if not (math.isfinite(weight) and weight > 0):
            raise ContractError(f"a mixture's weights must be above 0, got {weight}")
    exact = [weight / sum(weights) * places for weight in weights]
    counts = [math.floor(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: places - sum(counts)]:
        counts[i] += 1
    return counts
