"""Average precision of detected boxes, and a form of it that resamples of the pictures are computed from quickly. Its
plain twin is in tests/metrics/test_detection.py.

Boxes are matched once (`matching.py`). A resample of the pictures changes only how often each box counts, so its
figures are running sums over the sorted boxes. Of equal scores the wrong boxes count first: precision is therefore read
where a run of equal scores ends, which is where it is highest.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments, arrays
from contralto.errors import DataError
from contralto.metrics.matching import Flags, Integers, Matches, OwnedBoxes, match
from contralto.metrics.overlap import checked_boxes
from contralto.metrics.undefined import UndefinedError

COCO_LIMITS: Final = np.linspace(0.5, 0.95, 10)
COCO_TOP: Final = 100  # boxes of a picture and class
COCO_RECALLS: Final = np.linspace(0, 1, 101)

Floats = NDArray[np.float64]


def average_precision(
    boxes: ArrayLike,
    scores: ArrayLike,
    owners: ArrayLike,
    true_boxes: ArrayLike,
    true_owners: ArrayLike,
    iou: float = 0.5,
) -> float:
    """The area under the precision of one class over its recall, precision made monotone, at all points (VOC 2010).

    boxes (N, 4): x0, y0, x1, y1. scores (N,): higher is better. owners (N,): the picture of each box, a whole number.
    true_boxes (M, 4), true_owners (M,): the things that are there. A box is right if its IoU with a true box of its
    picture is at least `iou`, between 0 and 1; a true box is taken once. Among equal scores wrong boxes count first,
    whatever the order. Raises DataError if the lengths disagree, UndefinedError without a true box.
    """
    if arguments.number(iou, "iou", 0, 1) == 0:
        raise DataError("iou must be above 0: boxes that touch nothing would be right")
    detected, true = (
        _owned(boxes, owners, "boxes", "owners"),
        _owned(true_boxes, true_owners, "true_boxes", "true_owners"),
    )
    score = arrays.finite_numbers(scores, "scores")
    if len(score) != len(detected.boxes):
        raise DataError(f"{len(score)} scores are given for {len(detected.boxes)} boxes: each box needs one")
    everywhere = np.unique(np.concatenate([detected.owners, true.owners]), return_inverse=True)[1]
    detected = detected._replace(owners=everywhere[: len(score)])
    true = true._replace(owners=everywhere[len(score) :])
    crowd = np.zeros(len(true.boxes), bool)
    matches = match(detected, score, true, crowd, np.array([float(iou)]))
    return PrecisionCurves(detected, score, true, crowd, matches).mean(np.arange(everywhere.max(initial=-1) + 1))


class PrecisionCurves:
    """The curves of C classes at T limits of the overlap, over P pictures, from the matches of `matching.match`.

    detected, scores, true, crowd: as given to it.
    """

    def __init__(
        self,
        detected: OwnedBoxes,
        scores: Floats,
        true: OwnedBoxes,
        crowd: Flags,
        matches: Matches,
    ) -> None:
        self.classes = int(max(detected.classes.max(initial=-1), true.classes.max(initial=-1))) + 1
        self.pictures = int(max(detected.owners.max(initial=-1), true.owners.max(initial=-1))) + 1
        self.limits = len(matches.hits)
        self._true_owner, self._true_class = true.owners[~crowd], true.classes[~crowd]
        order = np.lexsort((-scores[matches.places], detected.classes[matches.places]))
        places, hits, ignored = matches.places[order], matches.hits[:, order], matches.ignored[:, order]
        self._owner, of_class = detected.owners[places], detected.classes[places]
        end = _ends(of_class, scores[places])
        limit, hit = np.nonzero(hits)
        self._hit_owner, self._hit_end = self._owner[hit], end[hit]
        self._hit_class = of_class[hit]
        self._hit_first = np.searchsorted(of_class, self._hit_class)
        self._curve = limit * self.classes + self._hit_class
        self._starts = np.flatnonzero(np.diff(self._curve, prepend=-1))
        self._run = np.repeat(np.arange(len(self._starts)), np.diff(self._starts, append=len(hit)))
        ignored_limit, ignored_place = np.nonzero(ignored)
        self._ignored_owner = self._owner[ignored_place]
        known, width = ignored_limit * (len(places) + 1) + ignored_place, limit * (len(places) + 1)
        self._ignored_first = np.searchsorted(known, width + self._hit_first)
        self._ignored_end = np.searchsorted(known, width + self._hit_end)

    def average(self, counts: NDArray[np.intp], recalls: Floats | None = None) -> Floats:
        """Average precision float64 (T, C), NaN for a class without a true box.

        counts (P,): how often each picture counts. recalls: the mean over the highest precision at each of these
        recalls or above (COCO); None: the area at all points.
        """
        positives = np.bincount(self._true_class, counts[self._true_owner], self.classes)
        average = np.zeros((self.limits, self.classes))
        average[:, positives == 0] = np.nan
        if not len(self._curve):
            return average
        own = counts[self._hit_owner]
        right = np.cumsum(own)
        right -= (right[self._starts] - own[self._starts])[self._run]
        share = right / np.maximum(positives, 1)[self._hit_class]
        best = self._highest_from(right / np.maximum(self._seen(counts), 1))
        if recalls is None:
            gained = own / np.maximum(positives, 1)[self._hit_class]
        else:
            reached = np.searchsorted(recalls, share, "right")
            before = np.roll(reached, 1)
            before[self._starts] = 0
            gained = (reached - before) / len(recalls)
        average.flat[self._curve[self._starts]] += np.bincount(self._run, best * gained, len(self._starts))
        return average

    def mean(self, places: NDArray[np.intp], recalls: Floats | None = None) -> float:
        """The mean over limits and over classes with a true box, of the pictures at these places, which may repeat.

        Raises UndefinedError if no class has a true box.
        """
        average = self.average(np.bincount(places, minlength=self.pictures), recalls)
        known = ~np.isnan(average)
        if not known.any():
            raise UndefinedError("average precision needs a true box, and there is none")
        return float(average[known].mean())

    def _seen(self, counts: NDArray[np.intp]) -> NDArray[np.intp]:
        """For each hit, the number of right and wrong boxes of its class with its score or a higher one."""
        seen, ignored = _running(counts[self._owner]), _running(counts[self._ignored_owner])
        within: NDArray[np.intp] = seen[self._hit_end] - seen[self._hit_first]
        return within - (ignored[self._ignored_end] - ignored[self._ignored_first])

    def _highest_from(self, precision: Floats) -> Floats:
        """For each hit, the highest precision from there to the end of its curve.

        Later curves are lifted out of reach of earlier ones, so that one pass from the end serves all.
        """
        lift = 2.0 * (len(self._starts) - 1 - self._run)
        highest: Floats = np.maximum.accumulate((precision + lift)[::-1])[::-1] - lift
        return highest


def _ends(of_class: Integers, scores: Floats) -> Integers:
    """For each sorted box (N,) the place after the last one of its class and score."""
    changes = np.flatnonzero((np.diff(of_class) != 0) | (np.diff(scores) != 0)) + 1
    ends = np.append(changes, len(scores))
    return np.repeat(ends, np.diff(ends, prepend=0)).astype(np.int64)


def _running(counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """The sums (N + 1,) of the first 0, 1 ... N counts."""
    sums = np.zeros(len(counts) + 1, np.intp)
    np.cumsum(counts, out=sums[1:])
    return sums


def _owned(boxes: ArrayLike, owners: ArrayLike, what: str, of: str) -> OwnedBoxes:
    """The boxes of one class. Raises DataError."""
    checked, owner = checked_boxes(boxes, what), arrays.places(owners, of)
    if len(checked) != len(owner):
        raise DataError(f"{len(owner)} {of} are given for {len(checked)} {what}: each box needs one")
    return OwnedBoxes(checked, owner, np.zeros(len(owner), np.int64))
