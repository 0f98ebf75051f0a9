"""Views of a picture: which they are, their mean and spread, order, failures, bounded memory."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from support.fake_engine import picture

from contralto.apply import views
from contralto.embeddings import unit
from contralto.encoder import Failure
from contralto.errors import ContraltoError, ImageError
from contralto.zeroshot.classifier import Prediction


def plain_views(array: np.ndarray) -> list[np.ndarray]:
    """The twelve views by slices of an array (H, W, 3)."""
    height, width = array.shape[:2]
    h, w = round(height * 0.9), round(width * 0.9)
    places = [(0, 0), (0, width - w), (height - h, 0), (height - h, width - w), ((height - h) // 2, (width - w) // 2)]
    straight = [array] + [array[y : y + h, x : x + w] for y, x in places]
    return straight + [view[:, ::-1] for view in straight]


def plain_mean(clip, array: np.ndarray) -> tuple[np.ndarray, float]:
    rows = clip.encode_image([np.ascontiguousarray(view) for view in plain_views(array)]).astype(np.float64)
    mean = rows.sum(axis=0) / np.linalg.norm(rows.sum(axis=0))
    return mean, 1 - float(np.mean([row @ mean for row in rows]))


@pytest.mark.parametrize("size", [(50, 40), (7, 90), (1, 1), (3, 2)])
def test_the_views_are_the_whole_five_crops_and_their_mirror_images(size):
    array = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    made = [np.asarray(view) for view in views.crops(Image.fromarray(array))]
    assert len(made) == views.VIEWS
    for one, expected in zip(made, plain_views(array), strict=True):
        assert np.array_equal(one, expected)


def test_embeddings_and_spread_are_those_of_the_plain_twin_in_order(clip, tmp_path):
    arrays = [picture(seed) for seed in range(7)]
    file = tmp_path / "a.png"
    Image.fromarray(arrays[0]).save(file)
    items = [str(file), *arrays[1:]]
    encoded = views.encode_views(clip, items)
    assert encoded.embeddings.dtype == np.float32
    for array, embedding, spread in zip(arrays, encoded.embeddings, encoded.spread, strict=True):
        expected = plain_mean(clip, array)
        assert embedding == pytest.approx(expected[0], abs=1e-5)
        assert spread == pytest.approx(expected[1], abs=1e-5)
        assert 0 < spread < 1
    one = views.encode_views(clip, items[0])
    assert one.embeddings == pytest.approx(encoded.embeddings[0], abs=1e-6)
    assert (one.embeddings.shape, np.ndim(one.spread)) == ((clip.contract.embedding,), 0)


def test_the_work_is_announced_at_once(clip):
    views.encode_views(clip, [picture(0), picture(1), picture(2)])
    assert clip.fake.expected[0] == ("image", 36)
    clip.fake.expected.clear()
    views.encode_views(clip, iter([picture(0), picture(1)]))
    assert clip.fake.expected == [("image", 12)] * 2


def test_a_picture_of_one_colour_has_no_spread(clip):
    plain = np.full((40, 50, 3), 90, np.uint8)
    embedding, spread = views.encode_views(clip, plain)
    assert spread == pytest.approx(0, abs=1e-6)
    assert embedding == pytest.approx(clip.encode_image(plain), abs=1e-5)


def test_the_picture_is_turned_upright_before_it_is_cropped(clip):
    array = picture(3)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored a quarter turn to the left
    stored = io.BytesIO()
    Image.fromarray(np.rot90(array).copy()).save(stored, "PNG", exif=exif)
    upright = views.encode_views(clip, array)
    for item in (stored.getvalue(), io.BytesIO(stored.getvalue()), Image.open(io.BytesIO(stored.getvalue()))):
        turned = views.encode_views(clip, item)
        assert turned.embeddings == pytest.approx(upright.embeddings, abs=1e-5)


def test_shapes_of_no_picture_and_of_a_list_of_one(clip):
    width = clip.contract.embedding
    none, one = views.encode_views(clip, []), views.encode_views(clip, [picture(0)])
    assert (none.embeddings.shape, none.spread.shape) == ((0, width), (0,))
    assert (one.embeddings.shape, one.spread.shape) == ((1, width), (1,))


def test_failures_are_raised_or_skipped_by_index(clip, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    items = [picture(0), str(bad), picture(1), str(tmp_path / "gone.jpg"), Image.new("RGB", (9, 9))]
    with pytest.raises(ImageError, match=r"bad\.jpg"):
        views.encode_views(clip, items)
    kept, failures = views.encode_views(clip, items, on_error="skip")
    assert [(failure.index, failure.item) for failure in failures] == [(1, items[1]), (3, items[3])]
    good = views.encode_views(clip, [items[0], items[2], items[4]])
    assert np.array_equal(kept.embeddings, good.embeddings)
    assert np.array_equal(kept.spread, good.spread)
    streamed = list(views.stream_views(clip, items))
    assert [index for index, _ in streamed] == [0, 1, 2, 3, 4]
    assert [isinstance(result, Failure) for _, result in streamed] == [False, True, False, True, False]
    assert streamed[0][1].shape == (views.VIEWS, clip.contract.embedding)


@pytest.mark.parametrize("wrong", [{"on_error": "ignore"}, {"items": 7}, {"items": np.ones(512, np.float32)}])
def test_wrong_arguments_are_errors(clip, wrong):
    with pytest.raises(ContraltoError):
        views.encode_views(clip, **{"items": [picture(0)], **wrong})


def test_a_source_is_read_a_few_pictures_ahead(clip):
    taken = []

    def source():
        for index in range(40):
            taken.append(index)
            yield picture(index)

    stream = views.stream_views(clip, source())
    next(stream)
    assert len(taken) <= views.AHEAD + 3
    stream.close()


def test_the_mean_and_the_spread_by_hand():
    rows = np.array([[1, 0], [0, 1]], np.float32)
    mean, spread = views.mean_view(rows)
    assert mean == pytest.approx([np.sqrt(0.5)] * 2)
    assert spread == pytest.approx(1 - np.sqrt(0.5))


def test_an_answer_is_sure_if_every_view_has_the_label_of_the_mean():
    labels = np.eye(3, dtype=np.float32)

    def classify(embeddings: np.ndarray, top: int) -> list[list[Prediction]]:
        cosines = embeddings @ labels.T
        return [[Prediction("abc"[j], float(row[j])) for j in np.argsort(-row)[:top]] for row in cosines]

    near = unit(np.array([[1, 0.1, 0], [1, 0, 0.2], [1, 0.3, 0]]))
    answer = views.classify_views(classify, near, 2)
    assert ([p.label for p in answer.predictions], answer.sure) == (["a", "b"], True)
    apart = unit(np.array([[1, 0.1, 0], [1, 0, 0.2], [0.5, 0.6, 0]]))
    answer = views.classify_views(classify, apart, 3)
    assert (answer.predictions[0].label, answer.sure, len(answer.predictions)) == ("a", False, 3)
    assert answer.spread == views.mean_view(apart)[1]
    # all views agree, and the mean does not: half-way between two others lies a third
    between = views.classify_views(lambda e, top: [[Prediction("x" if len(e) == 1 else "y", 1.0)]] * len(e), near)
    assert not between.sure
