"""Pictures of three colours to adapt to, in folders or in memory, and random labelled rows."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.drawn_classes import drawn_classes

from contralto import metrics
from contralto.adaptation import forgetting, measure
from contralto.adaptation.roles import RolePart
from contralto.adaptation.rows import LabelledRows
from contralto.sets.data_set import Class, DataSet, Item

COLOURS = {"red": (200, 70, 70), "green": (70, 170, 70), "blue": (70, 70, 200)}
NAMES = tuple(COLOURS)
SPREAD = 60


def picture(seed: int, colour: str = "red") -> bytes:
    """A PNG of noise around the colour; another seed gives other bytes."""
    noise = np.random.default_rng(seed).integers(-SPREAD, SPREAD + 1, (16, 16, 3))
    pixels = np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_folders(folder: Path, splits: Mapping[str, int]) -> Path:
    """Pictures in folders [split/]colour/; splits: how many of each colour. Split "" is no folder."""
    seed = 0
    for split, count in splits.items():
        for colour in COLOURS:
            own = folder / split / colour
            own.mkdir(parents=True)
            for number in range(count):
                (own / f"{number}.png").write_bytes(picture(seed := seed + 1, colour))
    return folder


def write_captions(folder: Path, splits: Mapping[str, int]) -> Path:
    """A folder of pictures and a CSV of their captions, two a picture."""
    folder.mkdir(parents=True)
    lines, seed = ["filename,split,caption"], 0
    for split, count in splits.items():
        for number in range(count):
            colour, seed = NAMES[number % 3], seed + 1
            (folder / f"{seed}.png").write_bytes(picture(seed, colour))
            lines += [f"{seed}.png,{split},a {colour} thing number {seed}", f"{seed}.png,{split},it is {colour}"]
    (folder / "captions.csv").write_text("\n".join(lines) + "\n")
    return folder / "captions.csv"


def set_of(splits: Mapping[str, Sequence[tuple[int, bytes]]], split: str, **changes: Any) -> DataSet:
    """A set in memory: split -> (label, bytes of the picture); the key is the place. `split` is open."""

    def opened(name: str) -> DataSet:
        items = [Item(f"{name}/{place}", content, label) for place, (label, content) in enumerate(splits[name])]
        stated: dict[str, Any] = {"name": "made", "split": name, "task": "classes", "metric": "top1", "items": items}
        stated |= {"classes": tuple(Class(one) for one in NAMES), "templates": ("a {}",), "template_set": "given"}
        return DataSet(**stated | {"splits": tuple(splits), "open_split": opened} | changes)

    return opened(split)


def contents(part: RolePart) -> list[bytes]:
    """The bytes of a part's pictures."""
    items = part.data.items
    return [items[place].content() for place in range(len(items))]


def measure_little(patch: pytest.MonkeyPatch) -> None:
    """Ten names stand for ImageNet's thousand, three mixes for eleven, and intervals come from 40 resamples: what is
    measured of changed towers takes a tenth of the time.
    """
    patch.setattr(forgetting, "COMMON_NAMES", "cifar10")
    patch.setattr(measure, "MIXES", (0.0, 0.5, 1.0))
    patch.setattr(metrics, "bootstrap", functools.partial(metrics.bootstrap, resamples=40))


def digests(count: int) -> tuple[bytes, ...]:
    """So many different sha256."""
    return tuple(hashlib.sha256(str(number).encode()).digest() for number in range(count))


def drawn_rows(
    sizes: Sequence[int], *, seed: int = 0, views: int = 2, folds: int = 5, columns: int = 16
) -> LabelledRows:
    """Labelled rows of classes of these sizes, in `views` views; features are twice as wide as the embeddings.

    Each class is dealt into the folds in turn.
    """
    rows, labels, zero_shot = drawn_classes(sizes, columns, seed=seed)
    generator = np.random.default_rng(seed + 1)
    seen = [rows + 0.02 * view * generator.standard_normal(rows.shape) for view in range(views)]
    embeddings = np.concatenate(seen)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    features = 3 * embeddings @ generator.standard_normal((columns, 2 * columns)) + 1
    features += 0.3 * generator.standard_normal(features.shape)
    scale = float(np.linalg.norm(zero_shot[0]))
    dealt = np.empty(len(labels), np.int64)
    for label in range(len(sizes)):
        dealt[labels == label] = np.arange(sizes[label]) % folds
    return LabelledRows(
        embeddings.astype(np.float32),
        features.astype(np.float32),
        np.tile(labels, views),
        np.tile(np.arange(len(labels)), views),
        dealt,
        (zero_shot / scale).astype(np.float32),
        scale,
    )
