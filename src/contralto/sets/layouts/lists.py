"""Data sets with a list of file names per split: Food-101, DTD, Pets, Aircraft, SUN397."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.class_index import labelled_files
from contralto.sets.layouts.locate import first_existing
from contralto.sets.list_files import read_lines


def food101(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """meta/train.txt, test.txt: lines such as `apple_pie/1005649`; images/apple_pie/1005649.jpg."""
    list_file = first_existing(root, f"meta/{split}.txt")
    named = ((f"{line}.jpg", line.partition("/")[0]) for line in read_lines(list_file))
    return labelled_files(root, "images", named, classes, list_file)


def dtd(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """labels/train1.txt, val1.txt, test1.txt, the first of ten splits: lines such as `banded/banded_0002.jpg`.

    The pictures are in images/.
    """
    list_file = first_existing(root, f"labels/{split}1.txt")
    named = ((line, line.partition("/")[0]) for line in read_lines(list_file))
    return labelled_files(root, "images", named, classes, list_file)


def pets(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """annotations/trainval.txt, test.txt: lines such as `Abyssinian_100 1 1 1` (name, class, species, breed).

    The class comes from the name: ids are in alphabetical order, but in the published class names the cats come first.
    """
    list_file = first_existing(root, f"annotations/{'trainval' if split == 'train' else split}.txt")
    stems = (line.split()[0] for line in read_lines(list_file) if not line.startswith("#"))
    named = ((f"{stem}.jpg", stem.rpartition("_")[0]) for stem in stems)
    return labelled_files(root, "images", named, classes, list_file)


def aircraft(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """images_variant_train.txt, val, test: lines such as `1025794 707-320` (variants may have spaces).

    The picture is images/1025794.jpg.
    """
    list_file = first_existing(root, f"images_variant_{split}.txt")
    parts = (line.partition(" ") for line in read_lines(list_file))
    return labelled_files(root, "images", ((f"{stem}.jpg", variant) for stem, _, variant in parts), classes, list_file)


def sun397(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """Training_01.txt, Testing_01.txt, the first of ten splits: lines such as `/a/abbey/sun_aaa.jpg`.

    The paths begin at the root.
    """
    name = {"train": "Training_01.txt", "test": "Testing_01.txt"}[split]
    list_file = first_existing(root, name, f"Partitions/{name}")
    named = ((line.lstrip("/"), line.strip("/").rpartition("/")[0]) for line in read_lines(list_file))
    return labelled_files(root, ".", named, classes, list_file)
