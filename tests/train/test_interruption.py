"""However a run ends early, what it has trained is in a whole checkpoint, and the next run ends in the same weights."""

import os
import signal
import threading

import numpy as np
import pytest
import torch
from support.small_training import NET, TASK, batch, contract, loss, phase, recipe

from contralto.train import run_checkpoint
from contralto.train.interruption import Interruption
from contralto.train.loop import Diverged, run
from contralto.train.recipe import Task
from contralto.weights import native


class Ended(BaseException):
    """What the caller's signal handler raises."""


@pytest.fixture
def handled():
    """Signals raise Ended, as in the command line."""

    def end(number, frame):
        raise Ended

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, end) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def failing(at, fail, function=batch):
    """`function`, which calls `fail` first in step `at`."""

    def wrapped(step):
        if step == at:
            fail()
        return function(step)

    return wrapped


def send(*numbers):
    return lambda: [os.kill(os.getpid(), number) for number in numbers]


def raises(error):
    def fail():
        raise error

    return fail


def assert_resumes(folder, step):
    """The folder's checkpoint is of `step`, and going on from it gives the weights of a run that never stopped."""
    plan = recipe()
    saved = run_checkpoint.load(folder / "checkpoint.pt", plan.facts(contract()))
    assert saved.step == step
    assert [path.name for path in folder.glob(".*")] == []
    run(plan, folder, progress=False)
    run(plan, folder / "whole", progress=False)
    ended, whole = native.read(folder), native.read(folder / "whole")
    for name in whole:
        assert np.array_equal(ended.raw(name), whole.raw(name)), name


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_finishes_the_step_and_saves(tmp_path, handled, capsys, number):
    plan = recipe(phase(tasks=(Task("pairs", 1.0, failing(6, send(number)), loss),)))
    with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else Ended):
        run(plan, tmp_path, progress=False)
    assert "stopped; saved after step 7 of 12" in capsys.readouterr().err
    assert_resumes(tmp_path, 7)


def test_more_signals_do_not_disturb_the_checkpoint(tmp_path, handled, monkeypatch):
    plan = recipe(phase(tasks=(Task("pairs", 1.0, failing(6, send(signal.SIGTERM)), loss),)))
    save = torch.save

    def disturbed(*given):
        send(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)()
        save(*given)

    monkeypatch.setattr(torch, "save", disturbed)
    with pytest.raises(Ended):
        run(plan, tmp_path, progress=False)
    monkeypatch.undo()
    assert_resumes(tmp_path, 7)


def test_a_signal_during_a_periodic_checkpoint_ends_the_run_after_it(tmp_path, handled, monkeypatch):
    save, saved = torch.save, []

    def disturbed(*given):
        send(signal.SIGTERM)()
        saved.append(save(*given))

    monkeypatch.setattr(torch, "save", disturbed)
    with pytest.raises(Ended):
        run(recipe(checkpoint_every=5), tmp_path, progress=False)
    assert len(saved) == 1
    monkeypatch.undo()
    assert_resumes(tmp_path, 5)


def test_a_signal_while_validating_keeps_the_weights_and_not_their_average(tmp_path, handled):
    average = phase(ema=0.5)

    def interrupted(model, contract):
        if validated:
            send(signal.SIGTERM)()
        validated.append(model.logit_scale.item())
        return {}

    validated = []
    with pytest.raises(Ended):
        run(recipe(average, validate=interrupted, validate_every=5), tmp_path / "a", progress=False)
    run(recipe(average), tmp_path / "a", progress=False)
    run(recipe(average), tmp_path / "b", progress=False)
    a, b = native.read(tmp_path / "a"), native.read(tmp_path / "b")
    assert all(np.array_equal(a.raw(name), b.raw(name)) for name in b)


