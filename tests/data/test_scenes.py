import numpy as np
import pytest

from contralto.data.scenes import (
    SCENE_COLOURS,
    SCENE_COUNTS,
    SCENE_KINDS,
    SCENE_PLACES,
    SCENE_SHAPES,
    Scene,
    Scenes,
    captions,
    combination_is_new,
    draw,
    is_new,
    prompts,
)


def scenes(**options):
    source = Scenes(400, seed=4, **options)
    return [source.scene(np.random.default_rng((4, i))) for i in range(400)]


def test_the_same_index_gives_the_same_scene_and_another_another():
    one, two = Scenes(20, seed=1), Scenes(30, seed=1)
    for i in range(20):
        assert one[i].captions == two[i].captions
        assert np.array_equal(np.asarray(one[i].picture), np.asarray(two[i].picture))
    assert len({Scenes(20, seed)[3].picture.tobytes() for seed in range(10)}) == 10


def test_training_never_shows_what_is_held_out():
    shown, kept = scenes(), scenes(held_out=True)
    pairs = {thing[:2] for scene in shown for thing in scene.things}
    assert not any(is_new(scene) for scene in shown)
    assert all(is_new(scene) and combination_is_new(scene) for scene in kept)
    new_pairs = {(c, s) for c in SCENE_COLOURS for s in SCENE_SHAPES if is_new(Scene("alone", ((c, s, "small"),)))}
    assert len(new_pairs) == 8
    assert not pairs & new_pairs
    for i, part in enumerate((SCENE_COLOURS, SCENE_SHAPES)):
        assert {pair[i] for pair in pairs} == set(part) == {pair[i] for pair in new_pairs}
    for kind, details, new in (("counted", SCENE_COUNTS, 8), ("placed", tuple(SCENE_PLACES), 8)):
        free = {
            (d, s)
            for d in details
            for s in SCENE_SHAPES
            for c in SCENE_COLOURS
            if not is_new(Scene(kind, ((c, s, "small"),), d))
        }
        assert len(free) == len(details) * 8 - new
        assert {d for d, _ in free} == set(details)


@pytest.mark.parametrize("kind", [kind for kind in SCENE_KINDS if kind != "pair"])
def test_labels_are_the_indices_of_the_prompts(kind):
    listed, source = prompts(kind), Scenes(100, 2, [kind])
    assert len(set(listed)) == len(listed)
    for i in range(100):
        scene = source.scene(np.random.default_rng((2, i)))
        prompt = listed[source[i].label]
        assert scene.things[0][1] in prompt
        assert (scene.things[0][0] if kind == "alone" else scene.detail) in prompt


def test_captions_tell_the_truth():
    for i, scene in enumerate(scenes()):
        for caption in captions(scene, np.random.default_rng(i)):
            assert scene.things[0][1] in caption or f"something {scene.things[0][0]}" in caption
            told = [colour for colour in SCENE_COLOURS if colour in caption.replace("little", "")]
            assert set(told) <= {thing[0] for thing in scene.things}
            sizes = {"small": ("large", "big"), "large": ("small", "little")}[scene.things[0][2]]
            assert not any(word in caption for word in sizes)


def test_pictures_show_the_colour_at_the_place():
    """The painted pixels' mean colour and centre are those of the scene."""
    for place, (x, y) in SCENE_PLACES.items():
        image = np.asarray(
            draw(Scene("placed", (("blue", "square", "large"),), place), np.random.default_rng(1)), float
        )
        painted = np.abs(image - image[0, 0]).sum(axis=2) > 150
        rows, columns = np.nonzero(painted)
        assert columns.mean() / 96 == pytest.approx(x, abs=0.06)
        assert rows.mean() / 96 == pytest.approx(y, abs=0.06)
        assert np.abs(image[painted].mean(axis=0) - SCENE_COLOURS["blue"]).max() <= 21


@pytest.mark.parametrize("shape", SCENE_SHAPES)
def test_as_many_blobs_as_counted(shape):
    for count in SCENE_COUNTS:
        scene = Scene("counted", (("black", shape, "small"),) * (SCENE_COUNTS.index(count) + 1), count)
        image = np.asarray(draw(scene, np.random.default_rng(3)).convert("L"))
        quarters = [image[r : r + 48, c : c + 48] for r in (0, 48) for c in (0, 48)]
        assert sum((quarter < 100).any() for quarter in quarters) == SCENE_COUNTS.index(count) + 1
