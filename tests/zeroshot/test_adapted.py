"""The classifier of an adaptation: its formulas by hand, mix, temperature, blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import adaptations
from support.adaptations import CLASSES, CLASSIFIERS, unit_rows

from contralto.contract import preset
from contralto.errors import ContraltoError
from contralto.weights.adaptation import StoredAdaptation
from contralto.zeroshot import adapted
from contralto.zeroshot.adapted import AdaptedClassifier

CONTRACT = preset("tiny")
WIDTH, FEATURES, SCALE = CONTRACT.embedding, 7, 24.7
GENERATOR = np.random.default_rng(1)
ROWS = unit_rows(GENERATOR, 9, WIDTH)
READ = GENERATOR.standard_normal((9, FEATURES)).astype(np.float32)


def stored(folder: Path, method: str, **changes: Any) -> StoredAdaptation:
    reads_features = changes.get("settings", {}).get("input") == "features"
    tensors = adaptations.classifier_tensors(method, WIDTH, features=FEATURES if reads_features else None)
    return adaptations.write(folder, method, CONTRACT, tensors, **changes)


def plain_logits(one: StoredAdaptation, row: np.ndarray, read: np.ndarray, mix: float) -> list[float]:
    """The logits of one picture, class by class, by the formulas of the method."""
    t = {name: one.array(name).astype(np.float64) for name in one.tensors}
    x, method, logits = row.astype(np.float64), one.description.method, []
    for k in range(len(CLASSES)):
        zero_shot = adapted_logit = SCALE * float(x @ t["text"][k])
        if method in ("prototypes", "prompt"):
            adapted_logit = SCALE * float(x @ t["prototypes"][k])
        elif method in ("tip", "tip-f", "kernel"):
            for key, weight in zip(t["keys"], t["weights"], strict=True):
                adapted_logit += float(np.exp(-one.description.settings["beta"] * (1 - x @ key)) * weight[k])
        elif method == "gaussian":
            adapted_logit += float(x @ t["weight"][k] + t["bias"][k])
        elif method == "probe":
            adapted_logit += float((read - t["mean"]) / t["scale"] @ t["weight"][k])
        logits.append((1 - mix) * zero_shot + mix * adapted_logit)
    return logits


@pytest.mark.parametrize("method", CLASSIFIERS)
@pytest.mark.parametrize("mix", [0.0, 0.3, 1.0])
def test_logits_follow_the_formulas(tmp_path: Path, method: str, mix: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapted, "at_once", lambda width: 4)  # three blocks
    one = stored(tmp_path, method)
    classifier = AdaptedClassifier.of(one, SCALE, mix)
    expected = [plain_logits(one, row, row, mix) for row in ROWS]
    assert np.abs(classifier.logits(ROWS) - expected).max() < 1e-9
    assert (classifier.labels, classifier.mix, classifier.needs_features) == (("cat", "dog", "red circle"), mix, False)


def test_a_mix_of_0_is_the_zero_shot_classifier_bit_for_bit(tmp_path: Path) -> None:
    plain = AdaptedClassifier.of(stored(tmp_path / "0", "zero-shot"), SCALE).logits(ROWS)
    for method in CLASSIFIERS:
        assert np.array_equal(AdaptedClassifier.of(stored(tmp_path / method, method), SCALE, 0).logits(ROWS), plain)


def test_a_probe_of_features_needs_them_unless_it_is_mixed_out(tmp_path: Path) -> None:
    one = stored(tmp_path, "probe", settings={"input": "features"})
    classifier = AdaptedClassifier.of(one, SCALE)
    assert classifier.needs_features
    expected = [plain_logits(one, row, read, 1) for row, read in zip(ROWS, READ, strict=True)]
    assert np.abs(classifier.logits(ROWS, READ) - expected).max() < 1e-9
    for wrong, said in ((None, "features .* are needed"), (READ[:, 1:], "features must be"), (READ[1:], "disagree")):
        with pytest.raises(ContraltoError, match=said):
            classifier.logits(ROWS, wrong)
    assert not AdaptedClassifier.of(one, SCALE, 0).needs_features


def test_scores_are_the_softmax_of_tempered_logits(tmp_path: Path) -> None:
    classifier = AdaptedClassifier.of(stored(tmp_path, "gaussian", settings={"temperature": 2.5}), SCALE)
    powers = np.exp(classifier.logits(ROWS) / 2.5)
    expected = powers / powers.sum(axis=1, keepdims=True)
    assert classifier.temperature == 2.5
    assert np.abs(classifier.scores(ROWS) - expected).max() < 1e-6
    for row, answers in zip(expected, classifier(ROWS, 2), strict=True):
        assert [label for label, _ in answers] == [classifier.labels[k] for k in np.argsort(-row)[:2]]
        assert [score for _, score in answers] == pytest.approx(sorted(row, reverse=True)[:2], abs=1e-6)


@pytest.mark.parametrize("wrong", [ROWS[0], ROWS[:, 1:], ROWS.astype(int), [[1.0]], None])
def test_other_shapes_are_refused_in_one_line(tmp_path: Path, wrong: Any) -> None:
    classifier = AdaptedClassifier.of(stored(tmp_path, "kernel"), SCALE)
    with pytest.raises(ContraltoError, match=f"embeddings must be floats \\(N, {WIDTH}\\)") as caught:
        classifier(wrong)
    assert str(caught.value).isprintable()


def test_no_picture_has_no_answers(tmp_path: Path) -> None:
    classifier = AdaptedClassifier.of(stored(tmp_path, "kernel"), SCALE)
    assert classifier(ROWS[:0]) == []
    assert classifier.logits(ROWS[:0]).shape == (0, 3)
