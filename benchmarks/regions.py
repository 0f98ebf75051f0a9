"""Detection by regions: average precision on collages, by the shipped rule and by the plain one.

    python benchmarks/regions.py FOLDER [--model nano] [--collages 60] [--seed 0]

FOLDER has a folder of pictures for each label, see `collages.py`. The plain rule scores two to three hundred crops
of four sizes and three shapes: a crop counts for its best label, with the deviations of that cosine above its cosines
with common nouns, and boxes of a label that overlap by an IoU above 0.5 are suppressed.
AP50 is the area under precision over recall of all
boxes of all labels together, at an IoU of 0.5, with the 95% bootstrap interval over the collages. `absent` is the share
of the labels that are not there and yet get a box at the default threshold.
"""

from __future__ import annotations

import argparse
import functools
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from collages import Collage, classes, collage
from machine import described
from PIL import Image

import contralto
from contralto.apply.detect.box import Box
from contralto.apply.detect.run import detector
from contralto.apply.detect.suppress import suppress
from contralto.metrics import average_precision, bootstrap
from contralto.search.relevance import NOUNS

SCALES, SHAPES, STEP = (1.0, 0.66, 0.5, 0.36), ((1.0, 1.0), (1.22, 0.82), (0.82, 1.22)), 1 / 3
SUPPRESSION = 0.5

Rule = Callable[[Collage], list[Box]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--collages", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    clip, files = contralto.load(options.model), classes(options.folder)
    made = [collage(files, options.seed + index) for index in range(options.collages)]
    things = sum(len(one.things) for one in made)
    print(f"{described()}; {options.model}; {len(made)} collages, {things} things of {len(files)} labels")
    nouns = clip.encode_labels([*NOUNS], None)
    rules: dict[str, Rule] = {
        "shipped": lambda one: detector(clip, one.labels, threshold=0)(one.picture),
        "plain": lambda one: plain(clip, one, nouns),
    }
    for name, rule in rules.items():
        began = time.perf_counter()
        boxes = [rule(one) for one in made]
        seconds = (time.perf_counter() - began) / len(made)
        low, high = bootstrap(functools.partial(ap50, made, boxes), len(made), resamples=400)
        value = ap50(made, boxes, np.arange(len(made)))
        answered = f", absent {_absent(made, boxes):.1%}" if name == "shipped" else ""
        print(f"{name:8} AP50 {value:.3f} [{low:.3f}, {high:.3f}]{answered}, {seconds:.2f} s a picture", flush=True)


def ap50(made: list[Collage], boxes: list[list[Box]], chosen: np.ndarray) -> float:
    """Of the chosen collages, which may repeat; a box can only match a thing of its label."""
    detected, scores, owners, true_boxes, true_owners = [], [], [], [], []
    for place, index in enumerate(chosen):
        owner = {label: place * 100 + i for i, label in enumerate(made[index].labels)}
        for box in boxes[index]:
            detected.append(box.box)
            scores.append(box.score)
            owners.append(owner[str(box.label)])
        for label, corners in made[index].things:
            true_boxes.append(corners)
            true_owners.append(owner[label])
    return average_precision(np.reshape(detected, (-1, 4)), scores, owners, true_boxes, true_owners)


def plain(clip: contralto.Clip, one: Collage, nouns: np.ndarray) -> list[Box]:
    """The rule without maps; the score is a number of deviations."""
    corners = pyramid(one.picture.size)
    side = clip.contract.image.size[::-1]
    crops = [one.picture.resize(side, Image.Resampling.BICUBIC, box=tuple(box)) for box in corners]
    rows = clip.encode_image(crops)
    background = rows @ nouns.T
    deviations = rows @ clip.encode_labels(one.labels).T - background.mean(axis=1, keepdims=True)
    deviations /= background.std(axis=1, keepdims=True)
    best, boxes = deviations.argmax(axis=1), []
    for index, label in enumerate(one.labels):
        mine = np.flatnonzero(best == index)
        kept = mine[suppress(corners[mine], deviations[mine, index], SUPPRESSION)]
        boxes += [Box(label, float(deviations[i, index]), tuple(corners[i].tolist())) for i in kept]
    return boxes


def pyramid(size: tuple[int, int]) -> np.ndarray:
    """Boxes (N, 4) of four sizes and three shapes, a third of a side apart."""
    boxes = []
    for scale in SCALES:
        for shape in SHAPES:
            sides = [min(length, scale * min(size) * factor) for length, factor in zip(size, shape, strict=True)]
            starts = [
                np.linspace(0, length - side, math.ceil((length - side) / (STEP * side) - 1e-6) + 1)
                for length, side in zip(size, sides, strict=True)
            ]
            boxes += [(x, y, x + sides[0], y + sides[1]) for y in starts[1] for x in starts[0]]
    return np.array(boxes)


def _absent(made: list[Collage], boxes: list[list[Box]], cut: float = 0.5) -> float:
    absent = answered = 0
    for one, some in zip(made, boxes, strict=True):
        missing = set(one.labels) - {label for label, _ in one.things}
        absent += len(missing)
        answered += len(missing & {box.label for box in some if box.score > cut})
    return answered / absent


if __name__ == "__main__":
    main()
