"""The run: exact to resume however it ended, honest about other recipes and broken losses."""

import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.paths import TESTS
from support.small_training import NET, TASK, batch, contract, loss, phase, recipe

from contralto.errors import ContractError, ContraltoError, WeightsError
from contralto.model.clip import create
from contralto.train.loop import run, train
from contralto.train.recipe import Task
from contralto.weights import native

TWO_PHASES = (phase("locked", rates={"image": 0}, warmup=3), phase("all", ema=0.8))


def weights(folder):
    checkpoint = native.read(folder)
    return {name: np.array(checkpoint.raw(name)) for name in checkpoint}


def assert_same(a, b):
    a, b = weights(a), weights(b)
    assert a.keys() == b.keys()
    for name in a:
        assert np.array_equal(a[name], b[name]), name


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def timeless(folder):
    times = ("seconds", "data_seconds", "samples_per_second")
    return [{k: v for k, v in line.items() if k not in times} for line in lines(folder)]


@pytest.mark.parametrize("stop", [5, 12, 17])  # within a phase, between the two, within the one with an average
def test_a_run_in_two_parts_ends_in_the_same_weights_and_log(tmp_path, stop):
    plan = recipe(*TWO_PHASES, validate=lambda m, c: {"scale": m.logit_scale.item()}, validate_every=4)
    whole = run(plan, tmp_path / "whole", progress=False)
    run(plan, tmp_path / "parts", progress=False, steps=stop)
    assert lines(tmp_path / "parts")[-1]["step"] == stop
    parts = run(plan, tmp_path / "parts", progress=False)
    assert_same(whole, parts)
    assert timeless(whole) == timeless(parts)
    assert sum("loss" in line for line in lines(whole)) == 24


def test_batch_norm_resumes_exactly(tmp_path):
    plan = recipe(tower=NET)
    whole = run(plan, tmp_path / "whole", progress=False)
    run(plan, tmp_path / "parts", progress=False, steps=7)
    assert_same(whole, run(plan, tmp_path / "parts", progress=False))


KILLED = """
import sys, time; sys.path.insert(0, {tests!r})
import torch; torch.set_num_threads(1)
from pathlib import Path
from support import small_training as small
from contralto.train.loop import run, train
plan = small.recipe(small.phase(steps=60, ema=0.9), checkpoint_every=5,
                    validate=lambda m, c: time.sleep({pause}) or {{}}, validate_every=1)
run(plan, Path(sys.argv[1]), progress=False)
"""


def test_kill_9_then_the_same_weights(tmp_path):
    source = KILLED.format(tests=str(TESTS), pause=0.05)
    process = subprocess.Popen([sys.executable, "-c", source, str(tmp_path / "killed")], stderr=subprocess.PIPE)
    checkpoint = tmp_path / "killed/checkpoint.pt"
    deadline = time.monotonic() + 60
    while not (checkpoint.exists() and len((tmp_path / "killed/log.jsonl").read_bytes().splitlines()) > 17):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "killed/model.safetensors").exists()  # it was not over
    with open(tmp_path / "killed/log.jsonl", "a") as log:
        log.write('{"step": 9999, "loss"')  # a line that the kill cut off
    (tmp_path / "killed/.checkpoint.pt.abc.tmp").write_bytes(b"half a checkpoint")

    plan = recipe(phase(steps=60, ema=0.9), checkpoint_every=5, validate=lambda m, c: {}, validate_every=1)
    assert_same(run(plan, tmp_path / "killed", progress=False), run(plan, tmp_path / "whole", progress=False))
    assert timeless(tmp_path / "killed") == timeless(tmp_path / "whole")
    assert not list((tmp_path / "killed").glob("*.tmp")) + list((tmp_path / "killed").glob(".*"))


def test_ctrl_c_saves_says_so_and_the_run_goes_on(tmp_path, capsys):
    def interrupted(step):
        if step == 7:
            os.kill(os.getpid(), signal.SIGINT)
        return batch(step)

    plan = recipe(phase(tasks=(Task("pairs", 1.0, interrupted, loss),)))
    with pytest.raises(KeyboardInterrupt):
        run(plan, tmp_path / "parts", progress=False)
    assert "saved after step 8 of 12" in capsys.readouterr().err
    assert not (tmp_path / "parts/model.safetensors").exists()
    run(recipe(), tmp_path / "whole", progress=False)
    run(recipe(), tmp_path / "parts", progress=False)
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_ctrl_c_while_validating_repeats_the_validation(tmp_path):
    def interrupted(model, contract):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(recipe(validate=interrupted, validate_every=100), tmp_path, progress=False)
    run(recipe(validate=lambda m, c: {"x": 1.0}, validate_every=100), tmp_path, progress=False)
    assert [line["step"] for line in lines(tmp_path) if "validation" in line] == [0, 12]


