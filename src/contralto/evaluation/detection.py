"""Things in pictures: the average precision of the boxes that a model gives, and where its maps point."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from PIL import Image

from contralto.apply.detect import run as detect
from contralto.apply.detect.box import Box
from contralto.apply.picture import upright
from contralto.encoder import Clip
from contralto.errors import ContraltoError, DataError
from contralto.evaluation.cached_embeddings import PictureEmbeddings, digest_pictures
from contralto.evaluation.condition import PLAIN
from contralto.evaluation.figures import FigureCollector, bootstrapped, mean
from contralto.evaluation.outcome import BoxExample, Outcome, Records
from contralto.evaluation.pointing import Places, box_centres, covered, map_pointer, points_at
from contralto.evaluation.protocol import base_protocol, class_protocol
from contralto.evaluation.session import Session
from contralto.metrics.detection import COCO_LIMITS, COCO_RECALLS, COCO_TOP, PrecisionCurves
from contralto.metrics.matching import OwnedBoxes, match
from contralto.sets.data_set import DataSet, Item, TrueBox

EXAMPLES: Final = 12
OWN_TEMPLATES: Final = "the detector's own"
STATED: Final = {
    "ap50": "the area under precision made monotone, at all points; IoU of 0.5 or more; mean over classes",
    "ap": f"COCO: 101 recalls, IoU .50:.05:.95, {COCO_TOP} boxes of a picture and class, crowds not judged; mean",
    "pointing": "for each label of each picture: the peak of its map (of a detector, the centre of its best box) lies "
    "in a true box of the label; chance is the share of the picture that these cover",
    "resampled": "pictures",
}


@dataclass(frozen=True)
class Answers:
    """What a model says about N pictures, one entry each; None for a picture that could not be used."""

    boxes: list[list[Box] | None] = field(default_factory=list)
    pointing: list[list[tuple[bool, float]] | None] = field(default_factory=list)
    """For each label that is there, in the order of `labels_there`: whether the peak is right, and its chance."""


def detection(session: Session, data: DataSet, templates: Sequence[str] = (), template_set: str = "") -> Outcome:
    """The outcome of a data set of task `boxes`. templates: empty for the detector's own. Raises ContraltoError.

    Each picture is asked for all classes but those it ignores. Boxes of any score count, so that the curve is whole.
    """
    items, digests, failures = digest_pictures(data.items, session.store, session.progress)
    answers = _ask(session, data, tuple(templates), failures)
    pictures = PictureEmbeddings(np.empty((len(items), 0), np.float32), tuple(digests), failures, tuple(items))
    data = pictures.without_pictures(data)
    collector, (detected, scores), (true, crowd) = FigureCollector(), _detected(data, answers), _true(items)
    matches = match(detected, scores, true, crowd, COCO_LIMITS, COCO_TOP)
    at_half = PrecisionCurves(detected, scores, true, crowd, matches.at_first_limit())
    curves = PrecisionCurves(detected, scores, true, crowd, matches)
    collector.add(bootstrapped, "ap50", at_half.mean, len(items))
    collector.add(bootstrapped, "ap", functools.partial(curves.mean, recalls=COCO_RECALLS), len(items))
    records = _pointing(collector, items, answers)
    protocol = base_protocol(session.clip, data, pictures)
    protocol |= class_protocol(data.classes, templates, template_set if templates else OWN_TEMPLATES)
    protocol |= {"detector": detect.kind(session.clip)} | STATED | collector.protocol
    names, figures = tuple(one.name for one in data.classes), tuple(collector.figures)
    examples = _examples(items, names, answers)
    return Outcome(data.name, data.split, data.task, PLAIN, figures, protocol, records, names, failures, examples)


def labels_there(item: Item) -> list[int]:
    """The classes of the item's things, each once."""
    return sorted({one.label for one in item.boxes})


def _ask(session: Session, data: DataSet, templates: tuple[str, ...], failures: dict[str, str]) -> Answers:
    """Asks the model about each picture; adds those that cannot be used to `failures`."""
    answers, count = Answers(), len(data.items)
    look = _looker(session.clip, [one.name for one in data.classes], templates)
    for i in range(count):
        item = data.items[i]
        boxes, pointing = None, None
        if item.key not in failures:
            try:
                boxes, pointing = look(item, _picture(session.clip, item))
            except ContraltoError as error:
                failures[item.key] = getattr(error, "reason", str(error))
        answers.boxes.append(boxes)
        answers.pointing.append(pointing)
        session.progress("boxes", i + 1, count)
    return answers


