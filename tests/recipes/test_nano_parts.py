"""The parts of recipes/nano.py that can be checked without downloading or training anything."""

import pytest
import torch
from support.paths import SHARED

from contralto.train import recipe_file

DATA = SHARED / "data"
NANO = recipe_file.execute(recipe_file.find("nano"))
start, views, words = NANO.start, NANO.features.views, NANO.words

needs_data = pytest.mark.skipif(not DATA.exists(), reason="../shared/data is not there")


def random(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def picture():
    """A smooth ramp with a dark square: (2, 3, 224, 224) in 0..255."""
    x = torch.linspace(60, 250, 224).expand(2, 3, 224, 224).clone()
    x[:, :, 80:140, 80:140] = 20
    return x


@pytest.mark.parametrize(
    "view",
    [views.whole, views.mirrored, views.crop, views.recoloured, views.small, views.grey, views.sketch, views.cartoon],
)
def test_a_view_has_the_shape_and_range_of_pixels_and_depends_on_the_seed_alone(view, picture):
    before = picture.clone()
    made = view(picture, random(1))
    assert made.shape == picture.shape
    assert made.min() >= 0
    assert made.max() <= 255
    assert torch.equal(made, view(picture, random(1)))
    assert torch.equal(picture, before)


def test_a_sketch_is_white_where_nothing_changes_and_darker_at_an_edge(picture):
    flat = torch.full_like(picture, 128.0)
    flat[:, :, :, 112:] = 250
    for seed in range(6):
        lines = views.sketch(flat, random(seed))[0, 0, 112]
        assert lines[100:125].min() < lines[20] - 5


def test_a_resampled_picture_keeps_no_detail_finer_than_its_side():
    stripes = torch.arange(224).remainder(2).mul(255.0).expand(1, 3, 224, 224)
    assert views.resampled(stripes, 28).std() < 10 < stripes.std()


def test_an_emoji_without_a_generator_stands_on_white():
    rgba = torch.zeros(1, 4, 64, 64)
    rgba[:, 0, 16:48, 16:48] = 255
    rgba[:, 3, 16:48, 16:48] = 255
    made = views.emoji(rgba, None)
    assert made[0, :, 5, 5].tolist() == [255, 255, 255]
    assert made[0, :, 112, 112].tolist() == pytest.approx([255, 0, 0], abs=1e-3)


def test_names_of_the_starting_weights_become_native_ones():
    assert start.image_name("_blocks.3._expand_conv.weight") == "image.blocks.3.expand.conv.weight"
    assert start.image_name("_bn1.running_mean") == "image.top.norm.running_mean"
    assert start.text_name("3.attention.self.query.weight") == "text.blocks.3.attention.q.weight"
    assert start.text_name("0.attention.output.LayerNorm.bias") == "text.blocks.0.norm1.bias"
    assert start.text_name("5.output.LayerNorm.bias") == "text.blocks.5.norm2.bias"


@needs_data
def test_wordnet_stands_above_the_classes_as_it_should():
    classes = words.classes(DATA)
    names = [texts[0] for texts in classes.texts]
    assert len(names) == 1000
    assert all(len(texts) == words.CLASS_TEXTS for texts in classes.texts)
    dog = next(i for i, texts in enumerate(classes.nodes) if texts[0] == "dog")
    dogs = {names[i] for i in classes.above[:, dog].nonzero()[:, 0].tolist()}
    assert {"Chihuahua", "Dalmatian"} <= dogs
    assert "tabby cat" not in dogs
    assert classes.above.sum(dim=0).max() <= words.BROADEST


def test_an_emoji_may_be_called_by_its_name_or_keywords():
    texts = words.emoji_texts("dog face", ["dog", "pet"])
    assert texts.count("dog face") == 3
    assert {"dog", "pet", "dog, pet"} <= set(texts)
