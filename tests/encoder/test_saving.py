"""A model with prompts is saved in the native layout alone; its positions can be resized like any ViT's."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from support.small_tuning import VIT, contract, small_clip

import contralto
from contralto.architecture import LinearHead, NoHead
from contralto.errors import ContraltoError
from contralto.weights import positions
from contralto.weights.names import expected

PROMPTED = dataclasses.replace(VIT, prompts=2, prompt_depth=2)
PICTURE = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)


def test_native_keeps_the_prompts(tmp_path):
    clip = small_clip(tmp_path / "a", contract(PROMPTED))
    clip.save(tmp_path / "b")
    again = contralto.load(tmp_path / "b", engine="eager", precision="fp32")
    assert again.checkpoint.array("image.prompts").shape == (2, 2, 16)
    assert again.contract.image == clip.contract.image
    np.testing.assert_array_equal(again.encode_image(PICTURE), clip.encode_image(PICTURE))


@pytest.mark.parametrize("layout", ["open_clip", "transformers"])
@pytest.mark.parametrize(
    "tower",
    [
        PROMPTED,
        dataclasses.replace(PROMPTED, head=LinearHead(bias=True), patch_bias=True),
        dataclasses.replace(
            PROMPTED, width=8, pool="attention", class_token=False, patch_bias=True, norm_pre=False, head=NoHead()
        ),
    ],
)
def test_other_layouts_have_no_prompts(tmp_path, layout, tower):
    clip = small_clip(tmp_path / "a", contract(tower))
    with pytest.raises(ContraltoError, match=r"prompts|no class for these towers") as raised:
        clip.save(tmp_path / "b", layout=layout)
    assert "\n" not in str(raised.value)


def test_positions_are_resized_and_prompts_are_not(tmp_path):
    clip = small_clip(tmp_path, contract(PROMPTED))
    larger = positions.resized(clip.checkpoint, 48)
    assert larger.array("image.positions").shape == (37, 16)
    np.testing.assert_array_equal(larger.array("image.prompts"), clip.checkpoint.array("image.prompts"))
    assert expected(larger.contract)["image.prompts"] == (2, 2, 16)