def _looker(
    clip: Clip, names: list[str], templates: tuple[str, ...]
) -> Callable[[Item, Image.Image], tuple[list[Box], list[tuple[bool, float]]]]:
    """From an item and its picture to the boxes, and an entry of `Answers.pointing`."""
    given: dict[str, Any] = {"templates": templates} if templates else {}
    has_maps = detect.kind(clip) == "regions"
    point = map_pointer(clip, names, templates or "photo") if has_maps else None

    @functools.lru_cache(16)
    def detector(ignored: tuple[int, ...]) -> Callable[[Image.Image], list[Box]]:
        asked = [name for label, name in enumerate(names) if label not in ignored]
        return detect.detector(clip, asked, threshold=0, top=COCO_TOP, **given)

    def look(item: Item, picture: Image.Image) -> tuple[list[Box], list[tuple[bool, float]]]:
        boxes = detector(item.ignored)(picture)
        peaks: dict[int, Places] = dict(enumerate(point(picture))) if point is not None else {}
        judged = []
        for label in labels_there(item):
            things = [one for one in item.boxes if one.label == label]
            places = peaks[label] if has_maps else box_centres(boxes, names[label])
            judged.append((points_at(places, things), covered(things, picture.size)))
        return boxes, judged

    return look


def _picture(clip: Clip, item: Item) -> Image.Image:
    """The upright picture. Raises ContraltoError, also if it is not of the size that the boxes are for."""
    picture = upright(item.encoder_input(), clip.contract.image.alpha)
    if item.size is not None and picture.size != item.size:
        (width, height), (stated_width, stated_height) = picture.size, item.size
        raise DataError(f"is {width} x {height} pixels, its boxes are for {stated_width} x {stated_height}")
    return picture


def _detected(data: DataSet, answers: Answers) -> tuple[OwnedBoxes, np.ndarray[Any, np.dtype[np.float64]]]:
    places = {one.name: label for label, one in enumerate(data.classes)}
    given = [
        (i, places[one.label], one.score, one.box)
        for i, several in enumerate(answers.boxes)
        for one in several or ()
        if one.label is not None
    ]
    return _owned([(i, label, box) for i, label, _, box in given]), np.array([score for _, _, score, _ in given], float)


def _true(items: Sequence[Item]) -> tuple[OwnedBoxes, np.ndarray[Any, np.dtype[np.bool_]]]:
    given: list[tuple[int, TrueBox]] = [(i, one) for i, item in enumerate(items) for one in item.boxes]
    return _owned([(i, one.label, one.box) for i, one in given]), np.array([one.crowd for _, one in given], bool)


def _owned(given: Sequence[tuple[int, int, tuple[float, float, float, float]]]) -> OwnedBoxes:
    """Boxes with their picture and class."""
    owners, labels = (np.array([one[part] for one in given], np.int64) for part in range(2))
    return OwnedBoxes(np.array([box for *_, box in given], float).reshape(-1, 4), owners, labels)


def _pointing(collector: FigureCollector, items: Sequence[Item], answers: Answers) -> Records:
    """Adds the figure, and returns a record per label of each picture."""
    asked: list[tuple[int, int, bool, float]] = []
    for i, (item, judged) in enumerate(zip(items, answers.pointing, strict=True)):
        there = labels_there(item)
        unusable = [(False, np.nan)] * len(there)
        asked += [(i, label, *one) for label, one in zip(there, unusable if judged is None else judged, strict=True)]
    owners, labels = (np.array([one[part] for one in asked], np.int64) for part in range(2))
    right, chances = np.array([one[2] for one in asked], bool), np.array([one[3] for one in asked], float)
    known = chances[~np.isnan(chances)]
    collector.add(mean, "pointing", right, owners, float(known.mean()) if len(known) else None)
    keys, count = [items[i].key for i in owners], len(asked)
    rank = np.where(right, 0, 1).astype(np.int64)
    return Records.of_items(keys, labels, np.full(count, -1, np.int64), np.full(count, np.nan), rank)


def _examples(items: Sequence[Item], names: Sequence[str], answers: Answers) -> tuple[BoxExample, ...]:
    """A few usable pictures with things in them, evenly spaced, so that nobody has chosen them."""
    shown = [i for i, item in enumerate(items) if item.boxes and answers.boxes[i] is not None]
    chosen = [shown[place * len(shown) // EXAMPLES] for place in range(EXAMPLES)] if shown else []
    return tuple(_example(items[i], names, answers.boxes[i] or []) for i in dict.fromkeys(chosen))


def _example(item: Item, names: Sequence[str], boxes: Sequence[Box]) -> BoxExample:
    true = tuple((names[one.label], one.box) for one in item.boxes)
    best = sorted(boxes, key=lambda one: -one.score)[: len(true)]
    return BoxExample(item.key, true, tuple((str(one.label), float(one.score), one.box) for one in best))
