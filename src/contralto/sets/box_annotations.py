"""True boxes in COCO's format: one JSON file with `images`, `annotations` and `categories`.

    {"images": [{"id": 7, "file_name": "a.jpg", "width": 640, "height": 480}],
     "annotations": [{"image_id": 7, "category_id": 3, "bbox": [x, y, width, height], "iscrowd": 0}],
     "categories": [{"id": 3, "name": "dog"}]}

The pictures are in the folder of the file, or in a folder within or next to it (COCO's `val2017`). `width` and `height`
may be missing. Boxes are pixels of the upright picture. Segments and whatever else the file holds are not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from contralto.data.omissions import Omissions
from contralto.data.sample import SampleError
from contralto.data.splits import UNSPLIT
from contralto.data.table_files import picture_path
from contralto.errors import DataError, one_line
from contralto.sets.data_set import Class, DataSet, Item, TrueBox
from contralto.sets.layouts.documents import read_json
from contralto.sets.picture_folder import file_head, picture_folder
from contralto.sets.user_set import UserSet, build_data_set

PARTS: Final = ("images", "annotations", "categories")
KEPT: Final = frozenset(
    {*PARTS, "id", "file_name", "width", "height", "image_id", "category_id", "bbox", "iscrowd", "name"}
)
WITHOUT_AREA: Final = "boxes without area"


def holds_boxes(path: Path) -> bool:
    """Whether a JSON file looks like COCO's annotations. Only its start is read. Raises DataError."""
    head = file_head(path)
    names = (f'"{name}"'.encode() for name in (*PARTS, "info", "licenses"))
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and any(name in head for name in names)


def open_boxes(path: Path) -> UserSet:
    """A file of annotations: every picture is asked for every category. Raises DataError for another layout.

    A picture that cannot be named is reported and left out; an annotation that cannot be read fails the file, as a
    missing true box would count against the model.
    """

    def read(split: str) -> DataSet:
        left_out = Omissions()
        document = _document(path)
        places, classes = _classes(document["categories"], path)
        boxes = _boxes(document["annotations"], places, path, left_out)
        items = _items(document["images"], boxes, path, left_out)
        if strange := next((image for image in boxes if image not in items), None):
            raise DataError(f"{path}: an annotation names the image {_shown(strange)}, which is not among `images`")
        return build_data_set(path, split, list(filter(None, items.values())), classes, task="boxes", left_out=left_out)

    return UserSet((UNSPLIT,), read)


def _document(path: Path) -> dict[str, list[Any]]:
    document: Any = read_json(path, lambda value: {name: one for name, one in value.items() if name in KEPT})
    parts: dict[str, list[Any]] = {}
    for name in PARTS:
        entries = document.get(name) if isinstance(document, dict) else None
        if not isinstance(entries, list):
            raise DataError(f"{path} has no list `{name}`: true boxes need {', '.join(PARTS)}, as in COCO's instances")
        parts[name] = entries
    return parts


def _classes(categories: list[Any], path: Path) -> tuple[dict[Any, int], tuple[Class, ...]]:
    """The place of each category's id, and the classes."""
    places: dict[Any, int] = {}
    names: list[str] = []
    for number, category in enumerate(categories):
        identity, name = _identity(category, "id", f"{path}: category {number}"), category.get("name")
        if not isinstance(name, str) or not name.strip():
            raise DataError(f"{path}: category {_shown(identity)} has no name to ask for")
        if identity in places or name in names:
            raise DataError(f"{path}: category {_shown(name)} is there twice, by its id or by its name")
        places[identity] = len(places)
        names.append(name)
    return places, tuple(map(Class, names))


def _boxes(
    annotations: list[Any], places: Mapping[Any, int], path: Path, left_out: Omissions
) -> dict[Any, list[TrueBox]]:
    """The true boxes by the id of their image."""
    boxes: dict[Any, list[TrueBox]] = {}
    for number, annotation in enumerate(annotations):
        where = f"{path}: annotation {number}"
        image, category = (_identity(annotation, name, where) for name in ("image_id", "category_id"))
        if category not in places:
            raise DataError(f"{where} has the category {_shown(category)}, which is not among `categories`")
        x, y, width, height = _sides(annotation.get("bbox"), where)
        several = boxes.setdefault(image, [])
        if width == 0 or height == 0:
            left_out.ignore(WITHOUT_AREA, where)
            continue
        crowd = annotation.get("iscrowd", 0)
        if crowd not in (0, 1):
            raise DataError(f"{where} has iscrowd {_shown(crowd)}, which is neither 0 nor 1")
        several.append(TrueBox(places[category], (x, y, x + width, y + height), bool(crowd)))
    return boxes


def _sides(box: Any, where: str) -> tuple[float, float, float, float]:
    """x, y, width, height."""
    numbers = [one for one in box if type(one) in (int, float)] if isinstance(box, list) else []
    if len(numbers) != 4 or len(numbers) != len(box) or not all(abs(one) < 1e9 for one in numbers):
        raise DataError(f"{where} has the bbox {_shown(box)}: x, y, width, height in pixels are needed")
    x, y, width, height = map(float, numbers)
    if min(width, height) < 0:
        raise DataError(f"{where} has the bbox {_shown(box)}, whose width or height is below 0")
    return x, y, width, height


def _items(
    images: list[Any], boxes: Mapping[Any, list[TrueBox]], path: Path, left_out: Omissions
) -> dict[Any, Item | None]:
    """The item of each image by its id; None if it names no usable picture."""
    items: dict[Any, Item | None] = {}
    folder: Path | None = None
    for number, image in enumerate(images):
        where = f"{path}: image {number}"
        if (identity := _identity(image, "id", where)) in items:
            raise DataError(f"{where} has the id {_shown(identity)} of an earlier one")
        items[identity] = None
        name = image.get("file_name")
        try:
            picture_path(path.parent, name, where, anywhere=False)
        except SampleError as error:
            left_out.fail(where, error.reason)
            continue
        folder = folder or picture_folder(path, name)
        size = _size(image, where)
        items[identity] = Item(name, folder / name, boxes=tuple(boxes.get(identity, ())), size=size)
    return items


def _size(image: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    """The stated width and height, if both are there."""
    width, height = image.get("width"), image.get("height")
    if width is None or height is None:
        return None
    for side in (width, height):
        if type(side) is not int or not 0 < side < 1 << 31:
            raise DataError(f"{where} has a side of {_shown(side)}: a whole number of pixels is needed")
    return width, height


def _identity(entry: Any, name: str, where: str) -> int | str:
    identity = entry.get(name) if isinstance(entry, dict) else None
    if isinstance(identity, bool) or not isinstance(identity, int | str):
        raise DataError(f"{where} has no `{name}`, a whole number or a text")
    return identity


def _shown(value: object) -> str:
    return one_line(repr(value), 80)
