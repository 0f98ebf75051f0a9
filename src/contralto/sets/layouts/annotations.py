"""Pictures with labels in a separate table: VOC 2007, Birdsnap, FairFace, Hateful Memes."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from contralto.errors import DataError, one_line
from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.class_index import check_classes, index_by_folder, index_of, labelled_files
from contralto.sets.layouts.documents import csv_columns, json_rows
from contralto.sets.layouts.locate import MissingPath, first_existing, path_within
from contralto.sets.list_files import read_lines


def voc2007(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """VOCdevkit/VOC2007. ImageSets/Main/<class>_<split>.txt has 1, -1, or 0 if all objects are difficult."""
    base = first_existing(root, "VOCdevkit/VOC2007", "VOC2007", ".")
    folder = first_existing(base, "JPEGImages")
    indices_by_sign: dict[str, dict[str, list[int]]] = defaultdict(lambda: {"1": [], "0": [], "-1": []})
    for index, class_ in enumerate(classes):
        list_file = first_existing(base, f"ImageSets/Main/{class_.folder or class_.name}_{split}.txt")
        for line in read_lines(list_file):
            name, _, sign = line.partition(" ")
            if sign.strip() not in ("1", "0", "-1"):
                raise DataError(f"{list_file} has a line that does not end with 1, 0 or -1: {one_line(line, 80)!r}")
            indices_by_sign[name][sign.strip()].append(index)
    items = []
    for name, indices in sorted(indices_by_sign.items()):
        if sum(map(len, indices.values())) != len(classes):
            raise DataError(f"{base}: {one_line(name, 80)!r} is not in the lists of all {len(classes)} classes")
        path = path_within(folder, f"{name}.jpg")
        key = path.relative_to(root).as_posix()
        items.append(Item(key, path, labels=tuple(indices["1"]), ignored=tuple(indices["0"])))
    return items


def birdsnap(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """species.txt, images.txt and test_images.txt, and images/ in the layout of the authors' download script.

    Species are matched by their common names. Many pictures are no longer on the web; missing ones are left out.
    """
    species, folder = first_existing(root, "species.txt"), first_existing(root, "images")
    index_by_name = {_plain(class_.name): index for index, class_ in enumerate(classes)}
    named = {number: _plain(name) for number, name in csv_columns(species, "id", "common", delimiter="\t")}
    check_classes(named.values(), index_by_name, species)
    held_out = {path for (path,) in csv_columns(first_existing(root, "test_images.txt"), "path", delimiter="\t")}
    items = []
    for name, number in csv_columns(first_existing(root, "images.txt"), "path", "species_id", delimiter="\t"):
        if (name in held_out) == (split == "test"):
            label, path = index_of(index_by_name, named.get(number, number), species), path_within(folder, name)
            if os.path.exists(path):
                items.append(Item(path.relative_to(root).as_posix(), path, label))
    if not items:
        raise MissingPath(f"{folder} has none of the pictures that images.txt names")
    return items


def fairface(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """fairface_label_val.csv and val/. The class is the race; the groups are race, gender and age."""
    list_file, index_by_name = first_existing(root, f"fairface_label_{split}.csv"), index_by_folder(classes)
    folder = first_existing(root, split, f"fairface-img-margin025-trainval/{split}").parent
    items = []
    for name, race, gender, age in csv_columns(list_file, "file", "race", "gender", "age"):
        path, groups = path_within(folder, name), {"race": race, "gender": gender, "age": age}
        items.append(
            Item(path.relative_to(root).as_posix(), path, index_of(index_by_name, race, list_file), groups=groups)
        )
    return items


def hateful_memes(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """train.jsonl and dev.jsonl (in the second release dev_seen.jsonl), and img/. Label 1 is hateful."""
    list_file = (
        first_existing(root, "train.jsonl") if split == "train" else first_existing(root, "dev.jsonl", "dev_seen.jsonl")
    )
    first_existing(root, "img")
    named = []
    for row in json_rows(list_file):
        if not isinstance(row.get("img"), str) or "label" not in row:
            raise DataError(f"{list_file} has a meme without img or label: {one_line(str(row), 80)}")
        named.append((row["img"], str(row["label"])))
    return labelled_files(root, ".", named, classes, list_file)


def _plain(name: str) -> str:
    """A bird's name in the spelling of the released prompts: no apostrophes and hyphens, lower case."""
    return re.sub(r"[^a-z0-9]+", " ", re.sub(r"['’]", "", name.casefold())).strip()
