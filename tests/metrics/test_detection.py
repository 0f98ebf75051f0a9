"""Average precision of boxes: hand-computed cases, a plain twin, and what pycocotools gives for the same scenes."""

from __future__ import annotations

import numpy as np
import pytest
from support import plain_detection as plain

from contralto.errors import DataError
from contralto.metrics import UndefinedError, average_precision, bootstrap
from contralto.metrics.detection import COCO_LIMITS, COCO_RECALLS, COCO_TOP, PrecisionCurves
from contralto.metrics.matching import OwnedBoxes, match

THING, ELSEWHERE = (0, 0, 10, 10), (50, 50, 60, 60)

# pycocotools 2.0.11 on plain_detection.scenes(seed, 30 pictures, 3 classes): AP, AP at 0.5, and of each class at 0.5
COCO_FIGURES = [
    (0, False, 0.08467062682875312, 0.2513371538641942, (0.11838755304101838, 0.19411824903420571, 0.4415056595173584)),
    (1, False, 0.06424621186999957, 0.2653137423716796, (0.20146678990149658, 0.2580304987020441, 0.33644393851149823)),
    (2, True, 0.07160610590983076, 0.2862798595130449, (0.16911346307044497, 0.45799151343705796, 0.2317346020316317)),
    (3, True, 0.0973577019573951, 0.27378356278358806, (0.2187130771289187, 0.30849223029719847, 0.29414538092464715)),
    (4, True, 0.09084692927489346, 0.25344732422837185, (0.2721195209221919, 0.1279753501296834, 0.36024710163324025)),
]


def curves(detected, true, limits, top=None):
    """PrecisionCurves of tuples (class, picture, score, box) and (class, picture, box, crowd)."""
    labels, pictures, scores, boxes = zip(*detected, strict=True)
    true_labels, true_pictures, true_boxes, crowd = zip(*true, strict=True)
    own = OwnedBoxes(np.array(boxes, float), np.array(pictures), np.array(labels))
    theirs = OwnedBoxes(np.array(true_boxes, float), np.array(true_pictures), np.array(true_labels))
    given = own, np.array(scores), theirs, np.array(crowd, bool)
    return PrecisionCurves(*given, match(*given, np.array(limits), top))


@pytest.mark.parametrize(
    ("boxes", "scores", "owners", "truths", "value"),
    [
        ([THING], [0.9], [0], 1, 1.0),
        ([ELSEWHERE], [0.9], [0], 1, 0.0),
        ([], [], [], 1, 0.0),
        ([THING, THING], [0.9, 0.8], [0, 0], 1, 1.0),  # the second is wrong, below the last right one
        ([ELSEWHERE, THING], [0.9, 0.8], [0, 0], 1, 0.5),
        ([THING, ELSEWHERE], [0.8, 0.8], [0, 0], 1, 0.5),  # a tie counts the wrong one first
        ([THING], [0.9], [1], 2, 0.5),  # another picture's thing is not found
        ([THING, ELSEWHERE, THING], [0.9, 0.8, 0.7], [0, 0, 1], 2, 0.5 + 0.5 * 2 / 3),
        ([ELSEWHERE, THING, THING], [0.9, 0.8, 0.7], [0, 0, 1], 2, 2 / 3),  # 1/2 is raised to the later 2/3
        ([THING], [0.9], [7], 1, 0.0),  # in a picture without a true box
    ],
)
def test_by_hand(boxes, scores, owners, truths, value):
    assert average_precision(boxes, scores, owners, [THING] * truths, list(range(truths))) == pytest.approx(value)


def test_a_box_takes_the_free_thing_that_it_overlaps_most():
    true = [(0, 0, 10, 10), (3, 0, 13, 10)]
    boxes = [(2, 0, 12, 10), (3, 0, 13, 10)]  # the first overlaps the second thing most, and takes it
    assert average_precision(boxes, [0.9, 0.8], [0, 0], true, [0, 0]) == 1.0
    assert average_precision(boxes, [0.9, 0.8], [0, 0], true, [0, 0], iou=0.6) == 0.5


def test_the_limit_itself_is_enough():
    assert average_precision([(0, 0, 10, 5)], [1], [0], [THING], [0], iou=0.5) == 1.0
    assert average_precision([(0, 0, 10, 4.99)], [1], [0], [THING], [0], iou=0.5) == 0.0
    assert average_precision([(3, 3, 3, 3)], [1], [0], [THING], [0], iou=0.1) == 0.0  # no area


