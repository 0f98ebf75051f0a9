"""Labels worth a second look: contradicted with high probability, by the folds alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from support.adaptable import picture, set_of

from contralto.adaptation.choose import Candidate, Choice, by_default
from contralto.adaptation.methods import CLASSIFIERS
from contralto.adaptation.roles import assign_roles
from contralto.adaptation.suspects import suspects

LOGITS = np.log([[0.95, 0.04, 0.01], [0.02, 0.97, 0.01], [0.5, 0.3, 0.2], [0.01, 0.07, 0.92], [0.89, 0.1, 0.01]])
LABELS = (1, 0, 1, 0, 2)


def choice(logits, temperature=1.0):
    tip = CLASSIFIERS["tip"]
    return Choice(tip, tip.default, "", (Candidate(tip, tip.default, 0.5, np.zeros(5), logits),), temperature)


def test_contradicted_labels_come_first_by_certainty(session):
    pictures = [(label, picture(place)) for place, label in enumerate(LABELS)]
    fit = assign_roles(session, set_of({"train": pictures, "test": [(0, picture(99))]}, "test")).fit
    listed = suspects(choice(LOGITS), fit)
    assert [(one.key, one.label, one.other) for one in listed] == [
        ("train/1", "red", "green"), ("train/0", "green", "red"), ("train/3", "red", "blue"),
    ]  # fmt: skip
    assert np.allclose([one.probability for one in listed], [0.97, 0.95, 0.92])
    assert suspects(choice(2 * LOGITS, temperature=2.0), fit) == listed
    assert suspects(choice(LOGITS, temperature=3.0), fit) == ()
    agreed = zip(fit.bare, LOGITS.argmax(axis=1).tolist(), strict=True)
    right = replace(fit, bare=tuple(replace(one, label=label) for one, label in agreed))
    assert suspects(choice(LOGITS), right) == ()
    assert suspects(by_default(CLASSIFIERS["tip"], ""), fit) == ()
