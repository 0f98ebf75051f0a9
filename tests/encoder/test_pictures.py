"""Pictures through a Clip: what an item is, what comes out, what fails alone, and what threads do."""

from __future__ import annotations

import dataclasses
import io
import itertools
import threading
import time

import numpy as np
import pytest
from PIL import Image
from support.fake_engine import FakeEngine, picture

import contralto
from contralto.encoder import Clip
from contralto.encoder.pictures import MANY_PICTURES
from contralto.errors import ImageError
from contralto.image.decode import decode
from contralto.image.transform import pixels
from contralto.text import tokenizer
from contralto.weights import native


def one_by_one(clip, arrays) -> np.ndarray:
    """The plain pipeline: each picture alone, no threads, no batches."""
    spec = clip.contract.image
    rows = [clip.fake.image(pixels(decode(a, alpha=spec.alpha), spec)[None])[0].astype(np.float64) for a in arrays]
    return np.stack([row / np.linalg.norm(row) for row in rows])


def threads_left() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("contralto")]


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "png")
    return file.getvalue()


def test_every_kind_of_item_gives_the_row_of_the_plain_pipeline(clip, tmp_path):
    array = picture(1)
    path = tmp_path / "a b.png"
    path.write_bytes(png(array))
    wanted = one_by_one(clip, [array])[0]
    data = png(array)
    kinds = [path, str(path), data, bytearray(data), memoryview(data), Image.open(path), Image.fromarray(array), array]
    for item in kinds:
        row = clip.encode_image(item)
        assert row.shape == (clip.contract.embedding,)
        assert row.dtype == np.float32
        np.testing.assert_allclose(row, wanted, atol=1e-6)
    np.testing.assert_allclose(clip.encode_image(kinds), np.tile(wanted, (len(kinds), 1)), atol=1e-6)


@pytest.mark.parametrize("batch_size", [None, 1, 3, 16, 100])
def test_a_list_keeps_its_order_whatever_the_batches(clip, batch_size):
    arrays = [picture(seed) for seed in range(41)]
    rows = clip.encode_image(arrays, batch_size=batch_size)
    np.testing.assert_allclose(rows, one_by_one(clip, arrays), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows.astype(np.float64), axis=1), 1, atol=1e-6)
    assert max(shape[0] for shape in clip.fake.images) <= (batch_size or 16)


def test_shapes_of_lists_tuples_generators_and_arrays(clip):
    width = clip.contract.embedding
    array = picture(2)
    assert clip.encode_image([]).shape == (0, width)
    assert clip.encode_image(()).dtype == np.float32
    assert clip.encode_image([array]).shape == (1, width)
    assert clip.encode_image((array, array)).shape == (2, width)
    assert clip.encode_image(picture(s) for s in range(3)).shape == (3, width)
    assert clip.encode_image(np.stack([array] * 4)).shape == (4, width)
    assert clip.encode_image(np.empty((0, 8, 8, 3), np.uint8)).shape == (0, width)
    assert clip.encode_image(np.array(["absent.png"]), on_error="skip")[1][0].index == 0


@pytest.mark.parametrize("item", [None, 3, {"a.png": 1}, object()])
def test_what_is_no_picture_is_an_error_that_says_what_is(clip, item):
    with pytest.raises(contralto.ContraltoError, match="path, bytes, a Pillow image"):
        clip.encode_image(item)


def test_raise_names_the_first_failing_item(clip, tmp_path):
    absent = tmp_path / "absent.jpg"
    with pytest.raises(ImageError, match=r"absent\.jpg: "):
        clip.encode_image([picture(0), absent, b"no picture"])
    with pytest.raises(ImageError, match=r"picture 1 \(bytes\): "):
        clip.encode_image([picture(0), b"no picture", absent])
    assert threads_left() == []


