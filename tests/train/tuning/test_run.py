"""Tuning: it learns drawn classes, resumes to the same bits, and refuses what it cannot do in one line."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from support.paths import TESTS
from support.small_tuning import BERT, COLOURS, NET, VIT, ColouredScenes, colours, contract, small_clip

from contralto.data.scenes import Scenes
from contralto.errors import ContractError, ContraltoError, DataError
from contralto.train.tuning import objective
from contralto.train.tuning.examples import Examples
from contralto.train.tuning.run import tune
from contralto.train.tuning.settings import PARTS, Full, Lora, Prompt, haste

TEXT = Lora(towers=("text",), lr=2e-3, batch=8)
STRONG = Lora(rank=4, parts=PARTS, lr=4e-3, dropout=0.0, batch=24)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return small_clip(tmp_path_factory.mktemp("vit"), contract(VIT))


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    return small_clip(tmp_path_factory.mktemp("net"), contract(NET, BERT, pool="mean"))


def losses(work):
    return [line["loss"] for line in map(json.loads, (work / "log.jsonl").read_text().splitlines()) if "loss" in line]


def assert_same(a, b):
    assert a.tensors.keys() == b.tensors.keys()
    for name, array in a.tensors.items():
        assert np.array_equal(array, b.tensors[name]), name


@pytest.mark.parametrize(
    ("how", "fall"),
    [
        (STRONG, 0.4),
        (Full(lr=0.02, batch=24, layer_decay=1.0), 0.3),
        (Prompt(tokens=8, depth=2, lr=0.5, batch=24), 0.03),
    ],
)
def test_the_loss_falls_on_drawn_classes(clip, tmp_path, how, fall):
    tune(clip, colours(), how, steps=30, work=tmp_path)
    assert np.mean(losses(tmp_path)[-3:]) < np.mean(losses(tmp_path)[:3]) - fall


@pytest.mark.parametrize("how", [Lora(batch=8), Full(batch=8), Prompt(tokens=2, batch=8)])
@pytest.mark.parametrize("tower", ["clip", "net"])
def test_a_run_that_an_error_ended_goes_on_to_the_same_bits(request, tmp_path, how, tower):
    model = request.getfixturevalue(tower)

    def stop(stage, done, total):
        if stage == "tuning" and done == 4:
            raise KeyboardInterrupt

    whole = tune(model, colours(), how, steps=9, work=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        tune(model, colours(), how, steps=9, work=tmp_path / "parts", progress=stop)
    assert not (tmp_path / "parts/contralto.json").exists()
    calls = []
    parts = tune(model, colours(), how, steps=9, work=tmp_path / "parts", progress=lambda *call: calls.append(call))
    assert next(call for call in calls if call[0] == "tuning") == ("tuning", 4, 9)
    assert_same(whole, parts)
    assert_same(whole, tune(model, colours(), how, steps=9, work=tmp_path / "parts"))
    assert whole.tensors


KILLED = """
import sys; sys.path.insert(0, {tests!r})
import time, torch; torch.set_num_threads(1)
from pathlib import Path
from support.small_tuning import *
from contralto.train.tuning.run import tune
from contralto.train.tuning.settings import Lora
work = Path(sys.argv[1])
clip = contralto.load(sys.argv[2], engine="eager", precision="fp32")
tune(clip, colours(), Lora(batch=4), work=work, seconds=0.7, progress=lambda *call: time.sleep(0.02))
"""


def test_a_killed_run_keeps_its_plan_and_ends_in_the_same_bits(tmp_path):
    clip = small_clip(tmp_path / "base", contract(NET))
    work, base = tmp_path / "killed", str(tmp_path / "base")
    process = subprocess.Popen([sys.executable, "-c", KILLED.format(tests=str(TESTS)), str(work), base])
    deadline = time.monotonic() + 60
    while not (work / "checkpoint.pt").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    planned = json.loads((work / "plan.json").read_text())["steps"]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        resumed = tune(clip, colours(), Lora(batch=4), work=work, seconds=1000)
        whole = tune(clip, colours(), Lora(batch=4), work=tmp_path / "whole", steps=planned)
    finally:
        torch.set_num_threads(threads)
    assert resumed.steps == planned
    assert resumed.settings["steps"] == planned
    assert resumed.settings["peak_lr"] == pytest.approx(2e-4 * haste(planned))
    assert_same(resumed, whole)


def test_measuring_a_step_changes_no_weight(clip, tmp_path):
    planned = tune(clip, colours(), Lora(batch=8), work=tmp_path / "a", seconds=0.5)
    stated = tune(clip, colours(), Lora(batch=8), work=tmp_path / "b", steps=planned.steps)
    assert_same(planned, stated)


def test_full_tuning_takes_at_most_its_epochs(clip, tmp_path):
    assert tune(clip, colours(), Full(batch=10, epochs=2), work=tmp_path, seconds=1000).steps == 5


def test_text_alone_reads_rows_and_no_picture(clip, tmp_path):
    class NoPictures(ColouredScenes):
        def __getitem__(self, index):
            return dataclasses.replace(super().__getitem__(index), picture=b"not a picture")

    source = ColouredScenes(24)
    rows = clip.encode_image([source[i].picture for i in range(24)])
    given = tune(clip, Examples(NoPictures(24), COLOURS, rows=rows), TEXT, steps=4, work=tmp_path / "a")
    encoded = tune(clip, Examples(source, COLOURS), TEXT, steps=4, work=tmp_path / "b")
    assert {name.partition(".")[0] for name in given.tensors} == {"text"}
    for name, array in given.tensors.items():
        np.testing.assert_allclose(array, encoded.tensors[name], atol=1e-4)


def test_pictures_alone_leave_the_texts(clip, tmp_path):
    tuned = tune(clip, colours(), Lora(towers=("image",), lr=2e-3, batch=8), steps=4, work=tmp_path)
    assert {name.partition(".")[0] for name in tuned.tensors} == {"image"}


def test_captions_are_tuned_by_their_pairs(clip, tmp_path):
    how = dataclasses.replace(STRONG, batch=16)
    tuned = tune(clip, Examples(Scenes(16, 0)), how, steps=30, work=tmp_path)
    assert np.mean(losses(tmp_path)[-3:]) < np.mean(losses(tmp_path)[:3]) - 0.3
    assert any(name.startswith("image.") for name in tuned.tensors)


def test_many_classes_are_contrasted_within_the_batch(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(objective, "MOST_CLASSES", 7)
    tune(clip, colours(), STRONG, steps=30, work=tmp_path)
    assert np.mean(losses(tmp_path)[-3:]) < np.mean(losses(tmp_path)[:3]) - 0.3


def test_other_examples_or_settings_in_the_same_folder_are_refused(clip, tmp_path):
    tune(clip, colours(), Lora(batch=8), steps=2, work=tmp_path)
    for examples, how in ((colours(23), Lora(batch=8)), (colours(), Lora(batch=8, rank=3))):
        with pytest.raises(ContractError, match="another recipe"):
            tune(clip, examples, how, steps=2, work=tmp_path)
    tune(clip, colours(), Lora(batch=8), work=tmp_path / "planned", seconds=0.3)
    with pytest.raises(ContractError, match="another tuning"):
        tune(clip, colours(23), Lora(batch=8), work=tmp_path / "planned", seconds=0.3)


def test_arguments_are_checked(clip, tmp_path):
    for wrong in ({"steps": 0}, {"seed": -1}, {"seconds": 0.0}, {"progress": 3}):
        with pytest.raises(ContraltoError, match=next(iter(wrong))):
            tune(clip, colours(), Lora(), work=tmp_path, **wrong)
    with pytest.raises(ContraltoError, match="how must be a Lora, Full or Prompt"):
        tune(clip, colours(), "lora", work=tmp_path)
    with pytest.raises(DataError, match="rows must have 8 columns, got 5"):
        tune(clip, dataclasses.replace(colours(), rows=np.ones((24, 5), np.float32)), TEXT, work=tmp_path)
