"""Prompts: vectors that are words' embeddings act as these words; deep ones replace; what does not fit is an error."""

import dataclasses

import numpy as np
import pytest
import torch
from support.small_tuning import (
    BERT,
    CAUSAL,
    COLOURS,
    NET,
    UNMASKED,
    VIT,
    ColouredScenes,
    colours,
    contract,
    small_clip,
)

from contralto.data.scenes import Scenes
from contralto.errors import ContraltoError
from contralto.train import loop
from contralto.train.tuning import prompt
from contralto.train.tuning.examples import Examples
from contralto.train.tuning.run import Setup, tune
from contralto.train.tuning.settings import Prompt
from contralto.train.tuning.texts import TokenIds

TOWERS = {
    "causal": contract(text=CAUSAL),
    "unmasked": contract(text=UNMASKED, pool="last"),
    "bert, mean": contract(text=BERT, pool="mean"),
    "bert, first": contract(text=dataclasses.replace(BERT, types=2), pool="first"),
}


def prompted(clip, how=None):
    model, stated = clip.torch(), clip.contract
    ids = TokenIds(clip.tokenize, stated.text)
    prompt.insert(model, how or Prompt(tokens=2), colours(), ids, stated, 0)
    return model, ids


@pytest.mark.parametrize("name", TOWERS)
def test_vectors_that_are_words_act_as_these_words(tmp_path, name):
    """ "a photo" + "red ." by vectors is the text "a photo red ." by tokens, whatever stands beside it in the batch."""
    clip = small_clip(tmp_path, TOWERS[name])
    model, ids = prompted(clip)
    plain = clip.torch()
    with torch.no_grad():
        words = clip.tokenize("a photo")[0, 1:3]
        model.text.vectors[0] = plain.text.tokens.weight[torch.from_numpy(words)]
        texts = ["red.", "a shade of dark green."]
        actual = model.encode_text(ids.inputs(texts))
        expected = plain.encode_text(ids.inputs([f"a photo {text}" for text in texts]))
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", TOWERS)
def test_deep_vectors_replace_the_earlier_ones(tmp_path, name):
    """What the first block leaves at the vectors' places is not read by the second: only its own vectors are."""
    model, ids = prompted(small_clip(tmp_path, TOWERS[name]), Prompt(tokens=2, depth=2))
    inputs, seen = ids.inputs(["red.", "green."]), []
    model.text.tower.blocks[1].register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    with torch.no_grad():
        before = model.encode_text(inputs)
        model.text.vectors[1] += torch.randn(2, 16, generator=torch.Generator().manual_seed(1))
        after = model.encode_text(inputs)
    assert torch.equal(seen[0][:, [0, 3]], seen[1][:, [0, 3]])
    torch.testing.assert_close(seen[1][:, 1:3], model.text.vectors[1].expand(2, -1, -1))
    assert not torch.allclose(before, after)


def test_the_class_matrix_changes_and_the_model_does_not(tmp_path):
    clip = small_clip(tmp_path / "base", contract(NET))
    tuned = tune(clip, colours(), Prompt(tokens=2, batch=8), steps=3, work=tmp_path / "work")
    assert set(tuned.tensors) == {"prototypes"}
    matrix, plain = tuned.tensors["prototypes"], clip.encode_labels([name for (name,) in COLOURS], None)
    assert matrix.shape == (8, 8)
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-6)
    assert np.abs(matrix - plain).max() > 0.01


def test_names_of_a_class_are_averaged(tmp_path):
    clip = small_clip(tmp_path, contract())
    model, ids = prompted(clip)
    source = ColouredScenes(4)
    names = (("red", "crimson"), *COLOURS[1:])
    apart = Examples(source, (("red",), ("crimson",), *COLOURS[1:]))
    single = prompt.changes(model, Prompt(), apart, ids)["prototypes"]
    both = prompt.changes(model, Prompt(), Examples(source, names), ids)["prototypes"]
    mean = single[0] + single[1]
    np.testing.assert_allclose(both[0], mean / np.linalg.norm(mean), atol=1e-6)
    np.testing.assert_allclose(both[1:], single[2:], atol=1e-6)


@pytest.mark.parametrize(
    ("how", "examples", "reason"),
    [
        (Prompt(tokens=13), colours(), "'red': with 13 vectors it takes 17 tokens of a context of 16: lower"),
        (Prompt(depth=3), colours(), "Prompt.depth is 3, but the text tower has 2 layers"),
        (Prompt(), Examples(Scenes(4, 0)), "prompts are learned for classes"),
        (Prompt(depth=3, towers=("image",)), colours(), "Prompt.depth is 3, but the image tower has 2 layers"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, how, examples, reason):
    clip = small_clip(tmp_path / "base", contract())
    with pytest.raises(ContraltoError, match=reason) as raised:
        tune(clip, examples, how, steps=1, work=tmp_path / "work")
    assert "\n" not in str(raised.value)
    assert tune(clip, colours(4), dataclasses.replace(Prompt(batch=4), tokens=12), steps=1, work=tmp_path / "fits")


@pytest.mark.parametrize("towers", [("image",), ("image", "text")])
@pytest.mark.parametrize("depth", [1, 2])
def test_vectors_beside_the_patches_are_all_that_changes(tmp_path, towers, depth):
    clip = small_clip(tmp_path / "base", contract())
    before = {name: tensor.clone() for name, tensor in clip.torch().state_dict().items()}
    how = Prompt(tokens=2, depth=depth, towers=towers, batch=8)
    setup = Setup(clip, colours(8), how, 0, None)
    drawn = setup.model.image.prompts.detach().clone()
    assert setup.trained == {prompt.VECTORS[tower] for tower in towers}
    tuned = tune(clip, colours(8), how, steps=3, work=tmp_path / "work")
    assert set(tuned.tensors) == {"image.prompts", *(["prototypes"] if "text" in towers else [])}
    vectors = tuned.tensors["image.prompts"]
    assert vectors.shape == (depth, 2, 16)
    assert all(np.abs(vectors[n] - drawn[n].numpy()).max() > 1e-4 for n in range(depth))
    assert all(torch.equal(tensor, before[name]) for name, tensor in clip.torch().state_dict().items())


def test_a_run_changes_no_weight_beside_the_vectors(tmp_path):
    clip = small_clip(tmp_path / "base", contract())
    setup = Setup(clip, colours(8), Prompt(tokens=2, towers=("image", "text"), batch=8), 0, None)
    state = loop.train(setup.recipe(2), tmp_path / "work")
    trained, before = state.model.state_dict(), clip.torch().state_dict()
    kept = {name.replace("text.tower.", "text."): value for name, value in trained.items()}
    assert set(kept) - set(before) == {"image.prompts", "text.vectors"}
    assert all(torch.equal(kept[name], before[name]) for name in before)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (NET, "of the picture towers only a ViT takes prompts, and this one is efficientnet: use Lora"),
        (dataclasses.replace(VIT, prompts=1, prompt_depth=1), "this picture tower has prompts already"),
    ],
)
def test_other_picture_towers_take_no_vectors(tmp_path, image, reason):
    clip = small_clip(tmp_path / "base", contract(image))
    with pytest.raises(ContraltoError, match=reason) as raised:
        tune(clip, colours(8), Prompt(towers=("image",)), steps=1, work=tmp_path / "work")
    assert "\n" not in str(raised.value)
