"""The settings: every value that cannot be meant is one line that names it; no torch is needed."""

import dataclasses
import subprocess
import sys

import pytest

from contralto.errors import ContraltoError
from contralto.train.tuning.settings import Full, Lora, Prompt, haste


@pytest.mark.parametrize(
    ("way", "wrong"),
    [
        (Lora, {"rank": 0}),
        (Lora, {"alpha": 0.0}),
        (Lora, {"towers": ()}),
        (Lora, {"towers": ("image", "image")}),
        (Lora, {"towers": "text"}),
        (Lora, {"parts": ("q", "w")}),
        (Lora, {"parts": [["q"]]}),
        (Lora, {"dropout": 1.0}),
        (Lora, {"lr": 0.0}),
        (Lora, {"weight_decay": -1.0}),
        (Lora, {"batch": 1.5}),
        (Full, {"lr": float("nan")}),
        (Full, {"layer_decay": 0.0}),
        (Full, {"ema": 1.0}),
        (Full, {"epochs": 0}),
        (Prompt, {"tokens": 0}),
        (Prompt, {"depth": 0}),
        (Prompt, {"towers": ("images",)}),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(way, wrong):
    with pytest.raises(ContraltoError, match=rf"^{way.__name__}\.{next(iter(wrong))}\b") as raised:
        way(**wrong)
    assert "\n" not in str(raised.value)


def test_the_factor_is_alpha_by_rank_and_one_by_default():
    assert Lora(rank=4).scaling == 1
    assert Lora(rank=4, alpha=2).scaling == 0.5


def test_short_runs_take_a_higher_rate():
    assert haste(8000) == haste(100_000) == 1
    assert haste(2000) == 2
    assert haste(60) == haste(1) == 5


def test_settings_are_frozen_and_need_no_torch():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Lora().rank = 3
    code = "import sys, contralto.train.tuning.settings; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