def test_skip_returns_the_rows_that_worked_and_the_failures(clip, tmp_path):
    absent = tmp_path / "absent.jpg"
    items = [picture(0), absent, picture(1), b"no picture", np.zeros((4, 4), np.float64)[None], picture(2)]
    seen = []
    rows, failures = clip.encode_image(items, on_error="skip", batch_size=2, progress=lambda *p: seen.append(p))
    np.testing.assert_allclose(rows, one_by_one(clip, [picture(s) for s in range(3)]), atol=1e-6)
    assert [failure.index for failure in failures] == [1, 3, 4]
    assert failures[0].item is absent
    assert failures[1].item == b"no picture"
    assert all(failure.reason and "\n" not in failure.reason for failure in failures)
    assert seen == [(n, 6) for n in range(1, 7)]
    width = clip.contract.embedding
    rows, failures = clip.encode_image(absent, on_error="skip")
    assert (rows.shape, len(failures)) == ((0, width), 1)
    assert clip.encode_image(picture(0), on_error="skip")[0].shape == (width,)


@pytest.mark.parametrize("wrong", [{"on_error": "ignore"}, {"batch_size": 0}])
def test_wrong_options_are_errors(clip, wrong):
    with pytest.raises(contralto.ContraltoError, match=next(iter(wrong))):
        clip.encode_image([picture(0)], **wrong)
    with pytest.raises(contralto.ContraltoError, match=next(iter(wrong))):
        clip.encode_text(["a"], **wrong)


def test_inputs_are_not_changed(clip):
    arrays = np.stack([picture(3)] * 2)
    image = Image.fromarray(picture(4)).convert("P")
    image.info["transparency"] = 3
    rows = np.full((2, clip.contract.embedding), 3.0, np.float32)
    kept = arrays.copy(), image.copy(), rows.copy(), dict(image.info)
    clip.encode_image(arrays)
    clip.encode_image([image, image])
    clip.similarity(rows, rows)
    assert (arrays == kept[0]).all()
    assert (image.mode, image.tobytes(), image.palette.palette) == ("P", kept[1].tobytes(), kept[1].palette.palette)
    assert (rows == kept[2]).all()
    assert image.info == kept[3]
    arrays.setflags(write=False)
    clip.encode_image(arrays)


def test_rows_already_encoded_pass(clip):
    rows = np.random.default_rng(0).standard_normal((3, clip.contract.embedding)) * 5
    wanted = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(clip.encode_image(rows), wanted, atol=1e-6)
    np.testing.assert_allclose(clip.encode_image(rows[0].astype(np.float16)), wanted[0], atol=1e-3)
    with pytest.raises(contralto.ContraltoError, match="embeddings of this model"):
        clip.encode_image(rows[:, 1:])
    for nonsense, said in (
        (np.nan, "embedding 1 is not finite"),
        (np.inf, "embedding 1 is not finite"),
        (0, "embedding 1 is all zeros"),
    ):
        rows[1] = nonsense
        for call in (clip.encode_image, lambda r: clip.similarity(r, "a"), lambda r: clip.score(picture(0), r)):
            with pytest.raises(contralto.ContraltoError, match=said):
                call(rows)


def test_a_zero_vector_makes_no_nan(clip, monkeypatch):
    monkeypatch.setattr(clip.fake, "image", lambda p: np.zeros((len(p), clip.contract.embedding), np.float32))
    assert (clip.encode_image([picture(0)]) == 0).all()
    assert np.isfinite(clip.score([picture(0)], ["a", "b"])).all()


def test_preprocess_and_encode_pixels_are_the_two_halves(clip):
    arrays = [picture(seed) for seed in range(20)]
    spec = clip.contract.image
    made = clip.preprocess(arrays)
    assert (made == np.stack([pixels(decode(a), spec) for a in arrays])).all()
    np.testing.assert_allclose(clip.encode_pixels(made), clip.encode_image(arrays), atol=1e-6)
    assert clip.preprocess(arrays[0]).shape == (1, 3, *spec.size)
    assert clip.preprocess([]).shape == (0, 3, *spec.size)
    assert clip.encode_pixels(made[:0]).shape == (0, clip.contract.embedding)
    with pytest.raises(contralto.ContraltoError, match=r"\(N, 3, 48, 48\)"):
        clip.encode_pixels(made[0])


