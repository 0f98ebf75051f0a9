"""Examples: labels and captions are checked at once, texts are drawn from names and templates."""

import dataclasses

import numpy as np
import pytest
from support.small_tuning import COLOURS, ColouredScenes

from contralto.data.scenes import Scenes
from contralto.errors import ContraltoError, DataError
from contralto.train.tuning.examples import Examples

SOURCE = ColouredScenes(6)


class Changed:
    """The drawn scenes with these fields in each sample."""

    def __init__(self, **fields):
        self.name, self.skipped, self._fields = "changed", {}, fields

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return dataclasses.replace(SOURCE[index], **self._fields)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"source": ColouredScenes(0)}, "holds no picture"),
        ({"source": Changed(label=None)}, "scene 0 has no class"),
        ({"source": Changed(label=8)}, "label 8 of item 0 is not one of the 8 classes"),
        ({"source": Changed(captions=()), "classes": ()}, "scene 0 has no caption"),
        ({"classes": (("red",), ())}, "class 1 has no name"),
        ({"classes": (("red",),)}, "one class"),
        ({"templates": ("a photo",)}, "has no {}"),
        ({"rows": np.ones((5, 4), np.float32)}, "one embedding a picture, got 5 for 6"),
        ({"rows": np.full((6, 4), np.nan)}, "is not finite"),
    ],
)
def test_wrong_examples_are_one_line(given, reason):
    with pytest.raises(ContraltoError, match=reason) as raised:
        Examples(**{"source": SOURCE, "classes": COLOURS} | given)
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value, DataError) or "templates" in given


def test_every_name_template_and_caption_is_drawn():
    named = (("red", "crimson"), *COLOURS[1:])
    examples, random = Examples(SOURCE, named, ("a {}", "{}!")), np.random.default_rng(0)
    texts = {examples.prompt(0, random, examples.template(random)) for _ in range(50)}
    assert texts == {"a red", "a crimson", "red!", "crimson!"}
    captioned = Examples(Scenes(3, 0))
    assert {captioned.caption(1, random) for _ in range(50)} == set(captioned.samples[1].captions)


def test_the_digest_depends_on_everything_but_the_pixels():
    digest = Examples(SOURCE, COLOURS).digest
    assert Examples(Changed(), COLOURS).digest == digest
    others = [
        Examples(ColouredScenes(5), COLOURS),
        Examples(Changed(label=1), COLOURS),
        Examples(Changed(key="x"), COLOURS),
        Examples(Changed(captions=("x",)), COLOURS),
        Examples(SOURCE, (*COLOURS[:-1], ("grey",))),
        Examples(SOURCE, COLOURS, ("a {}",)),
    ]
    assert len({digest, *(other.digest for other in others)}) == 7
