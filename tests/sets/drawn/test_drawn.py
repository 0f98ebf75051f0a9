from collections import Counter

import numpy as np
import pytest

from contralto.data.scenes import SCENE_COLOURS
from contralto.errors import DataError
from contralto.sets.drawn import DRAWN_SETS, drawn_set, question, task_of
from contralto.sets.drawn.composition import NUMBER_WORDS
from contralto.sets.drawn.description import different_shapes, random_positions
from contralto.sets.drawn.shapes import FAMILIES, NAMED_SHAPES, POLYGONS, outline
from contralto.sets.suites import SUITES
from contralto.sets.variants.questions import chance

CHANCE = {"drawn_counting": 1 / 6, "drawn_relations": 1 / 2, "drawn_binding": 1 / 2, "drawn_negation": 1 / 2,
          "drawn_small": 1 / 8, "drawn_fine": 1 / 6, "drawn_text": 1 / 10}  # fmt: skip


def test_every_set_is_a_choice_but_that_of_boxes():
    assert {name: task_of(name) for name in DRAWN_SETS} == dict.fromkeys(CHANCE, "choice") | {"drawn_boxes": "boxes"}
    assert SUITES["limits"] == tuple(CHANCE)


def area(points):
    x, y = points.T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def unasked(name, count=400):
    return [question(name, index) for index in range(count)]


def shapes(scene):
    return [part.shape for part in scene.parts]


@pytest.mark.parametrize("name", CHANCE)
def test_a_set_is_a_choice_whose_place_gives_nothing_away(name):
    data_set = drawn_set(name, 24)
    assert (data_set.name, data_set.task, data_set.metric, data_set.split, len(data_set.items)) == (
        name,
        "choice",
        "top1",
        "test",
        24,
    )
    assert chance(data_set) == pytest.approx(CHANCE[name])
    assert len({item.key for item in data_set.items}) == 24
    for index, item in enumerate(data_set.items):
        asked = question(name, index)
        assert item.captions[item.label] == asked.true
        assert sorted(item.captions) == sorted([asked.true, *asked.others])
        assert len(set(item.captions)) == len(item.captions)
        assert (item.picture.shape, item.picture.dtype) == ((224, 224, 3), np.uint8)
    assert len({item.label for item in data_set.items}) > 1


@pytest.mark.parametrize("name", DRAWN_SETS)
def test_pictures_depend_on_seed_and_index_alone(name):
    one, longer, other = drawn_set(name, 3), drawn_set(name, 5), drawn_set(name, 3, seed=1)
    for index in (2, 0, 1):
        assert np.array_equal(one.items[index].picture, longer.items[index].picture)
        assert one.items[index].captions == longer.items[index].captions
    assert len({item.digest() for item in (*longer.items, *other.items)}) == 8


def test_every_number_is_true_equally_often_and_its_grammar_right():
    asked = unasked("drawn_counting", 300)
    assert Counter(one.groups["count"] for one in asked) == dict.fromkeys("123456", 50)
    for one in asked:
        assert len(one.scene.parts) == int(one.groups["count"])
        assert len(set(shapes(one.scene))) == 1
        assert NUMBER_WORDS[len(one.scene.parts) - 1] in one.true.split()
    said = {text.split("of ")[1] for one in asked for text in (one.true, *one.others)}
    assert {"one cross", "two crosses", "six stars", "three cylinders"} <= said
    assert not any(text.startswith("one ") == text.endswith("s") and not text.endswith("cross") for text in said)


def test_of_two_related_things_the_text_names_the_right_one_first():
    counted = Counter()
    for one in unasked("drawn_relations"):
        first, second = one.scene.parts
        relation = one.groups["relation"]
        dx, dy = first.x - second.x, first.y - second.y
        far, near = (dx, dy) if relation.endswith(" of") else (dy, dx)
        assert abs(far) > 2 * abs(near)
        assert abs(far) > 0.4
        assert (far < 0) == (relation in ("left of", "above"))
        texts = [f" {part.colour} {part.shape}" for part in (first, second)]
        for text, order in ((one.true, texts), (one.others[0], texts[::-1])):
            assert f" {relation} " in text
            assert 0 < f" {text}".find(order[0]) < f" {text}".find(order[1])
        counted[relation] += 1
    assert set(counted.values()) == {100}


