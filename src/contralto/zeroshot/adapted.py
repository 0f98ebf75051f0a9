"""The classifier of an adaptation: logits of its classes for picture embeddings, by the formula of its method.

The formulas stand in `contralto.weights.adaptation_tensors`; `plain_logits` in tests/zeroshot/test_adapted.py is the
plain twin of the computation in blocks. With `mix` m the logits are (1 - m) zero-shot + m adapted (as WiSE-FT mixes
weights, Wortsman et al. 2022); 0 computes the zero-shot part alone. Scores are softmax(logits / temperature).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from contralto import arguments
from contralto.contract import Score
from contralto.embeddings import Embeddings, at_once, probabilities
from contralto.errors import ContraltoError
from contralto.weights.adaptation import StoredAdaptation
from contralto.zeroshot.classifier import Prediction, best

Floats = NDArray[np.float64]
Change = Callable[[Floats, Floats], Floats]
"""(embeddings (N, d), features (N, w) or again the embeddings) -> what is added to the zero-shot logits, (N, K)."""


class AdaptedClassifier:
    """A fixed list of classes, and their logits and scores for picture embeddings. Threads may share it."""

    def __init__(
        self,
        labels: Sequence[str],
        rows: Embeddings,
        scale: float,
        *,
        change: Change | None = None,
        features: int | None = None,
        width: int = 1,
        mix: float = 1.0,
        temperature: float = 1.0,
    ) -> None:
        """rows: unit class embeddings (K, d). scale: of their cosines. change: what the method adds to the zero-shot
        logits, if anything. features: width of the features that it reads, if it does. width: numbers per picture that
        the change computes at once."""
        self.labels, self.mix, self.temperature = tuple(labels), mix, temperature
        self._zero_shot = rows.astype(np.float64) * scale
        self._change = change if mix else None
        self._features = features if mix else None
        self._step = at_once(max(len(rows), width))

    @classmethod
    def of(cls, stored: StoredAdaptation, scale: float, mix: float = 1.0) -> AdaptedClassifier:
        """The classifier of a method that leaves the towers as they are.

        scale: of the base's contract. mix: from 0, the zero-shot classifier, to 1.
        """
        labels, settings = stored.description.labels, stored.description.settings
        assert labels is not None, "read has checked it"
        tensors = {name: stored.array(name).astype(np.float64) for name in stored.tensors}
        uses_features = settings.get("input") == "features"
        return cls(
            labels,
            stored.array("text"),
            scale,
            change=_change(stored, tensors, scale),
            features=tensors["mean"].size if uses_features else None,
            width=len(tensors.get("keys", ())),
            mix=mix,
            temperature=settings.get("temperature", 1.0),
        )

    @property
    def needs_features(self) -> bool:
        """Whether `features` must be given: the image tower's output before its projection, see `Clip.features`."""
        return self._features is not None

    def logits(self, embeddings: Embeddings, features: NDArray[Any] | None = None) -> Floats:
        """Unit embeddings (N, d), and features (N, w) if `needs_features` -> logits, float64 (N, K), not tempered.

        Raises ContraltoError for other shapes.
        """
        x = _checked(embeddings, "embeddings", self._zero_shot.shape[1])
        f = x
        if self._features is not None:
            if features is None:
                raise ContraltoError(f"features (N, {self._features}) are needed: this probe reads Clip.features")
            f = _checked(features, "features", self._features)
            if len(f) != len(x):
                raise ContraltoError(f"{len(x)} embeddings and {len(f)} features disagree")
        logits = np.empty((len(x), len(self.labels)), np.float64)
        for start in range(0, len(x), self._step):
            part = slice(start, start + self._step)
            block = x[part].astype(np.float64)
            logits[part] = block @ self._zero_shot.T
            if self._change is not None:
                logits[part] += self.mix * self._change(block, block if f is x else f[part].astype(np.float64))
        return logits

    def scores(self, embeddings: Embeddings, features: NDArray[Any] | None = None) -> Embeddings:
        """Scores (N, K) whose rows add up to 1. Raises ContraltoError."""
        return probabilities(self.logits(embeddings, features), Score("softmax", 1 / self.temperature))

    def __call__(
        self, embeddings: Embeddings, top: int = 5, features: NDArray[Any] | None = None
    ) -> list[list[Prediction]]:
        """The `top` best labels of each picture embedding (N, d), best first; equal scores keep the order of labels."""
        arguments.whole(top, "top")
        return best(self.labels, self.scores(embeddings, features), top)


def _change(stored: StoredAdaptation, tensors: dict[str, Floats], scale: float) -> Change | None:
    """What the method adds to the zero-shot logits; None for `zero-shot`."""
    method, settings = stored.description.method, stored.description.settings
    match method:
        case "zero-shot":
            return None
        case "prototypes" | "prompt":
            moved = scale * (tensors["prototypes"] - tensors["text"])
            return lambda x, _: x @ moved.T
        case "tip" | "tip-f" | "kernel":
            keys, weights, beta = tensors["keys"], tensors["weights"], settings["beta"]
            return lambda x, _: np.exp(-beta * (1 - x @ keys.T)) @ weights
        case "gaussian":
            weight, bias = tensors["weight"], tensors["bias"]
            return lambda x, _: x @ weight.T + bias
        case "probe":
            slope, mean = tensors["weight"] / tensors["scale"], tensors["mean"]
            dropped = (settings.get("zero_shot", 1.0) - 1) * scale * tensors["text"]
            return lambda x, f: (f - mean) @ slope.T + x @ dropped.T
        case "projection" | "adapter" | "lora" | "full" | "long":
            raise ContraltoError(f"{method} is no classifier: its towers are asked zero-shot")
        case _:
            assert_never(method)


def _checked(given: NDArray[Any], what: str, width: int) -> NDArray[Any]:
    if not isinstance(given, np.ndarray) or given.ndim != 2 or given.shape[1] != width or given.dtype.kind != "f":
        shape = getattr(given, "shape", None)
        got = arguments.shown(given) if shape is None else f"{shape} of {given.dtype}"
        raise ContraltoError(f"{what} must be floats (N, {width}), got {got}")
    return given
