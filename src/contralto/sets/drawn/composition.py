"""Questions about composition: number, position, colour and size of things, and missing things."""

from __future__ import annotations

import numpy as np

from contralto.data.scenes import SCENE_COLOURS
from contralto.sets.drawn.description import (
    ChoiceQuestion,
    DrawnScene,
    different_shapes,
    one_of,
    random_background,
    random_positions,
    random_shape,
    some_of,
    with_article,
)
from contralto.sets.drawn.shapes import NAMED_SHAPES, plural

NUMBER_WORDS = ("one", "two", "three", "four", "five", "six")
RELATION_DIRECTIONS = {"to the left of": (-1, 0), "to the right of": (1, 0), "above": (0, -1), "below": (0, 1)}
DENIALS = {"without": ("with a", "without a"), "no": ("and a", "and no")}


def counting(index: int, random: np.random.Generator) -> ChoiceQuestion:
    """How many? One to six things of one shape and colour. Their sizes do not depend on their number."""
    count = index % len(NUMBER_WORDS) + 1
    shape, colour = one_of(random, tuple(NAMED_SHAPES)), one_of(random, tuple(SCENE_COLOURS))
    radii = random.uniform(0.065, 0.125, count).tolist()
    places = random_positions(random, radii)
    parts = tuple(random_shape(random, shape, colour, *one) for one in zip(places, radii, strict=True))

    def text(number: int) -> str:
        return f"a picture of {NUMBER_WORDS[number - 1]} {shape if number == 1 else plural(shape)}"

    others = tuple(text(number) for number in range(1, len(NUMBER_WORDS) + 1) if number != count)
    return ChoiceQuestion(DrawnScene(random_background(random), parts), text(count), others, {"count": str(count)})


def relations(index: int, random: np.random.Generator) -> ChoiceQuestion:
    """Which is left, right, above or below? The false text swaps the two things."""
    relation = tuple(RELATION_DIRECTIONS)[index % len(RELATION_DIRECTIONS)]
    (dx, dy), apart = RELATION_DIRECTIONS[relation], random.uniform(0.22, 0.28)
    shapes, colours = different_shapes(random, 2), some_of(random, tuple(SCENE_COLOURS), 2)
    x, y = 0.5 + random.uniform(-0.06, 0.06, 2)
    places = [(x + sign * apart * dx, y + sign * apart * dy) for sign in (1, -1)]
    parts = [
        random_shape(random, *one, random.uniform(0.11, 0.16)) for one in zip(shapes, colours, places, strict=True)
    ]
    first, second = (with_article(f"{one.colour} {one.shape}") for one in parts)
    return ChoiceQuestion(
        DrawnScene(random_background(random), tuple(parts)),
        f"{first} {relation} {second}",
        (f"{second} {relation} {first}",),
        {"relation": relation.removeprefix("to the ")},
    )


def binding(index: int, random: np.random.Generator) -> ChoiceQuestion:
    """Which is red, or large? The false text swaps the colours, or the sizes, of the two things."""
    shapes, colours = different_shapes(random, 2), some_of(random, tuple(SCENE_COLOURS), 2)
    sizes = some_of(random, ("small", "large"), 2)
    by_size = index % 2 == 1
    if by_size:
        colours = colours[:1] * 2
        radii = [random.uniform(0.18, 0.22) if size == "large" else random.uniform(0.07, 0.09) for size in sizes]
    else:
        radii = random.uniform(0.12, 0.19, 2).tolist()
    looks = zip(shapes, colours, random_positions(random, radii), radii, strict=True)
    parts = tuple(random_shape(random, *one) for one in looks)
    one, other = sizes if by_size else colours
    return ChoiceQuestion(
        DrawnScene(random_background(random), parts),
        f"{with_article(f'{one} {shapes[0]}')} and {with_article(f'{other} {shapes[1]}')}",
        (f"{with_article(f'{other} {shapes[0]}')} and {with_article(f'{one} {shapes[1]}')}",),
        {"attribute": "size" if by_size else "colour"},
    )


def negation(index: int, random: np.random.Generator) -> ChoiceQuestion:
    """Is a shape present or not? It is in every second picture; the number of things does not reveal the answer."""
    present, count = index % 2 == 0, random.integers(2, 4)
    main, named, *rest = different_shapes(random, 4)
    shown = [main, *([named] if present else []), *rest][:count]
    colours = random.choice(list(SCENE_COLOURS), len(shown)).tolist()
    radii = random.uniform(0.1, 0.15, len(shown)).tolist()
    looks = zip(shown, colours, random_positions(random, radii), radii, strict=True)
    parts = tuple(random_shape(random, *one) for one in looks)
    word = one_of(random, tuple(DENIALS))
    texts = [f"a picture of {with_article(f'{colours[0]} {main}')} {phrase} {named}" for phrase in DENIALS[word]]
    true, false = texts if present else texts[::-1]
    groups = {"asked": "present" if present else "absent", "word": word}
    return ChoiceQuestion(DrawnScene(random_background(random), parts), true, (false,), groups)