def test_of_two_bound_things_each_has_its_own():
    for one in unasked("drawn_binding"):
        first, second = one.scene.parts
        if one.groups["attribute"] == "colour":
            said = [part.colour for part in (first, second)]
            assert said[0] != said[1]
        else:
            assert first.colour == second.colour
            said = ["large" if part.radius > 0.15 else "small" for part in (first, second)]
            assert max(first.radius, second.radius) > 1.9 * min(first.radius, second.radius)
        one_true, two_true = (f"{word} {part.shape}" for word, part in zip(said, (first, second), strict=True))
        assert one_true in one.true
        assert two_true in one.true
        assert f"{said[0]} {second.shape}" in one.others[0]
        assert f"{said[1]} {first.shape}" in one.others[0]


def test_what_is_denied_is_missing_and_the_number_of_things_says_nothing():
    numbers, asked = Counter(), unasked("drawn_negation")
    for one in asked:
        named = one.true.split()[-1]
        denied = "without a " in one.true or "and no " in one.true
        assert (named in shapes(one.scene)) != denied
        if denied:
            family = next(kin for kin in FAMILIES if named in kin)
            assert not set(family) & set(shapes(one.scene))
        assert f"{one.scene.parts[0].colour} {one.scene.parts[0].shape} " in one.true
        assert one.others[0].split()[-1] == named
        assert ("without a " in one.others[0] or "and no " in one.others[0]) != denied
        assert one.groups["asked"] == ("absent" if denied else "present")
        assert (one.groups["word"] == "no") == any(" and no " in text for text in (one.true, one.others[0]))
        numbers[denied, len(one.scene.parts)] += 1
    assert numbers[True, 2] + numbers[True, 3] == 200
    assert abs(numbers[True, 2] - numbers[False, 2]) < 40


def test_small_fine_and_text_go_through_their_answers():
    small = Counter((one.groups["share"], *shapes(one.scene)) for one in unasked("drawn_small", 320))
    assert (len(small), set(small.values())) == (32, {10})
    fine = Counter(one.true for one in unasked("drawn_fine", 240))
    assert {fine[f"a picture of {'an' if p == 'octagon' else 'a'} {p}"] for p in POLYGONS} == {20}
    assert {count for text, count in fine.items() if "clock" in text} == {10}
    for one in unasked("drawn_text", 240):
        words = [text.split('"')[1] for text in (one.true, *one.others)]
        assert one.scene.parts[0].text == words[0]
        assert len({len(word) for word in words}) == 1
    assert set(Counter(one.groups["style"] for one in unasked("drawn_text", 240)).values()) == {60}


def test_shapes_lie_in_their_circle_with_the_area_they_should_have():
    for name in (*NAMED_SHAPES, *POLYGONS):
        reach = np.concatenate([points for points, _ in outline(name)])
        assert np.hypot(*reach.T).max() <= 1 + 1e-9
        assert np.hypot(*reach.T).max() > 0.85
    expected = {"circle": np.pi, "square": 2, "triangle": 3**1.5 / 4, "diamond": 1.24, "ring": np.pi * 0.64,
                "cross": 4 * 0.6 * 0.65 + 0.36, "heptagon": 3.5 * np.sin(2 * np.pi / 7)}  # fmt: skip
    for name, value in expected.items():
        assert area(outline(name)[0][0]) == pytest.approx(value, rel=0.005)
    assert sum(area(points) for points, _ in outline("cube")) == pytest.approx(1.5 * 3**0.5)


def test_scattered_things_keep_apart_and_unlike_ones_are_of_different_families():
    random = np.random.default_rng(0)
    for _ in range(50):
        radii = random.uniform(0.08, 0.14, 5)
        places = np.array(random_positions(random, radii.tolist()))
        gaps = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) - radii[:, None] - radii[None]
        assert (gaps[~np.eye(5, dtype=bool)] > 0).all()
        assert (places - radii[:, None] > 0).all()
        assert (places + radii[:, None] < 1).all()
        chosen = different_shapes(random, 7)
        assert len({next(kin for kin in FAMILIES if shape in kin) for shape in chosen}) == 7
    assert {shape for kin in FAMILIES for shape in kin} == set(NAMED_SHAPES)
    assert set(SCENE_COLOURS) >= {"red", "blue"}


def test_what_is_not_drawn():
    with pytest.raises(DataError, match="drawn_counting"):
        drawn_set("drawn_cats")
