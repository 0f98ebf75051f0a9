"""A recipe refuses what cannot be meant and names the field."""

import pytest
from support.small_training import TASK, contract, phase, recipe

from contralto.errors import ContractError
from contralto.train.recipe import Task


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0), ("steps", 2.0), ("steps", True), ("lr", 0), ("lr", float("nan")), ("lr", "1e-3"), ("warmup", -1),
        ("warmup", 13), ("weight_decay", -0.1), ("betas", (0.9, 1.0)), ("eps", 0), ("clip_norm", float("inf")),
        ("precision", "fp16"), ("rates", {"image": -1}), ("ema", 1.0), ("tasks", ()), ("tasks", (TASK, TASK)),
        ("name", ""),
    ],
)  # fmt: skip
def test_a_phase_names_the_field_that_is_wrong(field, value):
    with pytest.raises(ContractError, match=field):
        phase(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("phases", (phase("a"), phase("a"))), ("seed", -1), ("validate_every", 1.5), ("validate_every", 5), ("build", 3)],
)
def test_a_recipe_names_the_field_that_is_wrong(field, value):
    with pytest.raises(ContractError, match=field):
        recipe(**{field: value})


@pytest.mark.parametrize("change", [{"weight": 0}, {"weight": -1.0}, {"batch": None}, {"loss": 1}, {"name": ""}])
def test_a_task_names_the_field_that_is_wrong(change):
    with pytest.raises(ContractError, match=next(iter(change))):
        Task(**{"name": "t", "weight": 1.0, "batch": abs, "loss": max} | change)


def test_no_phases_is_an_error():
    with pytest.raises(ContractError, match="phases"):
        recipe(phases=())


def test_steps_fall_into_their_phases():
    plan = recipe(phase("a", steps=3), phase("b", steps=2))
    assert plan.steps == 5
    assert [(p.name, s) for p, s in map(plan.at, range(5))] == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]


def test_facts_see_what_decides_the_weights_only():
    facts = recipe().facts(contract())
    assert recipe(checkpoint_every=7).facts(contract()) == facts
    for other in (recipe(seed=1), recipe(phase(lr=2e-2)), recipe(phase(rates={"image": 0.5})), recipe(name="x")):
        assert other.facts(contract()) != facts
    assert recipe().facts(contract().replace(embedding=9)) != facts