def test_locked_towers_stay_bit_for_bit(tmp_path):
    """Batch norm's running figures and the scale too, in spite of weight decay."""
    before = {name: t.numpy().copy() for name, t in create(contract(NET), seed=1)[0].state_dict().items()}
    plan = recipe(phase(rates={"image": 0, "logit_scale": 0}), tower=NET)
    after = weights(run(plan, tmp_path, progress=False))
    for name, array in after.items():
        locked = name.startswith("image.") or name == "logit_scale"
        assert np.array_equal(before[name], array) == locked, name


def test_steps_follow_a_plain_loop(tmp_path):
    """The same twelve steps written out, with AdamW and clipping from their formulas."""
    plan = phase(clip_norm=0.5, warmup=3, weight_decay=0.3)
    model, _ = create(contract(), seed=1)
    moments = {n: (torch.zeros_like(p), torch.zeros_like(p)) for n, p in model.named_parameters()}
    for step in range(12):
        torch.manual_seed(step)
        model.zero_grad()
        loss(model, batch(step)).backward()
        norm = math.sqrt(sum(p.grad.double().pow(2).sum().item() for p in model.parameters()))
        lr = 1e-2 * ((step + 1) / 3 if step < 3 else 0.5 * (1 + math.cos(math.pi * (step - 3) / 9)))
        with torch.no_grad():
            for name, p in model.named_parameters():
                g, (m, v) = p.grad * min(1, 0.5 / norm), moments[name]
                m.mul_(0.9).add_(g, alpha=0.1)
                v.mul_(0.98).add_(g * g, alpha=0.02)
                p.mul_(1 - lr * 0.3 if p.ndim >= 2 else 1)
                p.sub_(lr * m / (1 - 0.9 ** (step + 1)) / ((v / (1 - 0.98 ** (step + 1))).sqrt() + 1e-6))
    after = weights(run(recipe(plan), tmp_path, progress=False))
    for name, p in model.named_parameters():  # float32 sums in another order, over twelve steps
        if not name.endswith("attention.k.bias"):  # softmax does not see it: its gradient is rounding and nothing else
            np.testing.assert_allclose(after[name], p.detach().numpy(), rtol=2e-3, atol=2e-5, err_msg=name)


def test_tasks_add_up_by_weight(tmp_path):
    one = run(recipe(), tmp_path / "one", progress=False)
    halves = (Task("a", 0.5, batch, loss), Task("b", 0.5, batch, loss))

    def quiet(model, pairs):
        torch.manual_seed(0)  # both tasks draw the same noise
        return loss(model, pairs)

    same = (Task("a", 0.5, batch, quiet), Task("b", 0.5, batch, quiet))
    run(recipe(phase(tasks=same)), tmp_path / "same", progress=False)
    run(recipe(phase(tasks=(Task("a", 1.0, batch, quiet),))), tmp_path / "single", progress=False)
    assert_same(tmp_path / "same", tmp_path / "single")  # halves of a float add up exactly
    run(recipe(phase(tasks=halves)), tmp_path / "halves", progress=False)
    first = lines(tmp_path / "halves")[0]
    assert first["loss"] == pytest.approx((first["loss/a"] + first["loss/b"]) / 2)
    assert first["loss/a"] == pytest.approx(lines(one)[0]["loss"])


def test_the_log_tells_the_time_waited_for_data_and_the_samples_per_second(tmp_path):
    def slow(step):
        time.sleep(0.02)
        return batch(step)

    first, second = Task("a", 1.0, slow, loss, batch_size=8), Task("b", 1.0, slow, loss, batch_size=4)
    run(recipe(phase(tasks=(first, second), steps=2)), tmp_path / "stated", progress=False)
    for line in lines(tmp_path / "stated"):
        assert 0.04 <= line["data_seconds"] <= line["seconds"]
        assert line["samples_per_second"] == pytest.approx(12 / line["seconds"], rel=0.01)
    run(recipe(phase(tasks=(first, replace(second, batch_size=None)), steps=1)), tmp_path / "open", progress=False)
    assert "samples_per_second" not in lines(tmp_path / "open")[0]


def test_the_average_is_what_is_validated_and_written(tmp_path):
    seen = []
    plan = recipe(phase(ema=0.5), validate=lambda m, c: seen.append(m.logit_scale.item()) or {}, validate_every=1)
    run(plan, tmp_path, progress=False)
    scales = [math.log(line["scale"]) for line in lines(tmp_path) if "loss" in line]
    average, expected = seen[0], [seen[0]]
    for scale in scales:
        average = 0.5 * average + 0.5 * scale
        expected.append(average)
    assert seen == pytest.approx(expected, rel=1e-5)
    assert weights(tmp_path)["logit_scale"] == pytest.approx(expected[-1], rel=1e-5)


def test_the_folder_holds_a_model_with_the_learned_scale(tmp_path):
    finished = []
    out = run(recipe(finish=lambda m, c, folder: finished.append((c, folder))), tmp_path / "new/folder", progress=False)
    read = native.read(out)
    assert finished == [(read.contract, out)]
    assert read.contract.score.scale == pytest.approx(math.exp(read.array("logit_scale")), rel=1e-6)
    read.verify()


