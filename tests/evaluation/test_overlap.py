"""Candidates against plain sorting, copies by pixels, and the paper's statistics against SciPy."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from scipy.stats import beta, binomtest

from contralto.embeddings import unit
from contralto.errors import DataError, MissingExtraError
from contralto.evaluation.alignment import MIN_CONTRAST, similarity, thumbnail
from contralto.evaluation.overlap import THRESHOLD, find_overlap, nearest, overlap_statistics
from contralto.sets.data_set import Item


def scene(seed: int, size=(200, 150)) -> Image.Image:
    """Some filled shapes of drawn colours on a gradient."""
    random = np.random.default_rng(seed)
    colours = random.integers(0, 256, (14, 3))
    image = Image.linear_gradient("L").rotate(int(random.integers(4)) * 90).resize(size).convert("RGB")
    draw = ImageDraw.Draw(image)
    for i, colour in enumerate(colours):
        left, top = random.uniform(-0.1, 0.9, 2) * size
        width, height = random.uniform(0.08, 0.4, 2) * size
        shape = draw.rectangle if i % 2 else draw.ellipse
        shape((left, top, left + width, top + height), fill=tuple(colour.tolist()))
    return image.filter(ImageFilter.GaussianBlur(1))


def jpeg(image: Image.Image, quality=30) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def part(image: Image.Image, left, top, right, bottom) -> Image.Image:
    width, height = image.size
    return image.crop((round(left * width), round(top * height), round(right * width), round(bottom * height)))


COPIES = {
    "the same": lambda image: image,
    "re-encoded": lambda image: jpeg(image),
    "smaller": lambda image: image.resize((90, 70)),
    "squashed": lambda image: image.resize((150, 150)),
    "cropped at the sides": lambda image: part(image, 0.1, 0, 0.9, 1),
    "cropped to a corner": lambda image: part(image, 0.25, 0.2, 1, 1),
    "mirrored": ImageOps.mirror,
    "grey": lambda image: image.convert("L"),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "flatter": lambda image: ImageEnhance.Contrast(image).enhance(0.5),
    "all of these": lambda image: jpeg(
        ImageOps.mirror(part(image.convert("L"), 0.1, 0.05, 0.95, 0.9)).resize((90, 90))
    ),
}


def as_array(image) -> np.ndarray | bytes:
    return image if isinstance(image, bytes) else np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_is_alike_from_either_side(way):
    for seed in range(4):
        original = thumbnail(as_array(scene(seed)), "original")
        copy = thumbnail(as_array(COPIES[way](scene(seed))), "copy")
        assert similarity(original, copy) > 0.85
        assert similarity(copy, original) > 0.85


def test_different_pictures_are_not_alike():
    thumbnails = [thumbnail(as_array(scene(seed)), "scene") for seed in range(12)]
    scores = [similarity(a, b) for i, a in enumerate(thumbnails) for b in thumbnails[:i]]
    assert max(scores) < THRESHOLD - 0.1


def test_pictures_that_share_only_their_coarse_form_are_told_apart():
    """Their grey levels correlate above the threshold, what is fine in them does not."""
    light = np.asarray(Image.linear_gradient("L").resize((64, 64)), np.float32)
    first, second = (light + thumbnail(as_array(scene(seed)), "scene") / 4 for seed in (1, 2))
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > THRESHOLD
    assert similarity(first, second) < THRESHOLD - 0.2


def test_flat_pictures_match_nothing():
    flat = np.full((64, 64), 128, np.float32)
    flat[0] += MIN_CONTRAST
    assert similarity(flat, flat) == 0


@pytest.mark.parametrize(("n", "m", "most"), [(30, 5000, 7), (5, 3, 10), (1100, 40, 40)])
def test_nearest_is_what_sorting_gives(n, m, most):
    random = np.random.default_rng(n)
    rows, others = unit(random.normal(size=(n, 8))), unit(random.normal(size=(m, 8)))
    places, cosines = nearest(rows, others, most)
    cosine = rows @ others.T
    expected = np.argsort(-cosine, axis=1)[:, :most]
    np.testing.assert_allclose(cosines, np.take_along_axis(cosine, expected, 1), atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(cosine, places, 1), cosines, atol=1e-6)
    assert all(len(set(row)) == min(most, m) for row in places)


def test_nearest_reads_half_precision_from_a_file(tmp_path):
    others = unit(np.random.default_rng(0).normal(size=(50, 8))).astype(np.float16)
    np.save(tmp_path / "rows.npy", others)
    places, _ = nearest(others[10:20].astype(np.float32), np.load(tmp_path / "rows.npy", mmap_mode="r"), 1)
    assert places[:, 0].tolist() == list(range(10, 20))


def material():
    """Items 0..2 have copies among 12 training pictures, at places 4, 7 and 2; item 3 has a row like place 5's, but is
    another picture; item 4 has no neighbour; item 5 is damaged."""
    random = np.random.default_rng(0)
    training_rows = unit(random.normal(size=(12, 32)))
    training = [Item(f"train/{i}", as_array(scene(i))) for i in range(12)]
    copies = [(4, "mirrored"), (7, "re-encoded"), (2, "cropped to a corner")]
    items = [Item(f"test/{i}", as_array(COPIES[way](scene(at)))) for i, (at, way) in enumerate(copies)]
    items += [Item("test/3", as_array(scene(50))), Item("test/4", as_array(scene(51))), Item("test/5", b"no picture")]
    away = -training_rows.sum(axis=0)
    rows = unit(np.array([*(training_rows[at] for at in (4, 7, 2, 5)), away, training_rows[0]]))
    return items, rows, training, training_rows


def test_overlap_names_the_copies_and_their_originals():
    items, rows, training, training_rows = material()
    seen = []
    overlap = find_overlap(items, rows, training, training_rows, progress=lambda *said: seen.append(said))
    assert overlap.overlapping().tolist() == [True, True, True, False, False, False]
    assert {pair.item: pair.training for pair in overlap.pairs[:3]} == {0: 4, 1: 7, 2: 2}
    assert [pair.score for pair in overlap.pairs] == sorted((pair.score for pair in overlap.pairs), reverse=True)
    assert overlap.pairs[0].cosine == pytest.approx(1)
    assert list(overlap.failures) == ["test/5"]
    assert seen[-1] == ("comparing pixels", 6, 6)
    assert not overlap.overlapping(1.01).any()


def test_what_is_below_the_cosine_is_not_compared():
    items, rows, training, training_rows = material()
    assert find_overlap(items, rows, training, training_rows, min_cosine=1.1).pairs == ()


def test_a_damaged_training_picture_costs_only_itself():
    items, rows, training, training_rows = material()
    training[4] = Item("train/4", b"no picture")
    overlap = find_overlap(items, rows, training, training_rows)
    assert overlap.overlapping().tolist() == [False, True, True, False, False, False]
    assert set(overlap.failures) == {"train/4", "test/5"}


def test_rows_must_be_those_of_the_items():
    items, rows, training, training_rows = material()
    with pytest.raises(DataError, match="an embedding per item"):
        find_overlap(items[1:], rows, training, training_rows)


def test_statistics_are_the_papers():
    random = np.random.default_rng(0)
    overlapping = random.random(3000) < 0.1
    right = random.random(3000) < np.where(overlapping, 0.72, 0.6)
    statistics = overlap_statistics(right, overlapping, sets=35)
    n, k = int(overlapping.sum()), int(right[overlapping].sum())
    clean = right[~overlapping].mean()
    assert statistics.overlap.n + statistics.clean.n == statistics.all.n == 3000
    assert statistics.share == pytest.approx(n / 3000)
    assert statistics.difference == pytest.approx(right.mean() - clean)
    p = binomtest(k, n, clean, alternative="greater").pvalue
    assert 1e-12 < p < 1e-2
    assert statistics.p == pytest.approx(p)
    assert statistics.adjusted_p == pytest.approx(min(1, 35 * p))
    assert statistics.overlap.low == pytest.approx(beta.ppf(0.0025, k, n - k + 1))
    assert statistics.overlap.high == pytest.approx(beta.ppf(0.9975, k + 1, n - k))
    assert statistics.to_json()["clean"]["accuracy"] == pytest.approx(clean)


def test_none_of_the_overlapping_right_is_no_evidence():
    statistics = overlap_statistics(np.array([True, True, False, False]), np.array([False, False, True, True]))
    assert (statistics.p, statistics.overlap.accuracy, statistics.difference) == (1.0, 0.0, -0.5)


@pytest.mark.parametrize("all_overlap", [False, True])
def test_without_two_parts_there_is_nothing_to_compare(all_overlap):
    statistics = overlap_statistics(np.array([True, False]), np.full(2, all_overlap))
    assert (statistics.difference, statistics.p, statistics.adjusted_p) == (None, None, None)
    assert statistics.share == all_overlap


def test_statistics_need_the_same_items():
    with pytest.raises(DataError, match="the same items"):
        overlap_statistics(np.array([True]), np.array([True, False]))


def test_statistics_name_the_extra_that_they_need(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    with pytest.raises(MissingExtraError, match="evaluate"):
        overlap_statistics(np.array([True, False]), np.array([True, False]))
