"""The trained projection: gradients against PyTorch's, the minimum against PyTorch's L-BFGS on the plain objective."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.drawn_features import drawn

from contralto.errors import ContraltoError
from contralto.loss.infonce import infonce, pairs_with_shared_id
from contralto.probe.projection import TowerRows, fit_projection, fit_projection_pairs

WIDTH, EMBEDDING, CLASSES = 12, 16, 4
MEANT = np.random.default_rng(7).standard_normal((50, EMBEDDING))  # what a row is about; its head is somewhat right


def tower(count, seed=0, columns=WIDTH, about=None):
    """A tower's rows that are about the rows of MEANT, by default about their class."""
    generator = np.random.default_rng(seed)
    features, labels = drawn(count, columns, CLASSES, apart=1.0, seed=seed)
    rest = 2 * MEANT[labels if about is None else about] + generator.standard_normal((count, EMBEDDING))
    return TowerRows(features, rest, generator.standard_normal((EMBEDDING, columns)).astype(np.float32) / 5)


def classes(count, seed=0):
    rows = MEANT[:CLASSES]
    return drawn(count, WIDTH, CLASSES, seed=seed)[1], 10 * rows / np.linalg.norm(rows, axis=1, keepdims=True)


def pairs(count, texts, columns=WIDTH):
    owners = np.random.default_rng(0).integers(0, count, texts)
    return tower(count, about=np.arange(count)), tower(texts, seed=1, columns=columns, about=owners), owners


def moved(given, change):
    features, rest, projection = (torch.tensor(np.asarray(one, np.float64)) for one in given)
    return F.normalize(features @ (projection + change).T + rest, dim=1)


def class_objective(given, change, labels, zero_shot, penalty):
    logits = moved(given, change) @ torch.tensor(zero_shot).T
    return F.cross_entropy(logits, torch.tensor(labels)) + penalty * change.square().sum()


