"""Outcomes of random numbers, whose figures agree with their records."""

from __future__ import annotations

from typing import Any

import numpy as np

from contralto.evaluation.condition import PLAIN, condition_of
from contralto.evaluation.outcome import Figure, Outcome, Records


def records(n: int = 60, classes: int = 4, seed: int = 0, skill: float = 2.0) -> Records:
    """A softmax over scores; `skill` is added to the score of the true class."""
    generator = np.random.default_rng(seed)
    label = np.arange(n) % classes
    scores = generator.normal(size=(n, classes))
    scores[np.arange(n), label] += skill
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    own = scores[np.arange(n), label][:, None]
    return Records(
        key=np.array([f"test/{i}.jpg" for i in range(n)], object),
        label=label,
        predicted=scores.argmax(axis=1),
        confidence=shares.max(axis=1),
        rank=(scores >= own).sum(axis=1) - 1,
        direction=np.array([""] * n, object),
        text=np.full(n, -1),
        scores=(scores[:, 1:] - scores[:, :1]).astype(np.float32) if classes == 2 else None,
    )


def outcome(made: Records | None = None, variant: str = "", **other: Any) -> Outcome:
    """Zero-shot on a data set of four classes, with top1 and mean_per_class. variant: of the condition."""
    made = records() if made is None else made
    figures = _figures(made) if len(made) else ()
    plain: dict[str, Any] = {"set": "shapes", "split": "test", "task": "classes", "figures": figures}
    plain["condition"] = condition_of(variant)
    plain |= {"protocol": {"split_sha256": "5" * 64, "templates": ["a photo of a {}."]}, "records": made}
    return Outcome(**plain | {"classes": ("ring", "cube", "cone", "disc")} | other)


def _figures(made: Records) -> tuple[Figure, ...]:
    right = made.rank == 0
    per_class = float(np.mean([right[made.label == c].mean() for c in np.unique(made.label)]))
    top1 = float(right.mean())
    interval = (max(0.0, top1 - 0.1), min(1.0, top1 + 0.1))
    return (
        Figure("top1", top1, *interval, len(made), 0.25),
        Figure("mean_per_class", per_class, None, None, len(made)),
    )


def retrieval(pictures: int = 20, captions: int = 5, seed: int = 0, spread: int = 4) -> Outcome:
    """Both directions of a set with several captions a picture."""
    generator = np.random.default_rng(seed)
    n = pictures * (1 + captions)
    keys = np.array([f"{i}.jpg" for i in range(pictures)], object)
    made = Records(
        key=np.concatenate([keys, np.repeat(keys, captions)]),
        label=np.full(n, -1),
        predicted=np.full(n, -1),
        confidence=np.full(n, np.nan),
        rank=generator.integers(0, spread, n),
        direction=np.array(["image_to_text"] * pictures + ["text_to_image"] * (n - pictures), object),
        text=np.concatenate([np.full(pictures, -1), np.arange(pictures * captions)]),
    )
    figures = []
    for direction in ("image_to_text", "text_to_image"):
        rank = made.rank[made.direction == direction]
        figures.append(Figure(f"r1_{direction}", float((rank < 1).mean()), 0.0, 1.0, len(rank)))
        figures.append(Figure(f"median_rank_{direction}", float(np.median(rank) + 1), None, None, len(rank)))
    return Outcome("captions", "test", "retrieval", PLAIN, tuple(figures), {"split_sha256": "6" * 64}, made)
