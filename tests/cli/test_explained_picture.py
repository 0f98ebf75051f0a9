"""What explanations mean in words."""

from __future__ import annotations

import numpy as np
import pytest

from contralto.apply.explain import Explanation
from contralto.cli.explained_picture import unseen, verdict, where


@pytest.mark.parametrize(
    ("peak", "words"),
    [((0, 0), "upper left"), ((50, 50), "middle"), ((99, 50), "right"), ((50, 99), "lower"), ((99, 0), "upper right")],
)
def test_a_place_in_words(peak, words):
    assert where(peak, (100, 100)) == words


@pytest.mark.parametrize(
    ("sanity", "words"),
    [(0.0, "another map"), (-0.5, "a part of this map"), (0.9, "do not rely"), (-0.9, "do not rely")],
)
def test_the_check_in_words(sanity, words):
    assert words in verdict(sanity)


def test_what_was_not_seen():
    def seeing(x0, x1):
        area = (x0, 0.0, x1, 50.0)
        return unseen(Explanation(np.zeros((2, 2), np.float32), area, area, (100, 50), 0.1, "cells", []))

    assert seeing(0, 100) == ""
    assert seeing(25.2, 75.2) == "the model saw only x 25 to 75 and y 0 to 50 of 100 x 50 pixels"
