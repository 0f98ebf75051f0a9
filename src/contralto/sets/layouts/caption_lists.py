"""Pictures with five captions each: Flickr30k, Flickr8k and COCO, by Karpathy's JSON or the authors' own lists.

Where a picture has more than five captions the first five count, in the order of the file, as papers do.
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
from contralto.sets.layouts.locate import inside, lines, one_of

CAPTIONS = 5


def flickr30k(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """dataset_flickr30k.json, or results_20130124.token with the lists train.txt, val.txt and test.txt."""
    folder = one_of(root, "flickr30k-images", "flickr30k_images", "Images")
    if (root / "dataset_flickr30k.json").exists():
        return _items(root, folder, _karpathy(root / "dataset_flickr30k.json", split))
    tokens = one_of(root, "dataset_flickr30k.json", "results_20130124.token")
    chosen = lines(one_of(root, f"{split}.txt"))
    return _items(root, folder, _tokens(tokens, [f"{name.removesuffix('.jpg')}.jpg" for name in chosen]))


def flickr8k(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """dataset_flickr8k.json, or Flickr8k.token.txt with the lists Flickr_8k.trainImages.txt, dev and test."""
    folder = one_of(root, "Flicker8k_Dataset", "Flickr8k_Dataset", "Images")  # the first is how it is released
    if (root / "dataset_flickr8k.json").exists():
        return _items(root, folder, _karpathy(root / "dataset_flickr8k.json", split))
    texts = one_of(root, "Flickr8k_text", ".")
    tokens = one_of(texts, "Flickr8k.token.txt")
    released = "dev" if split == "val" else split
    return _items(root, folder, _tokens(tokens, lines(one_of(texts, f"Flickr_8k.{released}Images.txt"))))


def coco(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """dataset_coco.json with train2014 and val2014, or for val2017 the captions as COCO releases them."""
    if split == "val2017":
        captions = one_of(root, "annotations/captions_val2017.json", "captions_val2017.json")
        return _items(root, one_of(root, "val2017", "images/val2017"), _released(captions))
    document = one_of(root, "dataset_coco.json")
    folder = one_of(root, "val2014", "images/val2014").parent
    return _items(root, folder, _karpathy(document, split))


def _items(root: Path, folder: Path, captioned: Iterable[tuple[str, Sequence[Any]]]) -> list[Item]:
    items = []
    for name, captions in captioned:
        path = inside(folder, name)
        items.append(Item(path.relative_to(root).as_posix(), path, captions=captions_of(captions)[:CAPTIONS]))
    return items


def _karpathy(path: Path, split: str) -> Iterator[tuple[str, list[Any]]]:
    """The pictures of a split; `restval`, what COCO's validation pictures have left over, counts as train."""
    parts = {"train", "restval"} if split == "train" else {split}

    def picture(stated: dict[str, Any]) -> Any:
        return stated.get("raw", stated)  # a sentence's tokens are not needed

    try:
        for stated in read_json(path, picture)["images"]:
            if stated["split"] in parts:
                yield "/".join(filter(None, (stated.get("filepath"), stated["filename"]))), stated["sentences"]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not laid out as Karpathy's splits: {error!r}") from error


def _tokens(path: Path, chosen: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """The chosen pictures from lines `name.jpg#number <tab> caption`."""
    captions: dict[str, list[str]] = defaultdict(list)
    for line in lines(path):
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
        for picture in sorted(document["images"], key=lambda stated: int(stated["id"])):
            yield picture["file_name"], captions[picture["id"]]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{path} is not laid out as COCO's captions: {error!r}") from error
