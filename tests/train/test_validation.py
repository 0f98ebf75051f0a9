"""The validations on a model that knows every answer, and the names of their figures."""

import numpy as np
import pytest
import torch
from torch import nn

from contralto.contract import preset
from contralto.data.scenes import Scenes, prompts
from contralto.errors import DataError
from contralto.model.clip import create
from contralto.text.tokenizer import load
from contralto.train.contrastive import shorten
from contralto.train.validation import combine, recalls, retrieval, unit, zero_shot

CONTRACT = preset("tiny")
TOKENIZER = load(CONTRACT.text)


def test_recalls_name_the_figures_of_both_directions():
    images = np.array([[1, 0], [0, 1]], np.float32)
    texts = np.array([[1, 0], [0.9, 0.5], [0.8, 0.6], [0, 1]], np.float32)  # the third is of picture 1, but nearer to 0
    figures = recalls(images, texts, np.array([0, 0, 1, 1]))
    assert figures == {f"r{k}_{way}": 1.0 for k in (1, 5, 10) for way in ("image_to_text", "text_to_image")} | {
        "r1_text_to_image": 0.75
    }


class Oracle(nn.Module):
    """Sees the label of a scene by looking it up: picture bytes and prompts both become a one-hot row."""

    def __init__(self, source, texts):
        super().__init__()
        from contralto.data.loader import pixel_batches

        rows = np.concatenate(list(pixel_batches(source, CONTRACT.image)))
        self.pictures = {row.tobytes(): source[i].label for i, row in enumerate(rows)}
        self.texts = {tuple(ids[ids != 0]): n for n, ids in enumerate(TOKENIZER.tokenize(texts))}

    def encode_image(self, pixels):
        labels = [self.pictures[row.tobytes()] for row in pixels.numpy()]
        return torch.eye(len(self.texts))[labels] * 7

    def encode_text(self, ids):
        return torch.eye(len(self.texts))[[self.texts[tuple(row[row != 0])] for row in ids.numpy()]] * 3


def test_zero_shot_of_a_model_that_knows_and_of_one_that_does_not():
    source, texts = Scenes(60, 1, ["counted"]), prompts("counted")
    oracle = Oracle(source, texts)
    assert zero_shot(source, texts, TOKENIZER, "count")(oracle, CONTRACT) == {"count": 1.0}
    shifted = [*texts[1:], texts[0]]
    assert zero_shot(source, shifted, TOKENIZER, "count")(oracle, CONTRACT) == {"count": 0.0}


def test_several_prompts_a_class_are_averaged_as_unit_rows():
    """Class 0 has the right prompt and two that mean others: the average still lies nearest to the right one."""
    source, texts = Scenes(40, 1, ["placed"]), prompts("placed")
    groups = [[text, texts[(i + 1) % 40], text] for i, text in enumerate(texts)]
    assert zero_shot(source, groups, TOKENIZER, "place")(Oracle(source, texts), CONTRACT) == {"place": 1.0}


def test_zero_shot_needs_labels():
    with pytest.raises(DataError, match="without a label"):
        zero_shot(Scenes(5, 1, ["pair"]), ["x"], TOKENIZER, "x")(create(CONTRACT)[0], CONTRACT)


def test_retrieval_of_a_random_model_is_near_chance_and_complete():
    figures = combine(retrieval(Scenes(60, 1), TOKENIZER), lambda m, c: {"more": 1.0})(create(CONTRACT)[0], CONTRACT)
    assert set(figures) == {f"r{k}_{w}" for k in (1, 5, 10) for w in ("image_to_text", "text_to_image")} | {"more"}
    assert figures["r1_image_to_text"] < 0.3


def test_shortened_ids_give_the_same_embeddings():
    model, _ = create(CONTRACT)
    ids = TOKENIZER.tokenize(["a red circle", "two blue squares above a star!!"])
    short = shorten(ids, CONTRACT.text)
    assert short.shape[1] < ids.shape[1]
    assert np.array_equal(ids[:, short.shape[1] :], np.zeros_like(ids[:, short.shape[1] :]))
    with torch.no_grad():
        rows = [unit(model.encode_text(torch.from_numpy(i)).numpy()) for i in (ids, short)]
    np.testing.assert_allclose(*rows, atol=1e-6)
