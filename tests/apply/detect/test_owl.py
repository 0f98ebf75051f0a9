"""Boxes and scores against transformers' own models, processors and post-processing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from support.small_models import DETECTORS

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
from support.small_owl import FAMILIES, owl, picture  # noqa: E402

import contralto  # noqa: E402
from contralto.apply.detect.owl import detect_owl, picture_query, read_cells  # noqa: E402
from contralto.contract import Detector  # noqa: E402
from contralto.errors import ContraltoError  # noqa: E402

TEXTS = ("a cat", "a photo of a red house", "!", "blue sky over the sea")
SIZES = ((100, 60), (60, 100), (64, 64), (300, 70), (40, 50))
ALL = 10**6


class Both(NamedTuple):
    """The same weights here and in transformers."""

    clip: contralto.Clip
    model: Any
    processor: Any


@pytest.fixture(scope="module", params=FAMILIES)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder: Path = tmp_path_factory.mktemp(request.param)
    model, processor = owl(request.param, folder)
    return Both(contralto.load(folder), model, processor)


def theirs(both: Both, image: Any, threshold: float) -> list[tuple[float, int, list[float], float | None]]:
    """(score, label, box, objectness), best first; boxes end where the picture ends."""
    ids = torch.tensor(both.clip.tokenize(TEXTS))
    prepared = both.processor(image, return_tensors="pt").pixel_values
    with torch.no_grad():
        output = both.model(input_ids=ids, pixel_values=prepared, attention_mask=torch.ones_like(ids))
    kept = both.processor.post_process_object_detection(output, threshold, [(image.height, image.width)])[0]
    chosen = torch.sigmoid(output.logits[0].max(-1).values) > threshold
    things = torch.sigmoid(output.objectness_logits[0][chosen]).tolist() if "objectness_logits" in output else None
    boxes = np.clip(kept["boxes"].numpy(), 0, [*image.size, *image.size]).tolist()
    rows = zip(kept["scores"].tolist(), kept["labels"].tolist(), boxes, things or [None] * len(boxes), strict=True)
    return sorted((row for row in rows if row[2][0] < row[2][2] and row[2][1] < row[2][3]), key=lambda row: -row[0])


@pytest.mark.parametrize("size", SIZES)
def test_boxes_of_texts_are_those_of_transformers(both: Both, size: tuple[int, int]) -> None:
    image = picture(*size)
    expected = theirs(both, image, 0.1)
    (boxes,) = detect_owl(both.clip, [image], both.clip.encode_text(list(TEXTS)), TEXTS, top=ALL)
    assert 0 < len(expected) < 64, "the threshold must part the cells"
    assert len({label for _, label, _, _ in expected}) > 1
    assert [box.label for box in boxes] == [TEXTS[label] for _, label, _, _ in expected]
    np.testing.assert_allclose([box.score for box in boxes], [score for score, *_ in expected], atol=1e-3)
    np.testing.assert_allclose([box.box for box in boxes], [box for _, _, box, _ in expected], atol=0.1)
    if both.clip.contract.detector == Detector(objectness=True):
        things = [thing for *_, thing in expected]
        np.testing.assert_allclose([box.objectness for box in boxes], things, atol=1e-3)  # type: ignore[arg-type]
    else:
        assert all(box.objectness is None for box in boxes)


def test_boxes_of_a_picture_query_are_those_of_transformers(both: Both) -> None:
    """Their scores are rescaled for display, so these are compared as logits, and the boxes after suppression."""
    image, example = picture(100, 60, 1), picture(50, 70, 2)
    prepared = [both.processor(one, return_tensors="pt").pixel_values for one in (image, example)]
    with torch.no_grad():
        output = both.model.image_guided_detection(pixel_values=prepared[0], query_pixel_values=prepared[1])
    query = picture_query(both.clip, example)
    (boxes,) = detect_owl(both.clip, [image], query, [None], threshold=0, top=ALL)
    longest = [max(image.size)] * 2 if both.clip.contract.detector == Detector(True) else list(image.size)
    centre, size = np.split(output.target_pred_boxes[0].numpy() * [*longest, *longest], 2, axis=1)
    expected = within(np.concatenate([centre - size / 2, centre + size / 2], axis=1), image)
    scores = 1 / (1 + np.exp(-output.logits[0, :, 0].numpy()))
    order = [index for index in np.argsort(-scores) if expected[index] is not None]
    assert len(order) > 20
    assert all(box.label is None for box in boxes)
    np.testing.assert_allclose([box.score for box in boxes], scores[order], atol=1e-3)
    np.testing.assert_allclose([box.box for box in boxes], [expected[index] for index in order], atol=0.1)

    target = torch.tensor([[image.height, image.width]])
    kept = both.processor.post_process_image_guided_detection(output, 0.0, 0.3, target)[0]["boxes"].numpy()
    (fewer,) = detect_owl(both.clip, [image], query, [None], threshold=0, nms=0.3, top=ALL)
    shown = np.array([box.box for box in fewer if box.score > 0.1 * (scores.max() + 1e-6)])  # the rest they hide
    theirs = np.array([box for box in within(kept, image) if box is not None])
    assert 1 < len(shown) == len(theirs) < len(boxes)
    distances = np.abs(shown[:, None] - theirs[None]).max(axis=2)
    assert max(distances.min(axis=1).max(), distances.min(axis=0).max()) < 0.1


def within(boxes: np.ndarray, image: Any) -> list[np.ndarray | None]:
    """Each box as far as it lies in the picture, None if it does not."""
    cut = np.clip(boxes, 0, [*image.size, *image.size])
    return [box if box[0] < box[2] and box[1] < box[3] else None for box in cut]


def test_suppression_keeps_boxes_of_other_labels(both: Both) -> None:
    image, rows = picture(100, 60), both.clip.encode_text(list(TEXTS))
    (boxes,) = detect_owl(both.clip, [image], rows, TEXTS, threshold=0, top=ALL)
    (fewer,) = detect_owl(both.clip, [image], rows, TEXTS, threshold=0, nms=0.0, top=ALL)
    assert 0 < len(fewer) < len(boxes)
    assert {box.label for box in fewer} == {box.label for box in boxes}
    assert set(fewer) <= set(boxes)
    (top,) = detect_owl(both.clip, [image], rows, TEXTS, threshold=0, top=2)
    assert top == boxes[:2]


def test_a_threshold_that_no_box_exceeds_gives_none(both: Both) -> None:
    rows = both.clip.encode_text(list(TEXTS))
    assert detect_owl(both.clip, [picture(40, 40)], rows, TEXTS, threshold=1.0) == [[]]
    assert detect_owl(both.clip, [], rows, TEXTS) == []


def test_queries_need_a_label_each(both: Both) -> None:
    rows = both.clip.encode_text(list(TEXTS))
    with pytest.raises(ContraltoError, match="a row of 32 numbers for each label, got"):
        detect_owl(both.clip, [picture(40, 40)], rows, TEXTS[:2])
    with pytest.raises(ContraltoError, match="a row of 32 numbers for each label, got"):
        detect_owl(both.clip, [picture(40, 40)], rows[:0], [])


def test_only_a_detector_detects() -> None:
    nano = contralto.load("nano")
    with pytest.raises(ContraltoError, match="nano is no detector"):
        picture_query(nano, picture(40, 40))
    with pytest.raises(ContraltoError, match="nano is no detector"):
        detect_owl(nano, [], np.zeros((1, nano.contract.embedding), np.float32), ["a cat"])


def test_the_numbers_of_a_cell_by_hand() -> None:
    """2 x 3 cells; box numbers 0 give boxes of a cell's size around the lower right corner of each cell."""
    contract = DETECTORS["owlv2"]
    raw = np.zeros((6, contract.embedding + 7), np.float32)
    raw[:, :2] = (3, 4)  # a row of length 5
    raw[:, 24], raw[:, 25], raw[:, -1] = 0.5, (-2, 0, 2, 3, -50, 1), np.arange(6)
    cells = read_cells(raw, contract)
    query = np.eye(24)[:1]
    factors = np.array([np.exp(-2), 1, 3, 4, np.exp(-50), 2])
    np.testing.assert_allclose(cells.logits(query)[:, 0], (3 / 5 + 0.5) * factors, rtol=1e-5)
    assert cells.objectness is not None
    assert cells.objectness.tolist() == [0, 1, 2, 3, 4, 5]
    x0, y0, x1, y1 = cells.corners.T
    np.testing.assert_allclose((x0 + x1) / 2, [1 / 3, 2 / 3, 1, 1 / 3, 2 / 3, 1], atol=2e-4)
    np.testing.assert_allclose((y0 + y1) / 2, [1 / 2] * 3 + [1] * 3, atol=2e-4)
    np.testing.assert_allclose(x1 - x0, 1 / 3, atol=2e-4)
    np.testing.assert_allclose(y1 - y0, 1 / 2, atol=2e-4)
    assert read_cells(raw[:, :-1], DETECTORS["owlvit"]).objectness is None
