"""The loss against a plain float64 reading of the paper's pseudocode, gradients against finite differences of it."""

import math

import numpy as np
import pytest
import torch

from contralto.loss.infonce import clip_scale, infonce, pairs_with_shared_id


def plain(images, texts, log_scale, also_true=None):
    """Figure 3 of the paper, float64, one pair at a time."""
    images = images / np.sqrt((images**2).sum(1, keepdims=True))
    texts = texts / np.sqrt((texts**2).sum(1, keepdims=True))
    logits = images @ texts.T * math.exp(log_scale)
    total = 0.0
    n = len(logits)
    for i in range(n):
        negatives = [j for j in range(n) if j != i and not (also_true is not None and also_true[i, j])]
        total += math.log(sum(math.exp(logits[i, j] - logits[i, i]) for j in [i, *negatives])) / n / 2
        negatives = [j for j in range(n) if j != i and not (also_true is not None and also_true[j, i])]
        total += math.log(sum(math.exp(logits[j, i] - logits[i, i]) for j in [i, *negatives])) / n / 2
    return total


def arrays(n=7, width=5, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(n, width)) * 3, random.normal(size=(n, width))


MASK = np.zeros((7, 7), bool)
MASK[0, 3] = MASK[3, 0] = MASK[5, 2] = True  # one-sided on purpose: rows and columns must each use their own
np.fill_diagonal(MASK, True)


@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("log_scale", [0.0, math.log(1 / 0.07), math.log(100)])
def test_value_is_that_of_the_plain_reading(mask, log_scale):
    images, texts = arrays()
    given = (torch.tensor(a, dtype=torch.float32) for a in (images, texts))
    value = infonce(*given, torch.tensor(log_scale), None if mask is None else torch.tensor(mask))
    assert value.dtype == torch.float32
    # float32 cosines times up to 100: an error of about 100 * 2^-23 in a logit
    assert value.item() == pytest.approx(plain(images, texts, log_scale, mask), rel=1e-5, abs=2e-5)


@pytest.mark.parametrize("mask", [None, MASK])
def test_gradients_are_the_finite_differences_of_the_plain_reading(mask):
    images, texts = arrays()
    log_scale, step = 2.0, 1e-6
    tensors = [torch.tensor(a, dtype=torch.float32, requires_grad=True) for a in (images, texts)]
    scale = torch.tensor(log_scale, requires_grad=True)
    infonce(*tensors, scale, None if mask is None else torch.tensor(mask)).backward()
    for which, array in enumerate((images, texts)):
        for at in np.ndindex(array.shape):
            moved = [images.copy(), texts.copy()]
            moved[which][at] += step
            above = plain(*moved, log_scale, mask)
            moved[which][at] -= 2 * step
            slope = (above - plain(*moved, log_scale, mask)) / (2 * step)
            assert tensors[which].grad[at].item() == pytest.approx(slope, abs=2e-6)
    slope = (plain(images, texts, log_scale + step, mask) - plain(images, texts, log_scale - step, mask)) / (2 * step)
    assert scale.grad.item() == pytest.approx(slope, abs=2e-6)


def test_by_hand():
    """Two orthogonal pairs at scale 1: each row is (1, 0), so the loss is log(1 + 1/e)."""
    assert infonce(torch.eye(2), torch.eye(2), torch.tensor(0.0)).item() == pytest.approx(math.log(1 + math.exp(-1)))


def test_all_pairs_true_leaves_nothing_to_tell_apart():
    images, texts = (torch.tensor(a) for a in arrays())
    assert infonce(images, texts, torch.tensor(3.0), torch.ones(7, 7, dtype=torch.bool)).item() == 0


def test_computes_in_fp32_under_autocast():
    images, texts = (torch.tensor(a, dtype=torch.float32) for a in arrays(64, 32))
    exact = infonce(images, texts, torch.tensor(4.0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert infonce(images, texts, torch.tensor(4.0)) == exact


def test_same_marks_equal_pictures_or_captions():
    mask = pairs_with_shared_id(torch.tensor([1, 1, 2]), torch.tensor([5, 6, 5]))
    assert mask.tolist() == [[True, True, True], [True, True, False], [True, False, True]]


def test_the_scale_is_clipped_at_100():
    scale = torch.nn.Parameter(torch.tensor(5.0))
    clip_scale(scale)
    assert scale.exp().item() == pytest.approx(100, rel=1e-6)
    scale = torch.nn.Parameter(torch.tensor(4.0))
    clip_scale(scale)
    assert scale.item() == 4.0
