"""ImageNet, and data sets with its classes in other pictures. WordNet ids (wnids) identify the classes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from contralto.errors import DataError, MissingExtraError
from contralto.sets.data_set import Class, Item, PictureChange
from contralto.sets.layouts.class_index import index_by_folder, labelled_files
from contralto.sets.layouts.documents import csv_columns
from contralto.sets.layouts.locate import first_existing, folder_names, picture_files
from contralto.sets.layouts.split_folders import class_folder_items
from contralto.sets.list_files import read_lines

WNID = re.compile(r"n\d{8}")

V2_FOLDERS = {
    "test": "imagenetv2-matched-frequency-format-val",
    "threshold": "imagenetv2-threshold0.7-format-val",
    "top": "imagenetv2-top-images-format-val",
}
"""The three versions of ImageNet-V2, by split. Papers report the first."""

BORDER = 2
"""Width in pixels of the red border on ObjectNet's pictures, which marks them as not for training."""


def imagenet(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """train and val, each with a folder per wnid. val may also be flat, as released, with a list of its labels."""
    folder = first_existing(root, split, f"ILSVRC/Data/CLS-LOC/{split}", f"Data/CLS-LOC/{split}")
    if split == "train" or any(WNID.fullmatch(name) for name in folder_names(folder)):
        return class_folder_items(root, folder, index_by_folder(classes))
    list_file, wnids = _validation_labels(root)
    named = ((path.name, _wnid(wnids, path)) for path in picture_files(folder))
    return labelled_files(root, folder.relative_to(root).as_posix(), named, classes, list_file)


def imagenet_v2(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """A folder per class, named by the class index."""
    return class_folder_items(
        root, first_existing(root, V2_FOLDERS[split]), {str(index): index for index in range(len(classes))}
    )


def wnid_folders(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """A folder per wnid directly below the root: ImageNet-A, ImageNet-R, ImageNet-Sketch."""
    return class_folder_items(root, root, index_by_folder(classes))


def objectnet(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """The folders that share a class with ImageNet; the others are left out.

    A folder may match several classes: each of them is correct, and all are in `labels`. So the best score among them
    counts for the folder, as in the paper of ObjectNet and in Taori et al. (2020).
    """
    folder = first_existing(root, "images", "objectnet-1.0/images")
    correct: dict[str, tuple[int, ...]] = {}
    for index, class_ in enumerate(classes):
        correct[class_.folder] = (*correct.get(class_.folder, ()), index)
    without_border = PictureChange(f"border of {BORDER} px cut off", _crop_border)
    return [
        Item(path.relative_to(root).as_posix(), path, correct[name][0], correct[name], change=without_border)
        for name in sorted(correct)
        for path in picture_files(first_existing(folder, name))
    ]


def _crop_border(picture: Image.Image, key: str) -> Image.Image:
    return picture.crop((BORDER, BORDER, picture.width - BORDER, picture.height - BORDER))


def _wnid(wnids: Mapping[str, str], path: Path) -> str:
    if path.stem not in wnids:
        raise DataError(f"{path}: the list of validation labels, of {len(wnids)} pictures, does not name it")
    return wnids[path.stem]


def _validation_labels(root: Path) -> tuple[Path, dict[str, str]]:
    """The list from Kaggle or from the development kit, and its content: file stem -> wnid."""
    kit = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt"
    list_file = first_existing(root, "LOC_val_solution.csv", kit, "ILSVRC2012_validation_ground_truth.txt")
    if list_file.suffix == ".csv":
        return list_file, {
            name: boxes.split()[0] for name, boxes in csv_columns(list_file, "ImageId", "PredictionString") if boxes
        }
    wnids_by_id = _kit_wnids(first_existing(list_file.parent, "meta.mat"))
    try:
        numbered = enumerate(read_lines(list_file), 1)
        return list_file, {f"ILSVRC2012_val_{number:08d}": wnids_by_id[int(identity)] for number, identity in numbered}
    except (KeyError, ValueError) as error:
        raise DataError(
            f"{list_file} is no list of ids that {list_file.parent / 'meta.mat'} states: {error}"
        ) from error


def _kit_wnids(path: Path) -> dict[int, str]:
    """Class id of the development kit (not the class index) -> wnid."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise MissingExtraError(f"reading {path.name}", "evaluate") from error
    try:
        synsets = loadmat(path, squeeze_me=True)["synsets"]
        return {int(entry["ILSVRC2012_ID"]): str(entry["WNID"]) for entry in synsets}
    except Exception as error:  # scipy's parser may raise any exception
        raise DataError(f"{path} is not ILSVRC2012's meta.mat: {error}") from error
