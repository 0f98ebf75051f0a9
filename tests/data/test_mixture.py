from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contralto.data.mixture import Mixture, allocate
from contralto.data.sample import Sample
from contralto.errors import ContractError


class Numbers:
    skipped = {}  # noqa: RUF012

    def __init__(self, name, count):
        self.name, self.count = name, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return Sample(b"", (f"{self.name}{index}",), f"{self.name}{index}")


A, B, C = Numbers("a", 10), Numbers("b", 7), Numbers("c", 100)


def test_every_batch_has_the_stated_proportions():
    mixture = Mixture([(A, 1), (B, 2), (C, 5)], batch_size=16, seed=3)
    for step in range(20):
        assert Counter(draw.source for draw in mixture.batch(step)) == {0: 2, 1: 4, 2: 10}


def test_each_sample_comes_once_a_turn():
    mixture = Mixture([(A, 1), (B, 2), (C, 5)], batch_size=16)
    seen = Counter(draw for step in range(40) for draw in mixture.batch(step))
    assert set(seen.values()) == {1}  # no (source, sample, turn) twice
    uses = Counter((draw.source, draw.item) for step in range(35) for draw in mixture.batch(step))
    assert {uses[0, i] for i in range(10)} == {7}  # 35 steps x 2 = 7 turns of 10
    assert {uses[1, i] for i in range(7)} == {20}
    assert {uses[2, i] for i in range(100)} == {3, 4}


def test_a_batch_is_a_function_of_seed_and_step():
    first, second = (Mixture([(A, 1), (C, 1)], 8, seed=5) for _ in range(2))
    forwards = [first.batch(step) for step in range(30)]
    backwards = [second.batch(step) for step in reversed(range(30))][::-1]
    assert forwards == backwards
    assert forwards != [Mixture([(A, 1), (C, 1)], 8, seed=6).batch(step) for step in range(30)]
    for draw in forwards[3]:
        assert first.random(draw).random() == second.random(draw).random()


def test_turns_are_shuffled_differently_and_random_numbers_differ():
    mixture = Mixture([(C, 1)], 100)
    one, two = mixture.batch(0), mixture.batch(1)
    assert [d.item for d in one] != [d.item for d in two]
    assert [d.item for d in one] != sorted(d.item for d in one)
    assert len({mixture.random(draw).random() for draw in one + two}) == 200


def test_samples_are_those_drawn():
    mixture = Mixture([(A, 1), (B, 1)], 4)
    for draw in mixture.batch(9):
        assert mixture.sample(draw).key == f"{'ab'[draw.source]}{draw.item}"


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=6), st.integers(1, 500))
def test_shares_are_within_one_of_exact_and_add_up(weights, places):
    counts = allocate(weights, places)
    assert sum(counts) == places
    for weight, count in zip(weights, counts, strict=True):
        assert abs(count - weight / sum(weights) * places) < 1 + 1e-9


@pytest.mark.parametrize(
    ("sources", "size", "why"),
    [
        ([], 8, "needs sources"),
        ([(A, 1)], 0, "batch size"),
        ([(A, 0)], 8, "above 0"),
        ([(A, float("nan"))], 8, "above 0"),
        ([(A, 1000), (B, 1)], 8, "'b' gets no place in a batch of 8"),
        ([(Numbers("none", 0), 1)], 8, "'none' is empty"),
    ],
)
def test_what_cannot_be_mixed_is_an_error(sources, size, why):
    with pytest.raises(ContractError, match=why):
        Mixture(sources, size)
