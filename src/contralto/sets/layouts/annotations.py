"""Pictures whose labels stand in a table beside them: VOC 2007, Birdsnap, FairFace, Hateful Memes."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from contralto.errors import DataError, one_line
from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.class_index import agree, by_folder, index_of, labelled_files
from contralto.sets.layouts.documents import json_rows, table
from contralto.sets.layouts.locate import MissingPath, inside, lines, one_of


def voc2007(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """VOCdevkit/VOC2007: ImageSets/Main/<class>_<split>.txt says 1, -1, or 0 where all its objects are difficult."""
    base = one_of(root, "VOCdevkit/VOC2007", "VOC2007", ".")
    folder = one_of(base, "JPEGImages")
    stated: dict[str, dict[str, list[int]]] = defaultdict(lambda: {"1": [], "0": [], "-1": []})
    for index, known in enumerate(classes):
        listed = one_of(base, f"ImageSets/Main/{known.folder or known.name}_{split}.txt")
        for line in lines(listed):
            name, _, sign = line.partition(" ")
            if sign.strip() not in ("1", "0", "-1"):
                raise DataError(f"{listed} has a line that does not end with 1, 0 or -1: {one_line(line, 80)!r}")
            stated[name][sign.strip()].append(index)
    if uneven := next((name for name, found in stated.items() if sum(map(len, found.values())) != len(classes)), None):
        raise DataError(f"{base}: {one_line(uneven, 80)!r} is not in the lists of all {len(classes)} classes")
    items = []
    for name, found in sorted(stated.items()):
        path = inside(folder, f"{name}.jpg")
        key = path.relative_to(root).as_posix()
        items.append(Item(key, path, labels=tuple(found["1"]), ignored=tuple(found["0"])))
    return items


def birdsnap(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """species.txt, images.txt and test_images.txt, and images/ as their authors' script downloads them.

    Species are known by their common names; many pictures are gone from the web, and what is not there is left out.
    """
    species, folder = one_of(root, "species.txt"), one_of(root, "images")
    place = {_plain(known.name): index for index, known in enumerate(classes)}
    named = {number: _plain(name) for number, name in table(species, "id", "common", delimiter="\t")}
    agree(named.values(), place, species)
    held_out = {path for (path,) in table(one_of(root, "test_images.txt"), "path", delimiter="\t")}
    items = []
    for name, number in table(one_of(root, "images.txt"), "path", "species_id", delimiter="\t"):
        if (name in held_out) == (split == "test"):
            label, path = index_of(place, named.get(number, number), species), inside(folder, name)
            if os.path.exists(path):
                items.append(Item(path.relative_to(root).as_posix(), path, label))
    if not items:
        raise MissingPath(f"{folder} has none of the pictures that images.txt names")
    return items


def fairface(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """fairface_label_val.csv and val/. The class is the race; race, gender and age are the groups."""
    listed, place = one_of(root, f"fairface_label_{split}.csv"), by_folder(classes)
    folder = one_of(root, split, f"fairface-img-margin025-trainval/{split}").parent
    items = []
    for name, race, gender, age in table(listed, "file", "race", "gender", "age"):
        path, groups = inside(folder, name), {"race": race, "gender": gender, "age": age}
        items.append(Item(path.relative_to(root).as_posix(), path, index_of(place, race, listed), groups=groups))
    return items


def hateful_memes(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """train.jsonl and dev.jsonl (in the second release dev_seen.jsonl), and img/. Label 1 is hateful."""
    listed = one_of(root, "train.jsonl") if split == "train" else one_of(root, "dev.jsonl", "dev_seen.jsonl")
    one_of(root, "img")
    named = []
    for row in json_rows(listed):
        if not isinstance(row.get("img"), str) or "label" not in row:
            raise DataError(f"{listed} has a meme without img or label: {one_line(str(row), 80)}")
        named.append((row["img"], str(row["label"])))
    return labelled_files(root, ".", named, classes, listed)


def _plain(name: str) -> str:
    """A bird's name as the released prompts spell it, without apostrophes and hyphens, in lower case."""
    return re.sub(r"[^a-z0-9]+", " ", re.sub(r"['’]", "", name.casefold())).strip()