def minimum(objective, *shapes):
    """PyTorch's L-BFGS from zeros in float64, long enough: (value, changes)."""
    changes = [torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    optimiser = torch.optim.LBFGS(changes, max_iter=500, tolerance_grad=1e-8, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        value = objective(*changes)
        value.backward()
        return value

    optimiser.step(closure)
    return objective(*changes).item(), [change.detach().numpy() for change in changes]


@pytest.mark.parametrize("count", [9, 80], ids=["fewer rows than features", "more rows than features"])
@pytest.mark.parametrize("penalty", [0.01, 0.3])
def test_the_minimum_is_that_of_torch(count, penalty):
    given, (labels, zero_shot) = tower(count), classes(count)
    change = fit_projection(*given, labels, zero_shot, penalty)
    assert (change.shape, change.dtype) == ((EMBEDDING, WIDTH), np.float32)
    value, (expected,) = minimum(
        lambda one: class_objective(given, one, labels, zero_shot, penalty), (EMBEDDING, WIDTH)
    )
    tensor = torch.tensor(change.astype(np.float64), requires_grad=True)
    ours = class_objective(given, tensor, labels, zero_shot, penalty)
    assert ours.item() == pytest.approx(value, rel=3e-5)
    ours.backward()
    assert tensor.grad.square().sum().item() / (4 * penalty) <= 3e-5 * value
    np.testing.assert_allclose(change, expected, atol=0.02 * np.abs(expected).max())
    assert value < 0.9 * class_objective(given, 0 * tensor, labels, zero_shot, penalty).item()


def test_the_default_penalty_is_one_over_the_rows_per_class():
    given, (labels, zero_shot) = tower(80), classes(80)
    one, other = (fit_projection(*given, labels, zero_shot, penalty) for penalty in (None, 1 / 20))
    np.testing.assert_array_equal(one, other)


def test_a_penalty_towards_infinity_changes_nothing_and_a_smaller_one_changes_more():
    given, (labels, zero_shot) = tower(40), classes(40)
    sizes = [np.linalg.norm(fit_projection(*given, labels, zero_shot, penalty)) for penalty in (1e9, 10, 0.1, 1e-3)]
    assert sizes[0] < 1e-6
    assert (np.diff(sizes) > 0).all()


def test_a_class_may_have_no_row():
    given, (labels, zero_shot) = tower(40), classes(40)
    change = fit_projection(*given, np.minimum(labels, 2), zero_shot, 0.1)
    assert np.isfinite(change).all()


def pair_objective(image, text, changes, owners, penalty):
    images, texts = moved(image, changes[0]), moved(text, changes[1])
    owners = torch.tensor(owners)
    logits = 5.0 * images[owners] @ texts.T
    same = pairs_with_shared_id(owners) & ~torch.eye(len(owners), dtype=torch.bool)
    logits = logits.masked_fill(same, -torch.inf)
    each = torch.arange(len(owners))
    loss = (F.cross_entropy(logits, each) + F.cross_entropy(logits.T, each)) / 2
    return loss + penalty * sum(change.square().sum() for change in changes)


def test_the_minimum_over_pairs_is_that_of_torch():
    image, text, owners = pairs(15, 30, columns=8)
    changes = fit_projection_pairs(image, text, owners, 5.0, 0.05)
    value, expected = minimum(
        lambda *both: pair_objective(image, text, both, owners, 0.05), (EMBEDDING, WIDTH), (EMBEDDING, 8)
    )
    ours = [torch.tensor(change.astype(np.float64)) for change in changes]
    assert pair_objective(image, text, ours, owners, 0.05).item() == pytest.approx(value, rel=3e-5)
    for change, other in zip(changes, expected, strict=True):
        np.testing.assert_allclose(change, other, atol=0.02 * np.abs(other).max())


def test_batches_of_pairs_are_a_mean_and_the_seed_draws_them(monkeypatch):
    """By the first step, in batches of 10: the loss of all is the mean over the drawn batches, of training's loss."""
    monkeypatch.setattr("contralto.probe.projection.BATCH", 10)
    image, text, owners = pairs(15, 25)
    order = np.random.default_rng(3).permutation(25)

    def objective(*changes):
        images, texts = moved(image, changes[0]), moved(text, changes[1])
        total = 0.1 * sum(change.square().sum() for change in changes)
        for batch in np.array_split(order, 3):
            same = pairs_with_shared_id(torch.tensor(owners[batch]))
            loss = infonce(images[owners[batch]], texts[batch], torch.tensor(np.log(5.0)), same)
            total = total + loss.double() * len(batch) / 25
        return total

    one, again, other = (fit_projection_pairs(image, text, owners, 5.0, 0.1, seed=seed) for seed in (3, 3, 4))
    ours = [torch.tensor(change.astype(np.float64), requires_grad=True) for change in one]
    objective(*ours).backward()
    start = [torch.zeros_like(change, requires_grad=True) for change in ours]
    objective(*start).backward()
    sizes = [sum(change.grad.square().sum().item() for change in changes) for changes in (ours, start)]
    assert sizes[0] < 1e-4 * sizes[1]
    for side in range(2):
        np.testing.assert_array_equal(one[side], again[side])
        assert (one[side] != other[side]).any()


def test_progress_ends_with_all_and_iterations_are_a_limit():
    given, (labels, zero_shot) = tower(40), classes(40)
    calls = []
    fit_projection(*given, labels, zero_shot, 1e-3, iterations=3, progress=lambda *one: calls.append(one))
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]
    calls.clear()
    fit_projection(*given, labels, zero_shot, 1e9, iterations=50, progress=lambda *one: calls.append(one))
    assert calls[-1] == (50, 50)
    assert len(calls) < 10


GIVEN, (LABELS, ZERO_SHOT) = tower(8), classes(8)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: fit_projection(*GIVEN, LABELS, ZERO_SHOT, 0), "penalty must be a finite number above 0"),
        (lambda: fit_projection(*GIVEN, LABELS + 1, ZERO_SHOT), "is not one of the 4 classes"),
        (lambda: fit_projection(GIVEN[0][:, :5], *GIVEN[1:], LABELS, ZERO_SHOT), "projection have 12 columns"),
        (lambda: fit_projection(GIVEN[0], GIVEN[1][:, :3], GIVEN[2], LABELS, ZERO_SHOT), "rest have 3 columns"),
        (lambda: fit_projection(GIVEN[0], GIVEN[1][:5], GIVEN[2], LABELS, ZERO_SHOT), "rest has 5 rows"),
        (lambda: fit_projection(*GIVEN, LABELS, ZERO_SHOT[:, :3]), "zero_shot has 3"),
        (lambda: fit_projection(*GIVEN, LABELS, ZERO_SHOT, iterations=0), "iterations must be a whole number"),
        (lambda: fit_projection_pairs(GIVEN, GIVEN, [0] * 7, 5.0, 1.0), "number for each of 8 rows"),
        (lambda: fit_projection_pairs(GIVEN, GIVEN, [8] * 8, 5.0, 1.0), r"owners lie in 8..8, but there are 8"),
        (lambda: fit_projection_pairs(GIVEN, GIVEN, [0] * 8, 0.0, 1.0), "scale must be a finite number above 0"),
        (
            lambda: fit_projection_pairs(GIVEN, (GIVEN[0], GIVEN[1][:, :3], GIVEN[2][:3]), [0] * 8, 1.0, 1.0),
            "different numbers of rows: give those of one model",
        ),
    ],
)  # fmt: skip
def test_errors_are_one_line(call, says):
    with pytest.raises(ContraltoError, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)
