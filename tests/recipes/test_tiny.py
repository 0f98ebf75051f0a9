"""recipes/tiny.py shortened: a CLIP from scratch, far above chance on combinations that training never showed."""

import json
import runpy

import numpy as np
from support.paths import REPOSITORY

from contralto.train.loop import run
from contralto.weights import native

RECIPE = REPOSITORY / "recipes/tiny.py"


def tiny(**changes):
    return runpy.run_path(str(RECIPE))["recipe"](**changes)


def test_a_hundred_steps_are_far_above_chance_on_new_combinations(tmp_path):
    run(tiny(steps=100, pictures=200), tmp_path, progress=False)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    before, *_, after = (line["validation"] for line in lines if "validation" in line)
    assert before["r10_text_to_image"] < 0.15  # chance: 10 of 200
    assert after["r10_text_to_image"] > 0.5
    assert after["new_colour_shape"] > 0.1  # chance: 1 of 64
    assert after["new_count_shape"] > 0.1  # chance: 1 of 32
    assert after["new_place_shape"] > 0.1  # chance: 1 of 40


def test_decoding_ahead_on_threads_does_not_change_a_resumed_run(tmp_path):
    run(tiny(steps=4, pictures=20), tmp_path / "whole", progress=False)
    run(tiny(steps=4, pictures=20), tmp_path / "parts", progress=False, steps=3)
    run(tiny(steps=4, pictures=20), tmp_path / "parts", progress=False)
    whole, parts = native.read(tmp_path / "whole"), native.read(tmp_path / "parts")
    for name in whole:
        assert np.array_equal(whole.raw(name), parts.raw(name)), name
