"""`adapt` with prompts of pictures: changed towers, measured by the class rows of the adaptation, at no other mix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.small_tuning import COLOURS, ColouredScenes, contract, small_clip

import contralto
from contralto.adaptation import Prompt


@pytest.mark.parametrize("towers", [("image",), ("image", "text")])
def test_the_measured_figure_is_what_the_saved_folder_answers(tmp_path: Path, towers: tuple[str, ...]) -> None:
    source = ColouredScenes(48)
    for place in range(len(source)):
        sample = source[place]
        folder = tmp_path / "set" / COLOURS[sample.label or 0][0]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(sample.picture)).save(folder / f"{place}.png")
    clip = small_clip(tmp_path / "base", contract())
    how = Prompt(tokens=2, depth=2, towers=towers, lr=0.1, batch=8)  # type: ignore[arg-type]
    made = contralto.adapt(clip, tmp_path / "set", method=how, steps=4, out=tmp_path / "out")
    report = made.report
    assert not report.keeps_towers
    assert report.measured.mixes == ()
    assert report.measured.label_free is not None
    assert report.measured.label_free.cosine == pytest.approx(1, abs=1e-6)  # the text tower is the base's
    loaded = contralto.load(tmp_path / "out", engine="openvino", precision="fp32")
    items, labels = report.data.items, [one.names[0] for one in report.data.classes]
    answers = loaded.classify([items[place].encoder_input() for place in range(len(items))], top=1)
    right = [answer[0].label == labels[items[place].label or 0] for place, answer in enumerate(answers)]
    top1 = next(one.value for one in report.measured.adapted.figures if one.metric == "top1")
    assert top1 == pytest.approx(np.mean(right))
    stored = made.stored
    assert np.array_equal(stored.array("prototypes"), stored.array("text")) == (towers == ("image",))
