"""Pictures with five captions each: Flickr30k, Flickr8k and COCO, from Karpathy's JSON or the authors' lists.

If a picture has more than five captions, the first five in the file count, as in published results.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from contralto.data.table_files import captions_of
from contralto.errors import DataError
from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.documents import read_json
from contralto.sets.layouts.locate import first_existing, path_within
from contralto.sets.list_files import read_lines

CAPTIONS_PER_PICTURE = 5


def flickr30k(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """dataset_flickr30k.json, or results_20130124.token with the lists train.txt, val.txt and test.txt."""
    folder = first_existing(root, "flickr30k-images", "flickr30k_images", "Images")
    if (root / "dataset_flickr30k.json").exists():
        return _items(root, folder, _karpathy(root / "dataset_flickr30k.json", split))
    tokens = first_existing(root, "dataset_flickr30k.json", "results_20130124.token")
    chosen = read_lines(first_existing(root, f"{split}.txt"))
    return _items(root, folder, _tokens(tokens, [f"{name.removesuffix('.jpg')}.jpg" for name in chosen]))


def flickr8k(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """dataset_flickr8k.json, or Flickr8k.token.txt with the lists Flickr_8k.trainImages.txt, dev and test."""
    folder = first_existing(root, "Flicker8k_Dataset", "Flickr8k_Dataset", "Images")  # the first is the released name
    if (root / "dataset_flickr8k.json").exists():
        return _items(root, folder, _karpathy(root / "dataset_flickr8k.json", split))
    texts = first_existing(root, "Flickr8k_text", ".")
    tokens = first_existing(texts, "Flickr8k.token.txt")
    released = "dev" if split == "val" else split
    return _items(root, folder, _tokens(tokens, read_lines(first_existing(texts, f"Flickr_8k.{released}Images.txt"))))


def coco(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """dataset_coco.json with train2014 and val2014; for val2017, COCO's own caption file."""
    if split == "val2017":
        captions = first_existing(root, "annotations/captions_val2017.json", "captions_val2017.json")
        return _items(root, first_existing(root, "val2017", "images/val2017"), _released(captions))
    document = first_existing(root, "dataset_coco.json")
    folder = first_existing(root, "val2014", "images/val2014").parent
    return _items(root, folder, _karpathy(document, split))


def _items(root: Path, folder: Path, captioned: Iterable[tuple[str, Sequence[Any]]]) -> list[Item]:
    items = []
    for name, captions in captioned:
        path = path_within(folder, name)
        items.append(
            Item(path.relative_to(root).as_posix(), path, captions=captions_of(captions)[:CAPTIONS_PER_PICTURE])
        )
    return items


def _karpathy(path: Path, split: str) -> Iterator[tuple[str, list[Any]]]:
    """The pictures of a split. `restval`, the rest of COCO's validation pictures, belongs to train."""
    parts = {"train", "restval"} if split == "train" else {split}

    def reduce(value: dict[str, Any]) -> Any:
        return value.get("raw", value)  # keeps a sentence's text, drops its tokens

    try:
        for picture in read_json(path, reduce)["images"]:
            if picture["split"] in parts:
                yield "/".join(filter(None, (picture.get("filepath"), picture["filename"]))), picture["sentences"]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not laid out as Karpathy's splits: {error!r}") from error


def _tokens(path: Path, chosen: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """The chosen pictures from lines `name.jpg#number <tab> caption`."""
    captions: dict[str, list[str]] = defaultdict(list)
    for line in read_lines(path):
        identity, _, caption = line.partition("\t")
        captions[identity.rpartition("#")[0]].append(caption)
    return ((name, captions[name]) for name in chosen)


def _released(path: Path) -> Iterator[tuple[str, list[Any]]]:
    """All pictures of a COCO annotation file, in the order of their ids."""
    captions: dict[int, list[Any]] = defaultdict(list)
    try:
        document = read_json(path)
        for annotation in document["annotations"]:
            captions[annotation["image_id"]].append(annotation.get("caption"))
        for picture in sorted(document["images"], key=lambda image: int(image["id"])):
            yield picture["file_name"], captions[picture["id"]]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{path} is not laid out as COCO's captions: {error!r}") from error
