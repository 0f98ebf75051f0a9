"""What twelve views of a picture gain over one, on clear and unclear pictures, and what their disagreement tells.

    python benchmarks/views.py SET... [--model nano] [--items 50] [--half 1] [--conditions clean small32 ...]

SET: a folder or tar with a folder per class, as `contralto evaluate` takes it. Half 0 of its pictures (seed 0) served
to choose the crops, half 1 to measure. Conditions: clean; smallN: reduced to N pixels; dark: an eighth of the light;
or a corruption with its severity, such as gaussian_noise_3. Prints top-1 with one view and with twelve, their
difference with its paired 95% interval over the pictures, accuracy where all views agree and where not, and how well
spread, disagreement and one minus the score foretell an error (AUC; 0.5 is chance).
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import contralto
from contralto.apply import views
from contralto.embeddings import Embeddings, probabilities
from contralto.metrics import clopper_pearson, paired_bootstrap
from contralto.sets.data_set import DataSet, PictureChange
from contralto.sets.open import open_set
from contralto.sets.variants.corruptions import corrupt
from contralto.sets.variants.lazy_items import change_picture, map_items

CONDITIONS = (*("clean", "small32", "small24", "dark", "gaussian_noise_3", "motion_blur_3", "jpeg_compression_4"),)
LIGHT = 0.125


@dataclass(frozen=True)
class Answers:
    """What one view and twelve views say of N pictures: whether they are right, and three measures of doubt."""

    single: NDArray[np.bool_]
    mean: NDArray[np.bool_]
    disagreement: NDArray[np.float64]
    spread: NDArray[np.float64]
    unscored: NDArray[np.float64]
    """One minus the score of the mean's best label."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--items", type=int, default=50, help="pictures of each set")
    parser.add_argument("--half", type=int, choices=(0, 1), default=1)
    parser.add_argument("--conditions", nargs="+", default=list(CONDITIONS))
    options = parser.parse_args()
    clip = contralto.load(options.model)
    everything = []
    for condition in options.conditions:
        parts = [answers(clip, open_set(name), condition, options.half, options.items) for name in options.sets]
        everything += parts
        show(condition, together(parts))
    show("all", together(everything), len(options.conditions))


def answers(clip: contralto.Clip, data_set: DataSet, condition: str, half: int, count: int) -> Answers:
    chosen = np.random.default_rng(0).permutation(len(data_set.items))[half::2][:count]
    names = {one.name: list(one.names) for one in data_set.classes}
    texts = clip.encode_labels(names, list(data_set.templates) or "photo")
    items = changed(data_set, condition).items
    pictures = [picture(items[int(index)].encoder_input()) for index in chosen]
    labels = [items[int(index)].label for index in chosen]
    rows = []
    for (_, embedded), label in zip(views.stream_views(clip, pictures), labels, strict=True):
        assert isinstance(embedded, np.ndarray), embedded
        rows.append(judged(clip, embedded, texts, label))
    return Answers(*(np.array(column) for column in zip(*rows, strict=True)))


def judged(
    clip: contralto.Clip, embedded: Embeddings, texts: Embeddings, label: int | None
) -> tuple[bool, bool, float, float, float]:
    mean, spread = views.mean_view(embedded)
    best, each = int(np.argmax(texts @ mean)), np.argmax(embedded @ texts.T, axis=1)
    score = float(probabilities((texts @ mean)[None], clip.contract.score).max())
    return bool(each[0] == label), best == label, float(np.mean(each != best)), spread, 1 - score


def picture(item: Any) -> Image.Image:
    """Pillow's picture of an item, so that all conditions are read alike."""
    return item if isinstance(item, Image.Image) else Image.open(io.BytesIO(item) if isinstance(item, bytes) else item)


def changed(data_set: DataSet, condition: str) -> DataSet:
    if condition == "clean":
        return data_set
    if condition == "dark":
        change = PictureChange("dark", lambda image, key: image.point(lambda value: round(value * LIGHT)))
    elif condition.startswith("small"):
        change = PictureChange(condition, partial(reduced, side=int(condition[5:])))
    else:
        name, severity = condition.rsplit("_", 1)
        return corrupt(data_set, name, int(severity))
    return map_items(data_set, lambda item: change_picture(item, change))


def reduced(image: Image.Image, key: str, side: int) -> Image.Image:
    """At `side` pixels on its shorter side."""
    scale = side / min(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.BOX)


def together(parts: Iterable[Answers]) -> Answers:
    rows = [(one.single, one.mean, one.disagreement, one.spread, one.unscored) for one in parts]
    return Answers(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def show(name: str, given: Answers, conditions: int = 1) -> None:
    """conditions: how many versions of each picture there are; a version belongs to its picture in the interval."""
    n = len(given.mean)
    owners = np.arange(n) % (n // conditions)
    gain = paired_bootstrap(
        lambda drawn: given.mean[drawn].mean(), lambda drawn: given.single[drawn].mean(), n, groups=owners
    )
    print(
        f"{name}: {n} pictures, one view {given.single.mean():.1%}, twelve {given.mean.mean():.1%}, "
        f"gain {100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}] points"
    )
    sure = given.disagreement == 0
    for what, chosen in (("agree", sure), ("disagree", ~sure)):
        right = int(given.mean[chosen].sum())
        low, high = clopper_pearson(right, int(chosen.sum()))
        known = f" [{low:.1%}, {high:.1%}]" if conditions == 1 else ""  # versions of a picture are no new pictures
        print(f"    all views {what}: {chosen.mean():.0%}, right {right / chosen.sum():.1%}{known}")
    at_share = np.argsort(given.unscored, kind="stable")[: int(sure.sum())]
    print(f"    as many by their score alone: right {given.mean[at_share].mean():.1%}")
    told = {field: auc(getattr(given, field), ~given.mean) for field in ("spread", "disagreement", "unscored")}
    print("    AUC of an error: " + ", ".join(f"{field} {value:.2f}" for field, value in told.items()))


def auc(doubt: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float:
    high, low = doubt[wrong][:, None], doubt[~wrong]
    return float((high > low).mean() + 0.5 * (high == low).mean())


if __name__ == "__main__":
    main()
