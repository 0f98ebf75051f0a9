"""The probability that each label is true of a picture, independently of the other labels.

A softmax over labels tells which of them fits best: its scores change with the list, and add up to 1 even if no label
fits. A sigmoid of the cosine judges each label alone. Its scale and bias are fitted on pictures with known labels
(Platt 1999, "Probabilistic outputs for support vector machines"). Models that were trained with a sigmoid have their
own scale and bias.

    known = Calibration.fit(clip.similarity(pictures, clip.encode_labels(labels)), truth, clip.contract.hash)
    label_scores(clip, others, ["a cat", "a sofa"], known)

Fit it on pictures and labels of the kind that you will score. On another kind the ranking stays useful, but the
probabilities are only partly right (benchmarks/calibration.py); therefore no calibration is shipped for any model.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments, arrays
from contralto.contract import Contract
from contralto.embeddings import Embeddings, probabilities
from contralto.errors import ContraltoError, DataError
from contralto.metrics import platt
from contralto.zeroshot.classifier import Labels, Templates

CALIBRATION_VERSION: Final = 1  # of the JSON form


class LabelModel(Protocol):
    """The methods of a model that `label_scores` needs; `contralto.encoder.Clip` has them."""

    @property
    def contract(self) -> Contract: ...

    def encode_labels(self, labels: Labels, templates: Templates, /) -> Embeddings: ...

    def similarity(self, images: Any, texts: Any, /) -> Embeddings: ...


@dataclass(frozen=True)
class Calibration:
    """P(label is true) = 1 / (1 + exp(-(scale * cosine + bias))).

    prior: the share of true (picture, label) pairs in the data that it was fitted on. contract: the hash of the model's
    contract, or None if unknown. Raises DataError for other values.
    """

    scale: float
    bias: float
    prior: float
    contract: str | None = None

    def __post_init__(self) -> None:
        if not all(map(_is_finite, (self.scale, self.bias, self.prior))) or not 0 < self.prior < 1:
            raise DataError("scale, bias and prior of a calibration are finite numbers, and the prior lies in 0..1")
        if not isinstance(self.contract, str | None):
            raise DataError("the contract of a calibration is its hash, or null")

    @classmethod
    def fit(cls, cosines: ArrayLike, truth: ArrayLike, contract: str | None = None) -> Calibration:
        """The maximum-likelihood calibration for cosines (N, L) of pictures and labels, and truth, bool (N, L).

        The pictures must not be from the model's training data. Raises DataError if the shapes differ, if all pairs
        are true or all are false, or if one threshold separates them perfectly, because no scale is optimal then.
        """
        values, true = arrays.array(cosines, "cosines"), arrays.array(truth, "truth")
        if values.shape != true.shape:
            raise DataError(f"cosines {values.shape} and truth {true.shape} disagree: both must be (N, L)")
        true = arrays.flags(true.ravel(), "truth")
        sigmoid = platt(values.ravel(), true)
        return cls(sigmoid.scale, sigmoid.bias, float(true.mean()), contract)

    def probabilities(self, cosines: ArrayLike, prior: float | None = None) -> NDArray[np.float64]:
        """Cosines of any shape -> probabilities, float64 of the same shape; each depends on its own cosine only.

        prior: the share of true pairs in the new data, if it is known to differ (one in ten, for example, where each
        picture has one of ten labels); the odds are multiplied accordingly. Raises ContraltoError unless 0 < prior < 1,
        and for cosines that are not finite.
        """
        given = arrays.array(cosines, "cosines")
        logits = self.scale * arrays.finite_numbers(given.ravel(), "cosine").reshape(given.shape) + self.bias
        if prior is not None:
            if not _is_finite(prior) or not 0 < prior < 1:
                raise ContraltoError(f"prior must lie between 0 and 1, got {prior}")
            logits += _log_odds(prior) - _log_odds(self.prior)
        likely: NDArray[np.float64] = np.exp(-np.logaddexp(0, -logits))
        return likely

    def to_json(self) -> str:
        """One line of JSON that `from_json` reads."""
        numbers = {"scale": float(self.scale), "bias": float(self.bias), "prior": float(self.prior)}
        return json.dumps({"calibration": CALIBRATION_VERSION, **numbers, "contract": self.contract})

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Reads the output of `to_json`. Raises DataError for anything else."""
        try:
            stated = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(f"a calibration is JSON: {error}") from error
        keys = {"calibration", "scale", "bias", "prior", "contract"}
        if not isinstance(stated, dict) or stated.keys() != keys or stated["calibration"] != CALIBRATION_VERSION:
            raise DataError(
                f"a calibration of version {CALIBRATION_VERSION} has exactly the keys {', '.join(sorted(keys))}"
            )
        return cls(stated["scale"], stated["bias"], stated["prior"], stated["contract"])


def label_scores(
    clip: LabelModel,
    items: Any,
    labels: Labels,
    calibration: Calibration | None = None,
    *,
    templates: Templates = "photo",
    prior: float | None = None,
) -> NDArray[np.float64]:
    """(N, L): the probability that each label is true of each picture; several or none may be true of one picture.

    items, labels and templates: as `Clip.classify` takes them, with the templates of the fit. calibration: not needed
    for a sigmoid model, whose contract has a scale and bias. prior: as in `Calibration.probabilities`. Raises
    ContraltoError for a softmax model without a calibration or with one of another model, and for a prior without a
    calibration.
    """
    if not isinstance(calibration, Calibration | None):
        raise ContraltoError(f"calibration must be a Calibration or None, got {arguments.shown(calibration)}")
    if calibration is None and (clip.contract.score.rule != "sigmoid" or prior is not None):
        raise ContraltoError(
            f"{clip.contract.name}: independent scores need a Calibration, fitted on pictures with known labels"
        )
    if calibration is not None and calibration.contract not in (None, clip.contract.hash):
        raise ContraltoError(f"{clip.contract.name}: the calibration was fitted to another model: fit it to this one")
    cosines = clip.similarity(items, clip.encode_labels(labels, templates))
    if calibration is None:
        return probabilities(cosines, clip.contract.score).astype(np.float64)
    return calibration.probabilities(cosines, prior)


def _log_odds(share: float) -> float:
    return math.log(share / (1 - share))


def _is_finite(number: object) -> bool:
    return isinstance(number, Real) and not isinstance(number, bool) and math.isfinite(number)
