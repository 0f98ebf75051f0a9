"""The methods with frozen towers, in one table: what each is fitted with, from the plainest to the most flexible.

`Method.fit` gives the tensors and settings that `contralto.weights.adaptation_tensors` describes. The formulas are in
`contralto.probe`; which setting is best is chosen in `choose.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contralto.adaptation.rows import LabelledRows
from contralto.embeddings import unit
from contralto.probe import GaussianProbe, KernelProbe, LinearProbe, TipAdapter
from contralto.probe.kernel import KernelProblem
from contralto.probe.linear import Problem
from contralto.weights.adaptation import AdaptationBase, AdaptationDescription, AdaptationMethod, StoredAdaptation
from contralto.weights.checkpoint import StoredTensor
from contralto.zeroshot.adapted import AdaptedClassifier

Setting = Mapping[str, Any]
Tensors = dict[str, NDArray[Any]]
Logits = NDArray[np.float64]


@dataclass(frozen=True)
class FittedClassifier:
    """A classifier on top of frozen towers: its method, tensors and settings, as they are stored."""

    method: AdaptationMethod
    tensors: Tensors
    settings: dict[str, Any]

    def classifier(self, scale: float) -> AdaptedClassifier:
        """The classifier as its file will give it; scale: the contract's."""
        names = tuple((str(place),) for place in range(len(self.tensors["text"])))
        described = AdaptationDescription(self.method, AdaptationBase("", ""), names, settings=self.settings)
        stored = {name: StoredTensor("F32", np.asarray(one, np.float32)) for name, one in self.tensors.items()}
        return AdaptedClassifier.of(StoredAdaptation(described, stored, Path()), scale)


@dataclass(frozen=True)
class Method:
    """name: the value of --method. settings: the choices, the plainest first, of which folds take the best; the
    default is what is taken where there are no folds. about: three lines for the documentation.
    """

    name: AdaptationMethod
    settings: Sequence[Setting]
    default: Setting
    fit: Callable[[LabelledRows, Setting], FittedClassifier]

    def held_out(self, rows: LabelledRows) -> Iterator[tuple[Setting, Logits]]:
        """For each setting, the logits (N, K) of each picture by the classifier that is fitted to the other folds."""
        for setting in self.settings:
            logits = np.empty((rows.count, len(rows.text)))
            for others, places in rows.held_out():
                classifier = self.fit(others, setting).classifier(rows.scale)
                features = rows.features[places] if classifier.needs_features else None
                logits[places] = classifier.logits(rows.embeddings[places], features)
            yield setting, logits


def _grid(**choices: Sequence[Any]) -> list[dict[str, Any]]:
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def _zero_shot(rows: LabelledRows, setting: Setting) -> FittedClassifier:
    return FittedClassifier("zero-shot", {"text": rows.text}, {})


def _prototypes(rows: LabelledRows, setting: Setting) -> FittedClassifier:
    """Cross-modal prototypes: unit((1 - w) text + w unit(class mean)). A class without a picture keeps its text."""
    means = np.array(rows.text, np.float64)
    for label in np.unique(rows.labels):
        means[label] = rows.embeddings[rows.labels == label].mean(axis=0, dtype=np.float64)
    weight = setting["weight"]
    prototypes = unit((1 - weight) * rows.text.astype(np.float64) + weight * unit(means))
    return FittedClassifier("prototypes", {"text": rows.text, "prototypes": prototypes}, {"weight": weight})


def _tip(rows: LabelledRows, setting: Setting) -> FittedClassifier:
    name: AdaptationMethod = "tip-f" if setting.get("tune") else "tip"
    probe = TipAdapter(**setting).fit(rows.embeddings, rows.labels, rows.zero_shot)
    tensors: Tensors = {"text": rows.text, "keys": probe.keys_, "weights": probe.weights_}
    return FittedClassifier(name, tensors, dict(setting))


def _gaussian(rows: LabelledRows, setting: Setting) -> FittedClassifier:
    probe = GaussianProbe(**setting).fit(rows.embeddings, rows.labels, rows.zero_shot)
    tensors: Tensors = {"text": rows.text, "weight": probe.weight_, "bias": probe.bias_}
    return FittedClassifier("gaussian", tensors, dict(setting))


def _kernel(rows: LabelledRows, setting: Setting) -> FittedClassifier:
    probe = KernelProbe(**setting).fit(rows.embeddings, rows.labels, rows.zero_shot)
    tensors: Tensors = {"text": rows.text, "keys": probe.keys_, "weights": probe.weights_}
    return FittedClassifier("kernel", tensors, dict(setting))


def _probe(rows: LabelledRows, setting: Setting) -> FittedClassifier:
    """zero_shot: the weight of the zero-shot logits; 0 is the plain linear probe, which starts from nothing."""
    read = _ProbeInput(rows, setting)
    return read.fitted(
        rows, LinearProbe(setting["strength"]).take(read.problem, read.problem.solve(setting["strength"])), setting
    )


