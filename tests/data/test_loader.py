import io
import math

import numpy as np
import pytest
from PIL import Image

from contralto.contract import preset
from contralto.data.augment import Augment
from contralto.data.loader import Loader, pixel_batches
from contralto.data.mixture import Mixture
from contralto.data.sample import Sample, SampleError
from contralto.data.scenes import Scenes
from contralto.errors import ContractError, DataError, ImageError
from contralto.image.decode import decode
from contralto.image.transform import pixels
from contralto.text.tokenizer import load

CONTRACT = preset("tiny")
TOKENIZER = load(CONTRACT.text)


class Listed:
    name, skipped = "listed", {"no picture": 2}

    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        if isinstance(self.samples[index], Exception):
            raise self.samples[index]
        return self.samples[index]


def jpeg(width, height):
    file = io.BytesIO()
    Image.effect_noise((width, height), 90).convert("RGB").save(file, "jpeg")
    return file.getvalue()


def loader(source, size, **options):
    return Loader(Mixture([(source, 1.0)], size, seed=1), CONTRACT, TOKENIZER, **options)


def test_without_augmentation_the_rows_are_the_contracts_own():
    source = Listed([Sample(jpeg(70, 50), (f"picture {i}",), str(i)) for i in range(6)])
    load = loader(source, 6, augment=None)
    batch = load(0)
    for row, draw in enumerate(load.mixture.batch(0)):
        sample = source[draw.item]
        assert np.array_equal(batch.pixels[row], pixels(decode(sample.picture), CONTRACT.image))
        assert np.array_equal(batch.ids[row], TOKENIZER.tokenize(sample.captions)[0])
        assert batch.pictures[row] == row


def test_batches_depend_on_the_step_alone():
    """Whatever was asked before, with however many threads."""
    one, other = loader(Scenes(50, 0), 16, workers=3, ahead=0), loader(Scenes(50, 0), 16, workers=1, ahead=4)
    forwards = [one(step) for step in range(6)]
    for step in (5, 0, 3):
        again = other(step)
        for name in ("pixels", "ids", "pictures", "texts"):
            assert np.array_equal(getattr(forwards[step], name), getattr(again, name)), name


def test_bad_samples_are_left_out_and_counted_by_reason():
    good = Sample(jpeg(30, 30), ("fine",), "good")
    bad = [
        Sample(b"", ("x",), "empty"),
        Sample(b"not a picture", ("x",), "text"),
        Sample(jpeg(30, 30)[:300], ("x",), "cut"),
        Sample(jpeg(30, 30), (), "dumb"),
        SampleError("gone", "is cut off"),
    ]
    load = loader(Listed([good, *bad, good]), 7)
    batch = load(0)
    assert len(batch.pixels) == len(batch.ids) == len(batch.pictures) == len(batch.texts) == 2
    assert load.skipped["no picture"] == 2  # from the source's opening
    assert load.skipped["no caption"] == load.skipped["is cut off"] == load.skipped["is empty (0 bytes)"] == 1
    assert sum(load.skipped.values()) == 2 + 5


def test_a_batch_of_bad_samples_only_is_an_error():
    with pytest.raises(DataError, match="no sample of the batch of step 0 can be used"):
        loader(Listed([Sample(b"", ("x",), "empty")]), 3)(0)


def test_reasons_are_bounded():
    load = loader(
        Listed([SampleError(str(i), f"reason {i}") for i in range(200)] + [Sample(jpeg(9, 9), ("x",), "")]), 201
    )
    load(0)
    assert len(load.skipped) == 51
    assert load.skipped["other reasons"] == 200 - 49


def test_equal_captions_and_pictures_have_equal_numbers():
    twice = Listed([Sample(jpeg(9, 9), ("same",), "a"), Sample(jpeg(9, 9), ("same",), "b")])
    batch = loader(twice, 4)(0)
    assert len(set(batch.texts)) == 1
    assert sorted(batch.pictures) == [0, 0, 1, 1] or sorted(np.unique(batch.pictures, return_counts=True)[1]) == [2, 2]


def test_all_captions_are_drawn_and_long_ones_are_cut():
    source = Listed([Sample(jpeg(9, 9), ("one", "two", "three " * 100), "a")])
    load = loader(source, 40)
    rows = {tuple(row) for row in load(0).ids}
    assert len(rows) == 3
    assert all(len(row) == CONTRACT.text.context for row in rows)


def test_plain_is_the_contracts_preprocessing_in_order():
    source = Listed([Sample(jpeg(40 + i, 40), (), str(i)) for i in range(5)])
    blocks = list(pixel_batches(source, CONTRACT.image, batch_size=2))
    assert [len(block) for block in blocks] == [2, 2, 1]
    for i, row in enumerate(np.concatenate(blocks)):
        assert np.array_equal(row, pixels(decode(source[i].picture), CONTRACT.image))
    with pytest.raises(ImageError, match="the bad one"):
        list(pixel_batches(Listed([Sample(b"x", (), "the bad one")]), CONTRACT.image))


@pytest.mark.parametrize("size", [(100, 100), (300, 40), (7, 90), (1, 1)])
def test_crops_lie_inside_and_keep_area_and_aspect(size):
    augment, random = Augment(area=(0.3, 0.8), aspect=(0.5, 2.0)), np.random.default_rng(0)
    for _ in range(200):
        left, top, right, bottom = augment.box(size, random)
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]
        width, height = right - left, bottom - top
        if size == (100, 100):
            assert 0.3 - 0.02 < width * height / 1e4 < 0.8 + 0.02
            assert 0.5 - 0.03 < width / height < 2.0 + 0.06


def test_crops_spread_over_their_range():
    augment, random = Augment(area=(0.3, 0.5), aspect=(0.5, 2.0)), np.random.default_rng(0)  # each of these fits
    boxes = np.array([augment.box((1000, 1000), random) for _ in range(2000)])
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert (width > height).mean() == pytest.approx(0.5, abs=0.05)  # even in the logarithm
    assert (width * height / 1e6).mean() == pytest.approx(0.4, abs=0.005)


def test_flips_happen_as_often_as_stated():
    image = Image.fromarray(np.tile(np.arange(96, dtype=np.uint8)[None, :, None] * 2, (96, 1, 3)))
    random = np.random.default_rng(0)
    flips = 0
    for _ in range(400):
        row = np.asarray(Augment(flip=0.25)(image, CONTRACT.image, random))[0, :, 0]
        flips += bool(row[0] > row[-1])
    assert flips / 400 == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 400))


@pytest.mark.parametrize("wrong", [{"area": (0, 1)}, {"area": (0.5, 0.4)}, {"aspect": (0, 1)}, {"flip": 2}])
def test_impossible_augmentation_is_an_error_that_names_the_field(wrong):
    with pytest.raises(ContractError, match=next(iter(wrong))):
        Augment(**wrong)
