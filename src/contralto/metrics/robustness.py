"""Accuracy on other data: natural shifts, and corrupted pictures.

Taori et al. 2020 (effective robustness; section 3.3 of the CLIP paper); Hendrycks and Dietterich 2019 (corruptions).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments, arrays
from contralto.errors import DataError


def effective_robustness(in_distribution: float, shifted: float, baselines: ArrayLike) -> float:
    """Accuracy on shifted data minus the expected accuracy of standard models with the same in-distribution accuracy.

    baselines (B, 2): pairs (in-distribution, shifted) of standard models, B >= 2; a least-squares line through their
    logits gives the expectation. Raises DataError if an accuracy is not between 0 and 1, or if the baselines do not
    determine a line.
    """
    arguments.number(in_distribution, "in_distribution")
    arguments.number(shifted, "shifted")
    pairs = arrays.finite_numbers(baselines, "baseline", 2)
    if pairs.shape[1] != 2 or len(np.unique(pairs[:, 0])) < 2:
        raise DataError("the line of effective robustness needs (B, 2) baselines of at least two different accuracies")
    x, y = _logit(pairs).T
    slope = np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2)
    expected = y.mean() + slope * (_logit(np.array(in_distribution)) - x.mean())
    _logit(np.array(shifted))  # raises unless it is a share
    return float(shifted - 1 / (1 + np.exp(-expected)))


def corruption_error(errors: ArrayLike, reference: ArrayLike | None = None) -> float:
    """Sum of the errors (S,) at a corruption's severities, divided by the reference model's (CE); the mean without one.

    Errors are shares or percentages of wrong answers, the same unit in both. Raises DataError for an error below 0 or
    not finite, or if the reference has another number of errors or a sum of zero.
    """
    own = _errors(errors, "error")
    return float(own.mean()) if reference is None else _ratio(own, _errors(reference, "reference error"))


def relative_corruption_error(errors: ArrayLike, clean: float, reference: ArrayLike, reference_clean: float) -> float:
    """Like `corruption_error`, for the error that the corruption adds to the error on clean pictures (relative CE)."""
    clean = arguments.number(clean, "clean", 0)
    reference_clean = arguments.number(reference_clean, "reference_clean", 0)
    return _ratio(_errors(errors, "error") - clean, _errors(reference, "reference error") - reference_clean)


def mean_corruption_error(errors: Mapping[str, ArrayLike], reference: Mapping[str, ArrayLike] | None = None) -> float:
    """Mean over the corruptions of `corruption_error` (mCE). errors, reference: corruption -> errors by severity.

    Raises DataError without corruptions, or if the reference lacks one.
    """
    names = _names(errors, reference)
    return float(
        np.mean([corruption_error(errors[name], None if reference is None else reference[name]) for name in names])
    )


def relative_mean_corruption_error(
    errors: Mapping[str, ArrayLike], clean: float, reference: Mapping[str, ArrayLike], reference_clean: float
) -> float:
    """Mean over the corruptions of `relative_corruption_error` (relative mCE)."""
    if reference is None:
        raise DataError("a relative error needs the reference model's")
    names = _names(errors, reference)
    each = [relative_corruption_error(errors[name], clean, reference[name], reference_clean) for name in names]
    return float(np.mean(each))


def _names(errors: Mapping[str, ArrayLike], reference: Mapping[str, ArrayLike] | None) -> list[str]:
    """The corruptions. Raises DataError if the reference lacks one."""
    if not isinstance(errors, Mapping) or not isinstance(reference, Mapping | None):
        raise DataError("errors and reference are dicts: corruption -> errors by severity")
    if not errors:
        raise DataError("a mean corruption error needs at least one corruption")
    absent = [] if reference is None else [name for name in errors if name not in reference]
    if absent:
        raise DataError(f"the reference model has no errors for {', '.join(map(str, absent))}")
    return list(errors)


def _errors(given: ArrayLike, what: str) -> NDArray[np.float64]:
    errors = arrays.finite_numbers(given, what)
    if not errors.size or errors.min() < 0:
        raise DataError(f"{what}s must be at least one number, none of them below 0")
    return errors


def _ratio(own: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    if own.shape != reference.shape or reference.sum() <= 0:
        raise DataError(
            f"errors {own.shape} cannot be divided by a reference {reference.shape} of sum {reference.sum()}"
        )
    return float(own.sum() / reference.sum())


def _logit(share: NDArray[np.float64]) -> NDArray[np.float64]:
    if not ((share > 0) & (share < 1)).all():
        raise DataError("effective robustness needs accuracies between 0 and 1, as it uses their logits")
    return np.log(share) - np.log1p(-share)