@pytest.mark.parametrize("limit", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("ties", [False, True])
def test_one_class_equals_its_plain_twin_in_any_order(limit, ties):
    for seed in range(30):
        detected, true = plain.scenes(seed, classes=1, ties=ties)
        if not true:
            continue
        expected = plain.area(plain.judged([one[1:] for one in detected], [one[1:] for one in true], limit), len(true))
        for order in (np.arange(len(detected)), np.random.default_rng(seed).permutation(len(detected))):
            some = [detected[i] for i in order]
            value = average_precision(
                [b for *_, b in some], [s for *_, s, _ in some], [p for _, p, *_ in some],
                [b for *_, b, _ in true][::-1], [p for _, p, *_ in true][::-1], iou=limit,
            )  # fmt: skip
            assert value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("top", [None, 2])
@pytest.mark.parametrize("ties", [False, True])
def test_classes_limits_and_repeated_pictures_equal_the_plain_twin(ties, top):
    for seed in range(12):
        detected, true = plain.scenes(seed, pictures=8, classes=3, ties=ties, crowds=True)
        fast = curves(detected, true, [0.5, 0.75], top)
        counts = np.random.default_rng(seed).integers(0, 3, fast.pictures)
        by_points, by_area = fast.average(counts, COCO_RECALLS), fast.average(counts)
        for label in range(fast.classes):
            copies = [
                ([((one[1], k), *one[2:]) for one in several if one[0] == label for k in range(counts[one[1]])])
                for several in (detected, true)
            ]
            positives = sum(not crowd for *_, crowd in copies[1])
            for t, limit in enumerate((0.5, 0.75)):
                if not positives:
                    assert np.isnan(by_area[t, label])
                    assert np.isnan(by_points[t, label])
                    continue
                verdicts = plain.judged(*copies, limit, top)
                assert by_area[t, label] == pytest.approx(plain.area(verdicts, positives), abs=1e-12)
                expected = plain.at_recalls(verdicts, positives, COCO_RECALLS.tolist())
                assert by_points[t, label] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("seed", "crowds", "ap", "ap50", "classes"), COCO_FIGURES)
def test_coco_ap_is_that_of_pycocotools(seed, crowds, ap, ap50, classes):
    detected, true = plain.scenes(seed, pictures=30, classes=3, crowds=crowds)
    fast = curves(detected, true, COCO_LIMITS, COCO_TOP)
    average = fast.average(np.ones(fast.pictures, int), COCO_RECALLS)
    assert average[0] == pytest.approx(classes, abs=1e-12)
    assert average[0].mean() == pytest.approx(ap50, abs=1e-12)
    assert fast.mean(np.arange(fast.pictures), COCO_RECALLS) == pytest.approx(ap, abs=1e-12)


def test_a_box_on_a_crowd_is_neither_right_nor_wrong():
    crowd = [(0, 0, (0, 0, 40, 40), True), (0, 0, ELSEWHERE, False)]
    inside = [(0, 0, 0.9, (5, 5, 15, 15)), (0, 0, 0.8, (20, 20, 30, 30)), (0, 0, 0.7, ELSEWHERE)]
    assert curves(inside, crowd, [0.5]).mean(np.arange(1)) == 1.0
    assert curves(inside, [crowd[1]], [0.5]).mean(np.arange(1)) == pytest.approx(1 / 3)


def test_classes_without_a_true_box_do_not_count():
    detected = [(0, 0, 0.9, THING), (1, 0, 0.8, THING)]
    assert curves(detected, [(0, 0, THING, False)], [0.5]).mean(np.arange(1)) == 1.0
    with pytest.raises(UndefinedError):
        curves(detected, [(0, 0, THING, True)], [0.5]).mean(np.arange(1))


def test_the_bootstrap_draws_whole_pictures():
    detected = [(0, p, 0.9 - p / 100, THING if p % 2 else ELSEWHERE) for p in range(20)]
    fast = curves(detected, [(0, p, THING, False) for p in range(20)], [0.5])
    low, high = bootstrap(fast.mean, 20, resamples=300)
    assert low < fast.mean(np.arange(20)) < high
    assert fast.mean(np.array([1, 1, 3])) == 1.0
    assert fast.mean(np.array([0, 0, 2])) == 0.0


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"boxes": [[1, 2, 3]]}, r"must be \(N, 4\)"),
        ({"boxes": [[5, 0, 1, 9]]}, "ends before it starts"),
        ({"boxes": [[0, 0, 1, np.nan]]}, "is not finite"),
        ({"scores": [np.nan]}, "is not finite"),
        ({"scores": [0.1, 0.2]}, "2 scores are given for 1 boxes"),
        ({"owners": [0, 1]}, "2 owners are given for 1 boxes"),
        ({"true_owners": []}, "0 true_owners are given for 1 true_boxes"),
        ({"iou": 0}, "above 0"),
    ],
)
def test_malformed_arrays_are_errors(changed, why):
    given = {"boxes": [THING], "scores": [0.5], "owners": [0], "true_boxes": [THING], "true_owners": [0]}
    with pytest.raises(DataError, match=why):
        average_precision(**given | changed)


def test_without_a_true_box_there_is_no_value():
    with pytest.raises(UndefinedError):
        average_precision([THING], [0.5], [0], [], [])
