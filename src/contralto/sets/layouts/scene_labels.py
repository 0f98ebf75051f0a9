"""Classes worked out from what is known of a scene: how many objects (CLEVR), how far the nearest vehicle (KITTI)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from contralto.errors import DataError
from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.class_index import labelled_files
from contralto.sets.layouts.documents import read_json
from contralto.sets.layouts.locate import lines, one_of

CLEVR_SPLITS: dict[str, tuple[str, int | None]] = {"train": ("train", 2000), "test": ("val", 500), "val": ("val", None)}
"""Split -> released split, how many of its first pictures. The paper's sizes; it does not say which pictures."""

VEHICLES = frozenset({"Car", "Van", "Truck"})
NEAR, FAR = 8.0, 20.0
"""Metres along the camera's axis, as VTAB cuts them."""

HELD_OUT_PERCENT, KITTI_SEED = 10, 123


def clevr(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """scenes/CLEVR_val_scenes.json and images/val. A class is called by the number of objects."""
    released, count = CLEVR_SPLITS[split]
    document = one_of(root, f"scenes/CLEVR_{released}_scenes.json")

    def scene(stated: dict[str, Any]) -> Any:
        """A scene as (file, number of objects); of the objects themselves, gigabytes of them, nothing is kept."""
        if "objects" in stated:
            return stated["image_filename"], len(stated["objects"])
        return stated if "scenes" in stated else None

    try:
        scenes = sorted(read_json(document, scene)["scenes"])[:count]
    except (KeyError, TypeError) as error:
        raise DataError(f"{document} is not laid out as CLEVR's scenes: {error!r}") from error
    return labelled_files(
        root, f"images/{released}", ((name, str(number)) for name, number in scenes), classes, document
    )


def kitti(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """training/image_2 and training/label_2 of the object detection set, and mapping/ of its development kit."""
    labels = one_of(root, "training/label_2")
    numbers = _kitti_split(one_of(root, "devkit_object/mapping", "devkit/mapping", "mapping"), split)
    named = ((f"{number:06d}.png", _distance(one_of(labels, f"{number:06d}.txt"))) for number in numbers)
    return labelled_files(root, "training/image_2", named, classes, labels)


def _distance(path: Path) -> str:
    """`below_8`, `below_20`, `above_20` or `no_vehicle`: the nearest vehicle that a label file states."""
    nearest = np.inf
    for line in lines(path):
        fields = line.split()  # type, truncated, occluded, alpha, box (4), size (3), x, y, z, rotation
        if fields[0] in VEHICLES:
            try:
                nearest = min(nearest, float(fields[13]))
            except (IndexError, ValueError) as error:
                raise DataError(f"{path} is not laid out as a KITTI label: {line[:80]!r}") from error
    if nearest == np.inf:
        return "no_vehicle"
    return "below_8" if nearest <= NEAR else "below_20" if nearest <= FAR else "above_20"


def _kitti_split(mapping: Path, split: str) -> list[int]:
    """The numbers of the split's pictures, whole drives held out as TensorFlow Datasets draws them.

    That gives 6,347 + 423 and 711 pictures, and the paper has 6,770 and 711. The draw is NumPy's old generator's.
    """
    drives = [line.split()[1] for line in lines(one_of(mapping, "train_mapping.txt"))]
    order = ",".join(lines(one_of(mapping, "train_rand.txt"))).split(",")
    try:
        drive_of = [drives[int(line) - 1] for line in order if line.strip()]
    except (IndexError, ValueError) as error:
        raise DataError(f"{mapping}: train_rand.txt does not number the lines of train_mapping.txt: {error}") from error
    pictures: dict[str, list[int]] = defaultdict(list)
    for number, drive in enumerate(drive_of):
        pictures[drive].append(number)
    if len(pictures) < 3:
        raise DataError(f"{mapping} has {len(pictures)} drives: too few to hold some out for val and for test")
    count, draw = max(1, HELD_OUT_PERCENT * len(pictures) // 100), np.random.RandomState(KITTI_SEED)
    test = set(draw.choice(sorted(pictures), count, replace=False))
    val = set(draw.choice(sorted(pictures.keys() - test), count, replace=False))
    chosen = {"test": test, "val": val, "train": pictures.keys() - test - val}[split]
    return sorted(number for drive in chosen for number in pictures[drive])
