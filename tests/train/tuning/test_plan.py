"""The plan: as many steps as the time holds, by a step's own times."""

import pytest
from support.small_training import contract, recipe

from contralto.errors import ContractError
from contralto.model.clip import create
from contralto.train.tuning import plan


@pytest.mark.parametrize(
    ("seconds", "step", "data", "expected"),
    [
        (100.0, 1.0, 0.0, 100),  # nothing to prepare
        (30.0, 2.0, 1.0, 15),  # less than an epoch: each step prepares its pictures
        (100.0, 2.0, 1.0, 75),  # 25 seconds for the 200 pictures, then one second a step
        (0.5, 2.0, 1.0, 10),
    ],
)
def test_steps_are_those_that_fit(monkeypatch, seconds, step, data, expected):
    monkeypatch.setattr(plan, "train_step", lambda *given: {"seconds": step, "data_seconds": data})
    monkeypatch.setattr(plan.time, "monotonic", lambda: 0.0)
    model = create(contract(), seed=0)[0]
    small = recipe()
    steps = plan.steps_within(seconds, model, lambda count: small, inputs=200, batch=8)
    assert steps == expected


def test_a_plan_is_read_as_it_was_written(tmp_path):
    assert plan.stated_steps(tmp_path / "new", "a") is None
    plan.write(tmp_path / "new", "a", 7)
    assert plan.stated_steps(tmp_path / "new", "a") == 7
    with pytest.raises(ContractError, match="another tuning"):
        plan.stated_steps(tmp_path / "new", "b")


@pytest.mark.parametrize("text", ["", "[]", '{"steps": "x", "key": "a"}', '{"key": "a"}'])
def test_a_damaged_plan_is_named(tmp_path, text):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(ContractError, match=r"plan\.json cannot be read; delete it"):
        plan.stated_steps(tmp_path, "a")
