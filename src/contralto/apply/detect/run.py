"""Boxes of the things that one asks for: by the heads of a detector if the model is one, else by regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias, TypedDict, Unpack, overload

from PIL import Image

from contralto import arguments, inputs
from contralto.apply.detect import owl, regions
from contralto.apply.detect.box import Box
from contralto.apply.picture import upright
from contralto.embeddings import Embeddings
from contralto.encoder import Clip
from contralto.encoder.options import OnError, Raise, Skip, check_options
from contralto.errors import ContraltoError, ImageError
from contralto.inputs import Failure
from contralto.zeroshot import classifier
from contralto.zeroshot.classifier import Labels, Templates

Detector: TypeAlias = Callable[[Image.Image], list[Box]]
"""From one upright RGB picture to its boxes, best first."""

Detections: TypeAlias = list[Box] | list[list[Box]]
"""Boxes of one picture, or of each picture of a list."""


class DetectionOptions(TypedDict, total=False):
    """The keywords that both overloads of `detect` share."""

    like: Any
    templates: Templates
    threshold: float | None
    nms: float | None
    top: int


class DetectionKeywords(TypedDict):
    """The keywords of both ways to detect."""

    threshold: float
    nms: float
    top: int


class DetectionLimits(NamedTuple):
    """Which boxes are given: those with a score above `threshold`, that overlap no better one of their label by an IoU
    above `nms`, the `top` best. None: the detector's own default."""

    threshold: float | None
    nms: float | None
    top: int

    def given(self, threshold: float, nms: float) -> DetectionKeywords:
        """As keywords, with these defaults."""
        return {
            "threshold": threshold if self.threshold is None else self.threshold,
            "nms": nms if self.nms is None else self.nms,
            "top": self.top,
        }


@overload
def detect(
    clip: Clip, items: Any, labels: Labels | None = ..., *, on_error: Raise = ..., **options: Unpack[DetectionOptions]
) -> Detections: ...
@overload
def detect(
    clip: Clip, items: Any, labels: Labels | None = ..., *, on_error: Skip, **options: Unpack[DetectionOptions]
) -> tuple[Detections, list[Failure]]: ...
def detect(
    clip: Clip,
    items: Any,
    labels: Labels | None = None,
    *,
    like: Any = None,
    templates: Templates = "photo",
    threshold: float | None = None,
    nms: float | None = None,
    top: int = 100,
    on_error: OnError = "raise",
) -> Detections | tuple[Detections, list[Failure]]:
    """Where in each picture things of these labels are, best first: a list of boxes, for a list of pictures one each.

    items: one picture or a list, as `Clip.encode_image` takes them. labels: names, or a dict label -> name or names, as
    `Clip.encode_labels` takes them. like: a picture of the thing, in the place of labels; the boxes have no label then.
    templates: as in `Clip.encode_labels`; a detector reads the labels as they are unless another value is given.
    threshold: a box is given if its score is above this, from 0 (all) to 1. nms: two boxes of a label are one thing if
    their IoU is above this, from 0 to 1. None: 0.1 and 1 (by picture 0.3) for a detector, else those that
    `contralto.apply.detect.regions` states. top: at most so many boxes a picture.

    A model with the heads of a detector (OWL-ViT, OWLv2) uses them; every other one scores regions of the picture, with
    much less exact boxes. Box coordinates are pixels of the upright picture. With on_error="skip": (lists, failures),
    without the pictures that failed. Raises ContraltoError; with on_error="raise" ImageError for the first bad picture.
    """
    check_options(on_error)
    single, several = inputs.pictures(items)
    find = detector(clip, labels, like=like, templates=templates, threshold=threshold, nms=nms, top=top)
    lists: list[list[Box]] = []
    failures: list[Failure] = []
    for index, item in enumerate(several):
        try:
            picture = upright(item, clip.contract.image.alpha, index)
        except ImageError as error:
            if on_error == "raise":
                raise
            failures.append(Failure.of(index, item, error))
            continue
        lists.append(find(picture))
    boxes: Detections = lists[0] if single and lists else lists
    return boxes if on_error == "raise" else (boxes, failures)


def detector(
    clip: Clip,
    labels: Labels | None = None,
    *,
    like: Any = None,
    templates: Templates = "photo",
    threshold: float | None = None,
    nms: float | None = None,
    top: int = 100,
) -> Detector:
    """What `detect` does with each picture, after the labels or the picture `like` have been encoded, once."""
    if (labels is None) == (like is None):
        raise ContraltoError("detect takes labels, or a picture as like: give one of the two")
    limits = DetectionLimits(
        None if threshold is None else arguments.number(threshold, "threshold", 0, 1),
        None if nms is None else arguments.number(nms, "nms", 0, 1),
        arguments.whole(top, "top"),
    )
    example = None if like is None else _example(clip, like)
    return (_by_heads if kind(clip) == "owl" else _by_regions)(clip, labels, example, templates, limits)


def _by_heads(
    clip: Clip, labels: Labels | None, example: Image.Image | None, templates: Templates, limits: DetectionLimits
) -> Detector:
    if example is not None:
        given = limits.given(owl.THRESHOLD, owl.LIKE_SUPPRESSION)
        return _heads(clip, owl.picture_query(clip, example), [None], given)
    assert labels is not None
    built = classifier.build(clip, labels, None if templates == "photo" else templates)
    return _heads(clip, built.embeddings, built.labels, limits.given(owl.THRESHOLD, owl.NO_SUPPRESSION))


def _heads(clip: Clip, queries: Embeddings, labels: Sequence[str | None], given: DetectionKeywords) -> Detector:
    return lambda picture: owl.detect_owl(clip, [picture], queries, labels, **given)[0]


def _by_regions(
    clip: Clip, labels: Labels | None, example: Image.Image | None, templates: Templates, limits: DetectionLimits
) -> Detector:
    given = limits.given(regions.THRESHOLD, regions.SUPPRESSION)
    if example is not None:
        return regions.detector(clip, clip.encode_image([example]), [None], **given)
    assert labels is not None
    built = classifier.build(clip, labels, templates)
    return regions.detector(clip, built.embeddings, built.labels, **given)


def kind(clip: Clip) -> str:
    """How `detect` works with this model: "owl", by the heads of a detector, or "regions"."""
    return "regions" if clip.contract.detector is None else "owl"


def _example(clip: Clip, like: Any) -> Image.Image:
    single, several = inputs.pictures(like)
    if not single:
        raise ContraltoError("like must be one picture, got a list")
    return upright(next(iter(several)), clip.contract.image.alpha)