def test_the_scale_never_passes_100(tmp_path):
    def greedy(model, pairs):
        return -model.logit_scale

    run(recipe(phase(tasks=(Task("greedy", 1.0, batch, greedy),), lr=1.0)), tmp_path, progress=False)
    assert weights(tmp_path)["logit_scale"] == pytest.approx(math.log(100))


def test_another_recipe_is_refused_with_what_differs(tmp_path):
    run(recipe(checkpoint_every=5), tmp_path, progress=False, steps=6)
    for other, what in [
        (recipe(phase(lr=3e-3)), "phase 'only': lr is 0.01 there and 0.003 here"),
        (recipe(phase("longer", steps=99)), "phase 'longer'"),
        (recipe(seed=4), "seed is 0 there and 4 here"),
        (recipe(phase(tasks=(replace(TASK, weight=2.0),))), "tasks"),
        (recipe(tower=NET), "contract"),
    ]:
        with pytest.raises(ContractError, match=what):
            run(other, tmp_path, progress=False)


def test_a_damaged_checkpoint_is_named(tmp_path):
    run(recipe(), tmp_path, progress=False, steps=2)
    whole = (tmp_path / "checkpoint.pt").read_bytes()
    for damaged in (b"", b"rubbish", whole[: len(whole) // 2]):
        (tmp_path / "checkpoint.pt").write_bytes(damaged)
        with pytest.raises(WeightsError, match=r"checkpoint\.pt"):
            run(recipe(), tmp_path, progress=False)


def test_a_model_of_somebody_else_is_not_overwritten(tmp_path):
    model, stated = create(contract())
    native.write(tmp_path, stated, {name: t.numpy() for name, t in model.state_dict().items()})
    with pytest.raises(ContractError, match="no checkpoint"):
        run(recipe(), tmp_path, progress=False)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    def broken(model, pairs):
        return model.logit_scale * (math.nan if pairs[1][0, 0] == batch(4)[1][0, 0] else 1.0)

    with pytest.raises(ContraltoError, match=r"task 'broken': the loss is nan at step \d"):
        run(recipe(phase(tasks=(Task("broken", 1.0, batch, broken),))), tmp_path, progress=False)


def test_samples_left_out_are_told(tmp_path, capsys):
    run(recipe(phase(tasks=(replace(TASK, skipped=lambda: {"is empty (0 bytes)": 3}),))), tmp_path, progress=False)
    assert "task pairs: 3 samples left out: 3 x is empty (0 bytes)" in capsys.readouterr().err


def test_plain_progress_names_step_loss_rate_and_time(tmp_path, capsys):
    run(recipe(), tmp_path)
    err = capsys.readouterr().err
    assert "small: step 12/12  loss " in err
    assert " steps/s  0:00 left" in err


def test_the_callers_random_state_is_left_alone(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    run(recipe(), tmp_path, progress=False)
    assert torch.equal(torch.rand(2), expected)


def test_a_bar_on_a_terminal(tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    run(recipe(validate=lambda m, c: {"accuracy": 0.5}, validate_every=6), tmp_path)
    shown = sys.stderr.getvalue()
    assert "12/12" in shown
    assert "step 6: accuracy 0.5" in shown


def test_files_of_the_recipe_lie_in_the_run_s_folder(tmp_path):
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    out = run(recipe(phase(steps=1), files=(tmp_path / "vocab.txt",)), tmp_path / "run", progress=False)
    assert (out / "vocab.txt").read_text() == "a\nb\n"


def test_training_alone_writes_no_model_and_tells_a_function_of_its_steps(tmp_path, capsys):
    calls = []
    state = train(recipe(), tmp_path, progress=lambda *call: calls.append(call))
    assert calls == [(step, 12) for step in range(13)]
    assert capsys.readouterr().err == ""
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint.pt", "log.jsonl"}
    run(recipe(), tmp_path / "run", progress=False)
    whole = weights(tmp_path / "run")
    assert all(np.array_equal(tensor.numpy(), whole[name]) for name, tensor in state.model.state_dict().items())


def test_a_checkpoint_may_leave_out_what_every_phase_locks(tmp_path):
    locked = (phase("a", rates={"image": 0, "text": 0}), phase("b", rates={"image": 0}))
    plan = recipe(*locked, saves_locked=False, tower=NET)
    whole = run(plan, tmp_path / "whole", progress=False)
    run(plan, tmp_path / "parts", progress=False, steps=15)
    saved = torch.load(tmp_path / "parts/checkpoint.pt", weights_only=True)["model"]
    parameters = [name for name, _ in create(contract(NET))[0].named_parameters()]
    assert {name for name in parameters if name in saved} == {n for n in parameters if not n.startswith("image.")}
    assert_same(whole, run(plan, tmp_path / "parts", progress=False))