class _ProbeInput:
    """What a probe reads, less its mean and over its RMS length, prepared once for all strengths."""

    def __init__(self, rows: LabelledRows, setting: Setting) -> None:
        read = _read_by_probe(rows, setting)
        self.mean = read.mean(axis=0, dtype=np.float64)
        centred = read - self.mean
        self.scale = float(np.sqrt(np.mean(np.sum(centred * centred, axis=1)))) or 1.0
        self.problem = Problem(centred / self.scale, rows.labels, None, _probe_offset(rows, setting))

    def fitted(self, rows: LabelledRows, probe: LinearProbe, setting: Setting) -> FittedClassifier:
        tensors = {"text": rows.text, "weight": probe.coef_, "mean": self.mean, "scale": np.array(self.scale)}
        return FittedClassifier("probe", tensors, dict(setting))


def _read_by_probe(rows: LabelledRows, setting: Setting) -> NDArray[np.float32]:
    return rows.features if setting["input"] == "features" else rows.embeddings


def _probe_offset(rows: LabelledRows, setting: Setting) -> NDArray[np.float32]:
    return np.asarray(setting["zero_shot"] * (rows.embeddings @ rows.zero_shot.T))


class _ProbeMethod(Method):
    """`probe` prepares each fold once for all strengths, each of which starts from the solution before it."""

    def held_out(self, rows: LabelledRows) -> Iterator[tuple[Setting, Logits]]:
        for same_input in _grouped(self.settings, "strength"):
            logits = [np.empty((rows.count, len(rows.text))) for _ in same_input]
            for others, places in rows.held_out():
                read, start, known = _ProbeInput(others, same_input[0]), None, None
                given = rows.of_places(places)
                for setting, held in zip(same_input, logits, strict=True):
                    known = read.problem.solve(setting["strength"], start, known)
                    start = known.theta
                    probe = LinearProbe(setting["strength"]).take(read.problem, known)
                    scaled = (_read_by_probe(given, setting) - read.mean) / read.scale
                    held[places] = probe.decision_function(scaled, _probe_offset(given, setting))
            yield from zip(same_input, logits, strict=True)


class _KernelMethod(Method):
    """`kernel` needs no refit: what a fold's pictures get without it has a closed form."""

    def held_out(self, rows: LabelledRows) -> Iterator[tuple[Setting, Logits]]:
        assert rows.folds is not None
        for same_beta in _grouped(self.settings, "strength"):
            problem = KernelProblem(rows.embeddings, rows.labels, rows.zero_shot, same_beta[0]["beta"])
            for setting in same_beta:
                held = problem.solve(setting["strength"]).leave_out(rows.folds[rows.picture])
                yield setting, held[: rows.count]


def _grouped(settings: Sequence[Setting], free: str) -> list[list[Setting]]:
    """Settings that differ only in `free`, together."""
    groups: dict[tuple[Any, ...], list[Setting]] = {}
    for setting in settings:
        groups.setdefault(tuple(value for name, value in setting.items() if name != free), []).append(setting)
    return list(groups.values())


def _method(
    name: AdaptationMethod,
    fit: Callable[[LabelledRows, Setting], FittedClassifier],
    settings: Sequence[Setting],
    kind: type[Method] = Method,
    **default: Any,
) -> Method:
    return kind(name, settings, default, fit)


CLASSIFIERS: Final[dict[str, Method]] = {
    method.name: method
    for method in (
        _method("zero-shot", _zero_shot, [{}]),
        _method("prototypes", _prototypes, _grid(weight=(0.1, 0.25, 0.5, 0.75, 1.0)), weight=0.5),
        _method("tip", _tip, _grid(alpha=(0.1, 0.3, 1.0, 3.0, 10.0), beta=(1.0, 5.5, 15.0)), alpha=1.0, beta=5.5),
        _method("tip-f", _tip, _grid(alpha=(1.0, 3.0), beta=(5.5,), tune=(20,)), alpha=1.0, beta=5.5, tune=20),
        _method("gaussian", _gaussian, _grid(alpha=(0.03, 0.1, 0.3, 1.0, 3.0)), alpha=1.0),
        _method(
            "kernel",
            _kernel,
            _grid(beta=(5.5, 2.0, 15.0), strength=(1.0, 10.0, 100.0)),
            _KernelMethod,
            strength=10.0,
            beta=5.5,
        ),
        _method(
            "probe",
            _probe,
            _grid(input=("embeddings", "features"), zero_shot=(1.0,), strength=(0.1, 1.0, 10.0, 100.0, 1000.0)),
            _ProbeMethod,
            strength=100.0,
            input="features",
            zero_shot=1.0,
        ),
    )
}
"""--method -> how it is fitted, in the order of plainness."""

AUTO: Final = ("zero-shot", "prototypes", "tip", "gaussian", "kernel", "probe")
"""The candidates of `auto`. tip-f trains the keys of a form that `kernel` solves, and takes minutes: by name only."""

FROM_SCRATCH: Final = _method(
    "probe",
    _probe,
    _grid(input=("features",), zero_shot=(0.0,), strength=(1.0, 10.0, 30.0, 100.0, 300.0, 1000.0)),
    _ProbeMethod,
    strength=100.0,
    input="features",
    zero_shot=0.0,
)
"""The linear probe on features alone: the one candidate of `auto` if the base was trained on the pictures."""