@pytest.mark.parametrize(
    "error", [ValueError("a broken sample"), OSError(5, "Input/output error"), MemoryError(), SystemExit("enough")]
)
def test_an_error_of_the_data_keeps_the_steps_before_it(tmp_path, capsys, error):
    """The second task fails after the first one's forward pass has changed batch norm's running figures."""
    second = Task("second", 1.0, failing(6, raises(error)), loss)
    with pytest.raises(type(error)):
        run(recipe(phase(tasks=(TASK, second)), tower=NET), tmp_path / "two", progress=False)
    assert "saved after step 6 of 12" in capsys.readouterr().err
    run(recipe(phase(tasks=(TASK, Task("second", 1.0, batch, loss))), tower=NET), tmp_path / "two", progress=False)
    run(recipe(phase(tasks=(TASK, Task("second", 1.0, batch, loss))), tower=NET), tmp_path / "one", progress=False)
    one, two = native.read(tmp_path / "one"), native.read(tmp_path / "two")
    for name in one:
        assert np.array_equal(one.raw(name), two.raw(name)), name


def test_an_end_before_the_first_step_leaves_no_checkpoint_and_claims_none(tmp_path, handled, capsys):
    def interrupted(model, contract):
        send(signal.SIGTERM)()

    with pytest.raises(Ended):
        run(recipe(validate=interrupted, validate_every=1), tmp_path, progress=False)
    assert not (tmp_path / "checkpoint.pt").exists()
    assert "saved" not in capsys.readouterr().err


def test_weights_that_a_step_left_half_changed_are_not_kept(tmp_path, monkeypatch, capsys):
    steps = []

    def broken(self, *given):
        steps.append(1)
        if len(steps) == 8:
            raise MemoryError
        return step(self, *given)

    step = torch.optim.AdamW.step
    monkeypatch.setattr(torch.optim.AdamW, "step", broken)
    with pytest.raises(MemoryError):
        run(recipe(checkpoint_every=5), tmp_path, progress=False)
    assert "saved after step 5 of 12" in capsys.readouterr().err
    monkeypatch.undo()
    assert_resumes(tmp_path, 5)


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_run_that_diverged_keeps_the_checkpoint_from_before(tmp_path, where):
    def broken(model, pairs):
        number = loss(model, pairs)
        if torch.equal(pairs[1], batch(7)[1]):
            bad = torch.tensor(float("nan"))
            number = number * bad if where == "loss" else number + (number - number).sqrt()  # d sqrt(x) at 0 is inf
        return number

    plan = recipe(phase(tasks=(Task("pairs", 1.0, batch, broken),)), checkpoint_every=5)
    with pytest.raises(Diverged, match=rf"{where}.* is nan at step 7"):
        run(plan, tmp_path, progress=False)
    assert_resumes(tmp_path, 5)


def test_a_closed_stderr_does_not_end_a_run(tmp_path, monkeypatch):
    class Gone:
        def isatty(self):
            return False

        def write(self, text):
            raise BrokenPipeError

        def flush(self):
            raise BrokenPipeError

    for number, stream in enumerate((Gone(), None)):
        monkeypatch.setattr("sys.stderr", stream)
        run(recipe(validate=lambda m, c: {"x": 1.0}, validate_every=6), tmp_path / str(number))
        assert (tmp_path / str(number) / "model.safetensors").exists()


def test_signals_that_the_caller_ignores_stay_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as interruption, interruption.held():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_are_the_caller_s_again_afterwards(handled):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Ended), Interruption() as interruption, interruption.held():
        send(signal.SIGTERM)()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_handler_that_does_not_raise_may_be_called_again():
    received = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        with Interruption() as interruption:
            send(signal.SIGTERM)()
            with interruption.held():
                send(signal.SIGTERM)()
                assert len(received) == 1
            assert len(received) == 2
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_run_on_another_thread_needs_no_signals(tmp_path):
    done = []
    thread = threading.Thread(target=lambda: done.append(run(recipe(), tmp_path, progress=False)))
    thread.start()
    thread.join()
    assert done == [tmp_path]