def test_stream_is_in_order_reads_ahead_within_bounds_and_ends_its_threads(clip):
    taken = 0

    def source():
        nonlocal taken
        for seed in itertools.count():
            taken += 1
            yield b"bad" if seed % 5 == 3 else picture(seed % 7)

    stream = clip.stream_images(source(), batch_size=4)
    wanted = one_by_one(clip, [picture(s) for s in range(7)])
    for expected, (index, result) in zip(range(200), stream, strict=False):
        assert index == expected
        assert taken <= index + 1 + 4 + 2 * 4 + 2
        if index % 5 == 3:
            assert (result.index, result.item) == (index, b"bad")
        else:
            np.testing.assert_allclose(result, wanted[index % 7], atol=1e-6)
    assert threads_left()
    stream.close()
    assert threads_left() == []


@pytest.mark.parametrize(
    ("given", "batch_size", "counted"),
    [(0, None, 0), (3, 1, MANY_PICTURES), (2, 1, 2), (32, None, 32), (33, None, MANY_PICTURES)],
)
def test_an_iterator_that_ends_soon_counts_as_what_it_gives(clip, given, batch_size, counted):
    array = picture(0)
    rows = list(clip.stream_images((array for _ in range(given)), batch_size=batch_size))
    assert [index for index, _ in rows] == list(range(given))
    assert clip.fake.expected == [("image", counted)]


def test_a_list_counts_as_what_it_has(clip):
    clip.encode_image([picture(0)] * 40)
    clip.encode_image(picture(0) for _ in range(5))
    clip.encode_pixels(clip.preprocess([picture(0)] * 3))
    assert clip.fake.expected == [("image", 40), ("image", 5), ("image", 3)]


def test_an_interrupt_ends_the_threads_at_once(clip, monkeypatch):
    def interrupt(pixel_batch):
        raise KeyboardInterrupt

    monkeypatch.setattr(clip.fake, "image", interrupt)
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        clip.encode_image([picture(s) for s in range(200)])
    assert threads_left() == []
    assert time.monotonic() - begin < 1


def test_an_error_of_the_source_comes_through(clip):
    def source():
        yield picture(0)
        yield picture(1)
        raise LookupError("the source's own")

    with pytest.raises(LookupError, match="own"):
        list(clip.stream_images(source()))
    assert threads_left() == []


def test_one_lazy_picture_listed_often_is_loaded_once_at_a_time(clip, tmp_path):
    path = tmp_path / "lazy.png"
    path.write_bytes(png(np.tile(picture(5), (8, 8, 1))))
    with Image.open(path) as image:
        rows = clip.encode_image([image] * 24)
    np.testing.assert_allclose(rows, np.tile(rows[0], (24, 1)), atol=1e-6)


def test_scaled_decoding_is_close_and_not_the_same(make_clip, tmp_path):
    smooth = np.add.outer(np.arange(800), np.arange(900))[..., None] * [0.1, 0.05, 0.12] + 20
    path = tmp_path / "large.jpg"
    Image.fromarray(smooth.astype(np.uint8)).save(path, quality=95)
    exact, scaled = (make_clip(decode=how).preprocess(path) for how in ("exact", "scaled"))
    assert 0 < np.abs(exact - scaled).max() < 0.1


def test_scaled_decoding_heeds_the_size_before_the_crop(folder, tmp_path):
    """Twelve times the tower's size may be decoded at a quarter; but not if four times is cut to it."""
    checkpoint = native.read(folder)
    side = checkpoint.contract.image.size[0]
    path = tmp_path / "large.jpg"
    random = np.random.default_rng(0).integers(0, 256, (12 * side, 12 * side, 3), np.uint8)
    Image.fromarray(random).save(path)
    image = dataclasses.replace(checkpoint.contract.image, resize="squash", resized=(4 * side, 4 * side))
    same = []
    for contract in (checkpoint.contract, checkpoint.contract.replace(image=image)):
        engine, words = FakeEngine(contract), tokenizer.load(contract.text)
        exact, scaled = (
            Clip(checkpoint.replace(contract), words, engine, decode=how).preprocess(path)
            for how in ("exact", "scaled")
        )
        same.append(np.array_equal(exact, scaled))
    assert same == [False, True]
