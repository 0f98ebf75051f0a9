"""Classes computed from scene annotations: number of objects (CLEVR), distance of the nearest vehicle (KITTI)."""

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
from contralto.sets.layouts.locate import first_existing
from contralto.sets.list_files import read_lines

CLEVR_SPLITS: dict[str, tuple[str, int | None]] = {"train": ("train", 2000), "test": ("val", 500), "val": ("val", None)}
"""Split -> (released split, number of its first pictures). The CLIP paper has these sizes, but names no pictures."""

VEHICLES = frozenset({"Car", "Van", "Truck"})
NEAR, FAR = 8.0, 20.0
"""Limits in metres along the camera's axis, as in VTAB."""

HELD_OUT_PERCENT, KITTI_SEED = 10, 123


def clevr(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """scenes/CLEVR_val_scenes.json and images/val. A class is named by the number of objects."""
    released, count = CLEVR_SPLITS[split]
    document = first_existing(root, f"scenes/CLEVR_{released}_scenes.json")

    def reduce(value: dict[str, Any]) -> Any:
        """Reduces a scene to (file, number of objects). The objects are dropped, as they need gigabytes."""
        if "objects" in value:
            return value["image_filename"], len(value["objects"])
        return value if "scenes" in value else None

    try:
        scenes = sorted(read_json(document, reduce)["scenes"])[:count]
    except (KeyError, TypeError) as error:
        raise DataError(f"{document} is not laid out as CLEVR's scenes: {error!r}") from error
    return labelled_files(
        root, f"images/{released}", ((name, str(number)) for name, number in scenes), classes, document
    )


def kitti(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """training/image_2 and training/label_2 of the object detection data set, and mapping/ of its development kit."""
    labels = first_existing(root, "training/label_2")
    numbers = _kitti_split(first_existing(root, "devkit_object/mapping", "devkit/mapping", "mapping"), split)
    named = ((f"{number:06d}.png", _distance(first_existing(labels, f"{number:06d}.txt"))) for number in numbers)
    return labelled_files(root, "training/image_2", named, classes, labels)


def _distance(path: Path) -> str:
    """The distance class of the nearest vehicle in a label file: `below_8`, `below_20`, `above_20` or `no_vehicle`."""
    nearest = np.inf
    for line in read_lines(path):
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
    """The picture numbers of the split. Whole drives are held out, by the random draw of TensorFlow Datasets.

    This gives 6,347 + 423 and 711 pictures; the CLIP paper has 6,770 and 711. The draw uses NumPy's legacy generator.
    """
    drives = [line.split()[1] for line in read_lines(first_existing(mapping, "train_mapping.txt"))]
    order = ",".join(read_lines(first_existing(mapping, "train_rand.txt"))).split(",")
    try:
        drive_of = [drives[int(line) - 1] for line in order if line.strip()]
    except (IndexError, ValueError) as error:
        raise DataError(f"{mapping}: train_rand.txt does not number the lines of train_mapping.txt: {error}") from error
    pictures: dict[str, list[int]] = defaultdict(list)
    for number, drive in enumerate(drive_of):
        pictures[drive].append(number)
    if len(pictures) < 3:
        raise DataError(f"{mapping} has {len(pictures)} drives: too few to hold some out for val and for test")
    count, random = max(1, HELD_OUT_PERCENT * len(pictures) // 100), np.random.RandomState(KITTI_SEED)
    test = set(random.choice(sorted(pictures), count, replace=False))
    val = set(random.choice(sorted(pictures.keys() - test), count, replace=False))
    chosen = {"test": test, "val": val, "train": pictures.keys() - test - val}[split]
    return sorted(number for drive in chosen for number in pictures[drive])
