"""Cross-entropy over classes: the formula in NumPy, whatever the lengths."""

import numpy as np
import torch

from contralto.loss.classes import class_cross_entropy


def test_it_is_the_mean_negative_logarithm_of_the_softmax_of_scaled_cosines():
    random = np.random.default_rng(0)
    images, classes, labels = random.standard_normal((5, 4)), random.standard_normal((3, 4)), np.array([2, 0, 1, 1, 2])
    units = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (images, classes)]
    exponents = np.exp(7 * units[0] @ units[1].T)
    expected = -np.log(exponents[np.arange(5), labels] / exponents.sum(axis=1)).mean()
    given = [torch.tensor(each, dtype=torch.float32) for each in (3 * images, 0.1 * classes)]
    loss = class_cross_entropy(*given, torch.tensor(labels), torch.tensor(7.0).log())
    torch.testing.assert_close(loss.item(), expected, rtol=1e-5, atol=1e-6)
