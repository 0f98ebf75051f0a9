"""ImageNet, and the sets that ask for its classes in other pictures. Classes are called by WordNet ids, or wnids."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from contralto.errors import DataError, MissingExtraError
from contralto.sets.data_set import Class, Item, PictureChange
from contralto.sets.layouts.class_index import by_folder, labelled_files
from contralto.sets.layouts.documents import table
from contralto.sets.layouts.locate import folders, lines, one_of, pictures
from contralto.sets.layouts.split_folders import per_class

WNID = re.compile(r"n\d{8}")

V2 = {
    "test": "imagenetv2-matched-frequency-format-val",
    "threshold": "imagenetv2-threshold0.7-format-val",
    "top": "imagenetv2-top-images-format-val",
}
"""The three versions of ImageNet-V2; papers report the first."""

BORDER = 2
"""ObjectNet's pictures have a red frame of so many pixels, so that nobody trains on them unknowingly."""


def imagenet(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """train and val, each a folder per wnid; val may also be flat, as it is released, with a list of its labels."""
    folder = one_of(root, split, f"ILSVRC/Data/CLS-LOC/{split}", f"Data/CLS-LOC/{split}")
    if split == "train" or any(WNID.fullmatch(name) for name in folders(folder)):
        return per_class(root, folder, by_folder(classes))
    listed, wnids = _validation_labels(root)
    named = ((path.name, _wnid(wnids, path)) for path in pictures(folder))
    return labelled_files(root, folder.relative_to(root).as_posix(), named, classes, listed)


def imagenet_v2(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """A folder per class, called by its index. Their order is that of numbers, not of names."""
    return per_class(root, one_of(root, V2[split]), {str(index): index for index in range(len(classes))})


def wnid_folders(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """A folder per wnid directly below the root: ImageNet-A, ImageNet-R, ImageNet-Sketch."""
    return per_class(root, root, by_folder(classes))


def objectnet(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """The folders that share a class with ImageNet; the others are left out.

    A folder may stand for several of the classes: each of them is right, and all are in `labels`. So the best score
    among them counts for the folder, as ObjectNet's authors and Taori et al. (2020) have it.
    """
    folder = one_of(root, "images", "objectnet-1.0/images")
    right: dict[str, tuple[int, ...]] = {}
    for index, known in enumerate(classes):
        right[known.folder] = (*right.get(known.folder, ()), index)
    frameless = PictureChange(f"border of {BORDER} px cut off", _without_border)
    return [
        Item(path.relative_to(root).as_posix(), path, right[name][0], right[name], change=frameless)
        for name in sorted(right)
        for path in pictures(one_of(folder, name))
    ]


def _without_border(picture: Image.Image, key: str) -> Image.Image:
    return picture.crop((BORDER, BORDER, picture.width - BORDER, picture.height - BORDER))


def _wnid(wnids: Mapping[str, str], path: Path) -> str:
    if path.stem not in wnids:
        raise DataError(f"{path}: the list of validation labels, of {len(wnids)} pictures, does not name it")
    return wnids[path.stem]


def _validation_labels(root: Path) -> tuple[Path, dict[str, str]]:
    """Kaggle's list or the development kit's, and by it: file name without its ending -> wnid."""
    kit = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt"
    listed = one_of(root, "LOC_val_solution.csv", kit, "ILSVRC2012_validation_ground_truth.txt")
    if listed.suffix == ".csv":
        return listed, {name: boxes.split()[0] for name, boxes in table(listed, "ImageId", "PredictionString") if boxes}
    meaning = _kit_wnids(one_of(listed.parent, "meta.mat"))
    try:
        numbered = enumerate(lines(listed), 1)
        return listed, {f"ILSVRC2012_val_{number:08d}": meaning[int(identity)] for number, identity in numbered}
    except (KeyError, ValueError) as error:
        raise DataError(f"{listed} is no list of ids that {listed.parent / 'meta.mat'} states: {error}") from error


def _kit_wnids(path: Path) -> dict[int, str]:
    """The development kit's own id of a class, which is not its index -> wnid."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise MissingExtraError(f"reading {path.name}", "evaluate") from error
    try:
        synsets = loadmat(path, squeeze_me=True)["synsets"]
        return {int(entry["ILSVRC2012_ID"]): str(entry["WNID"]) for entry in synsets}
    except Exception as error:  # scipy raises whatever its parser trips over
        raise DataError(f"{path} is not ILSVRC2012's meta.mat: {error}") from error
