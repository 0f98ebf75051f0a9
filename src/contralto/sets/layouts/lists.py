"""Sets whose splits are lists of file names: Food-101, DTD, Pets, Aircraft, SUN397."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.class_index import labelled_files
from contralto.sets.layouts.locate import lines, one_of


def food101(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """meta/train.txt, test.txt: `apple_pie/1005649` a line; images/apple_pie/1005649.jpg."""
    listed = one_of(root, f"meta/{split}.txt")
    named = ((f"{line}.jpg", line.partition("/")[0]) for line in lines(listed))
    return labelled_files(root, "images", named, classes, listed)


def dtd(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """labels/train1.txt, val1.txt, test1.txt, the first of ten cuts: `banded/banded_0002.jpg` a line, below images/."""
    listed = one_of(root, f"labels/{split}1.txt")
    named = ((line, line.partition("/")[0]) for line in lines(listed))
    return labelled_files(root, "images", named, classes, listed)


def pets(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """annotations/trainval.txt, test.txt: `Abyssinian_100 1 1 1` a line (name, class, species, breed within it).

    The class comes from the name: ids follow the alphabet, published class names have the cats first.
    """
    listed = one_of(root, f"annotations/{'trainval' if split == 'train' else split}.txt")
    stems = (line.split()[0] for line in lines(listed) if not line.startswith("#"))
    named = ((f"{stem}.jpg", stem.rpartition("_")[0]) for stem in stems)
    return labelled_files(root, "images", named, classes, listed)


def aircraft(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """images_variant_train.txt, val, test: `1025794 707-320` a line (variants may have spaces); images/1025794.jpg."""
    listed = one_of(root, f"images_variant_{split}.txt")
    parts = (line.partition(" ") for line in lines(listed))
    return labelled_files(root, "images", ((f"{stem}.jpg", variant) for stem, _, variant in parts), classes, listed)


def sun397(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """Training_01.txt, Testing_01.txt, the first of ten cuts: `/a/abbey/sun_aaa.jpg` a line, from the root itself."""
    name = {"train": "Training_01.txt", "test": "Testing_01.txt"}[split]
    listed = one_of(root, name, f"Partitions/{name}")
    named = ((line.lstrip("/"), line.strip("/").rpartition("/")[0]) for line in lines(listed))
    return labelled_files(root, ".", named, classes, listed)
