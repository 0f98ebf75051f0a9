"""Each method on labelled rows, by its formula in float64; and the quick ways to held-out logits, by refits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.adaptable import drawn_rows

from contralto.adaptation.methods import AUTO, CLASSIFIERS, FROM_SCRATCH, Method
from contralto.embeddings import unit
from contralto.probe import GaussianProbe, KernelProbe, TipAdapter

BY_NAME = {**CLASSIFIERS, "from scratch": FROM_SCRATCH}
PROBES = {"tip": TipAdapter, "tip-f": TipAdapter, "kernel": KernelProbe, "gaussian": GaussianProbe}
SIZES = {"usual": (9, 6, 12), "one picture each": (1, 1, 1), "an empty class": (5, 0, 4), "two classes": (6, 7)}


def given(sizes, seed=0):
    """(rows to fit, embeddings and features of others)"""
    rows, others = drawn_rows(sizes, seed=seed), drawn_rows(sizes, seed=seed, views=3)
    return rows, others.embeddings[rows.count * 2 :], others.features[rows.count * 2 :]


def onehot(rows):
    return np.eye(len(rows.text))[rows.labels]


def plain(name, rows, x, setting):
    """The logits of x by the formula of the method, in float64."""
    s, z, labels = rows.embeddings.astype(float), rows.zero_shot.astype(float), rows.labels
    x = x.astype(float)
    zero_shot = x @ z.T
    match name:
        case "zero-shot":
            return zero_shot
        case "prototypes":
            text, w = rows.text.astype(float), setting["weight"]
            kept = [s[labels == k].mean(axis=0) if (labels == k).any() else text[k] for k in range(len(text))]
            mixed = (1 - w) * text + w * np.array([one / np.linalg.norm(one) for one in kept])
            return rows.scale * x @ (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).T
        case "tip":
            return zero_shot + setting["alpha"] * np.exp(-setting["beta"] * (1 - x @ s.T)) @ onehot(rows)
        case "kernel":
            near = np.exp(-setting["beta"] * (1 - s @ s.T)) + np.eye(len(s)) / setting["strength"]
            weights = np.linalg.solve(near, onehot(rows) - s @ z.T / rows.scale)
            return zero_shot + rows.scale * np.exp(-setting["beta"] * (1 - x @ s.T)) @ weights
        case "gaussian":
            counts = np.bincount(labels, minlength=len(z))
            means = np.array([s[labels == k].mean(axis=0) if counts[k] else np.nan * s[0] for k in range(len(z))])
            means[counts == 0] = means[counts > 0].mean(axis=0)
            c = np.cov((s - means[labels]).T)
            inverse = s.shape[1] * np.linalg.inv((len(s) - 1) * c + np.trace(c) * np.eye(len(c)))
            bias = -np.diag(means @ inverse @ means.T) / 2 - np.log(len(z))
            return zero_shot + setting["alpha"] * (x @ (means @ inverse).T + bias)
    raise AssertionError(name)


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("name", ["zero-shot", "prototypes", "tip", "kernel", "gaussian"])
def test_the_stored_classifier_gives_the_logits_of_the_formula(name, sizes):
    rows, x, _ = given(sizes)
    for setting in CLASSIFIERS[name].settings:
        fitted = CLASSIFIERS[name].fit(rows, setting)
        logits = fitted.classifier(rows.scale).logits(x)
        assert np.abs(logits - plain(name, rows, x, setting)).max() < 1e-4 * max(1, np.abs(logits).max())
        assert fitted.method == name
        assert fitted.settings == dict(setting)


@pytest.mark.parametrize(
    ("name", "probe"),
    [("tip", TipAdapter), ("tip-f", TipAdapter), ("kernel", KernelProbe), ("gaussian", GaussianProbe)],
)
def test_the_stored_classifier_gives_the_logits_of_the_probe(name, probe):
    rows, x, _ = given((9, 6, 12))
    setting = dict(CLASSIFIERS[name].default)
    own = probe(**setting).fit(rows.embeddings, rows.labels, rows.zero_shot).decision_function(x)
    assert np.abs(CLASSIFIERS[name].fit(rows, setting).classifier(rows.scale).logits(x) - own).max() < 1e-4


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("name", ["probe", "from scratch"])
def test_the_stored_probe_is_the_minimum_of_its_objective(name, sizes):
    """C sum loss + |D|^2 / 2 is convex with modulus 1: the gradient bounds the distance to the minimum."""
    rows, x, f = given(sizes)
    for setting in BY_NAME[name].settings:
        fitted = BY_NAME[name].fit(rows, setting)
        read, asked = (rows.features, f) if setting["input"] == "features" else (rows.embeddings, x)
        mean, scale = read.astype(float).mean(axis=0), fitted.tensors["scale"]
        weight = fitted.tensors["weight"].astype(float)
        assert np.allclose(np.mean(np.sum(((read - mean) / scale) ** 2, axis=1)), 1)
        start = setting["zero_shot"] * rows.zero_shot.astype(float)
        inputs = (read - mean) / scale
        logits = rows.embeddings @ start.T + inputs @ weight.T
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        gradient = setting["strength"] * (shares - onehot(rows)).T @ inputs + weight
        assert np.linalg.norm(gradient) < 1e-3 * max(1, np.linalg.norm(weight))
        expected = x @ start.T + ((asked - mean) / scale) @ weight.T
        classifier = fitted.classifier(rows.scale)
        assert classifier.needs_features == (setting["input"] == "features")
        got = classifier.logits(x, f if classifier.needs_features else None)
        assert np.abs(got - expected).max() < 1e-4 * max(1, np.abs(expected).max())


def test_a_probe_from_scratch_ignores_the_text():
    rows, x, f = given((9, 6, 12))
    other = replace(rows, text=unit(np.random.default_rng(5).standard_normal(rows.text.shape)).astype(np.float32))
    setting = FROM_SCRATCH.settings[2]
    one, two = (FROM_SCRATCH.fit(some, setting).classifier(rows.scale).logits(x, f) for some in (rows, other))
    assert np.abs(one - two).max() < 1e-4
    own = CLASSIFIERS["probe"].fit(rows, {**setting, "zero_shot": 1.0}).classifier(rows.scale).logits(x, f)
    assert np.abs(own - one).max() > 1


def test_a_prototype_of_a_class_without_a_picture_is_its_text():
    rows = drawn_rows((4, 0, 3))
    fitted = CLASSIFIERS["prototypes"].fit(rows, {"weight": 0.5})
    assert np.allclose(fitted.tensors["prototypes"][1], rows.text[1], atol=1e-6)
    assert np.abs(fitted.tensors["prototypes"][0] - rows.text[0]).max() > 0.01


@pytest.mark.parametrize("name", ["kernel", "probe", "from scratch"])
@pytest.mark.parametrize("sizes", [(9, 6, 12), (6, 7)])
def test_held_out_logits_of_the_quick_ways_are_those_of_refits(name, sizes):
    method = BY_NAME[name]
    rows = drawn_rows(sizes)
    quick, refits = dict(enumerate(method.held_out(rows))), list(Method.held_out(method, rows))
    assert [setting for setting, _ in quick.values()] == [dict(setting) for setting in method.settings]
    for place, (setting, logits) in enumerate(refits):
        assert quick[place][0] == setting
        assert np.abs(quick[place][1] - logits).max() < 1e-3 * max(1, np.abs(logits).max())


def test_held_out_logits_do_not_come_from_a_picture_itself_nor_from_its_mirror_image():
    """A picture whose label is changed has the same logits, by every method and setting."""
    rows = drawn_rows((6, 6, 6))
    changed = rows.labels.copy()
    changed[[4, 4 + rows.count]] = (changed[4] + 1) % 3
    for name in AUTO:
        pairs = zip(
            CLASSIFIERS[name].held_out(rows), CLASSIFIERS[name].held_out(replace(rows, labels=changed)), strict=True
        )
        for (_, one), (_, other) in pairs:
            assert np.abs(one[4] - other[4]).max() < 1e-4 * max(1, np.abs(one[4]).max()), name


def test_the_table_is_in_order_of_plainness_and_defaults_are_complete():
    assert tuple(CLASSIFIERS) == ("zero-shot", "prototypes", "tip", "tip-f", "gaussian", "kernel", "probe")
    assert tuple(name for name in CLASSIFIERS if name in AUTO) == AUTO
    for method in BY_NAME.values():
        keys = {frozenset(setting) for setting in [*method.settings, method.default]}
        assert len(keys) == 1 or method.name in ("tip", "kernel"), method.name
