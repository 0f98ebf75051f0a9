"""Frozen towers: what auto takes, and what it takes where the base knows the pictures."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from support.adaptable import picture, set_of

import contralto
from contralto.adaptation.fold_plan import plan_folds
from contralto.adaptation.frozen import fit_frozen
from contralto.adaptation.methods import AUTO, CLASSIFIERS
from contralto.adaptation.roles import assign_roles
from contralto.evaluation.session import open_session
from contralto.evaluation.zero_shot import embed_classes
from contralto.weights import training_pictures

NAMES = ("red", "green", "blue")


def fit_of(session, each=5):
    fit = [(label, picture(10 * label + place, NAMES[label])) for label in range(3) for place in range(each)]
    return assign_roles(session, set_of({"train": fit, "test": [(0, picture(99))]}, "test")).fit


def fitted(session, method="auto", each=5):
    fit = fit_of(session, each)
    text = embed_classes(session.clip, fit.data.classes, fit.data.templates)
    return fit_frozen(session, fit, text, method, plan_folds(session.clip, fit), 0)


@pytest.fixture(scope="module")
def knowing(clip, tmp_path_factory):
    """flattered(share): the model, in a folder that lists this share of the fitted pictures."""

    def load(share):
        folder = tmp_path_factory.mktemp("knowing") / "small"
        shutil.copytree(clip.checkpoint.folder, folder)
        copy = contralto.load(folder, engine="eager", precision="fp32")
        with open_session(clip) as session:
            digests = fit_of(session).digests
        training_pictures.write(folder, digests[: round(share * len(digests))])
        return copy

    return load


def test_auto_tries_all_ways_and_stores_the_classes_own_embeddings(session):
    made = fitted(session)
    assert [one.method.name for one in made.choice.candidates] == list(AUTO)
    text = session.clip.encode_labels(list(NAMES), ("a {}",))
    assert np.allclose(made.classifier.tensors["text"], text, atol=1e-6)
    assert made.classifier.settings["temperature"] == made.choice.temperature
    assert [count for count, _ in made.draws] == [1, 2, 4, 5]


def test_a_named_method_takes_its_best_setting_by_folds(session):
    made = fitted(session, "gaussian")
    (one,) = made.choice.candidates
    assert made.classifier.method == one.method.name == "gaussian"
    assert one.setting in CLASSIFIERS["gaussian"].settings


@pytest.mark.parametrize(("method", "taken"), [("auto", "kernel"), ("tip", "tip"), ("probe", "probe")])
def test_with_under_three_pictures_of_a_class_defaults_are_taken(session, method, taken):
    made = fitted(session, method, each=2)
    assert (made.classifier.method, made.choice.candidates) == (taken, ())
    assert made.choice.setting == CLASSIFIERS[taken].default
    assert made.choice.why == "nothing was chosen, as there are too few pictures for folds"


def test_a_base_that_knows_the_pictures_makes_auto_take_the_probe_on_features(knowing):
    with open_session(knowing(1)) as session:
        made = fitted(session)
        assert (made.classifier.method, made.classifier.settings["input"]) == ("probe", "features")
        assert made.classifier.settings["zero_shot"] == 0.0
        assert len(made.choice.candidates) == 1


def test_other_methods_then_take_their_defaults(knowing):
    with open_session(knowing(0.4)) as session:
        for method, each in (("kernel", 5), ("zero-shot", 5), ("auto", 2)):
            made = fitted(session, method, each)
            assert made.choice.candidates == ()
            assert made.classifier.settings == dict(made.choice.method.default) | {"temperature": 1.0}
            assert made.choice.why == "nothing was chosen, as the base knows the pictures"


def test_the_plan_counts_known_pictures_above_one_in_twenty(session, knowing):
    fit = fit_of(session, each=7)
    few, many = plan_folds(knowing(1 / 15), fit), plan_folds(knowing(2 / 15), fit)
    assert (few.known, few.notes, (few.folds == few.dealt).all()) == (0, (), True)
    assert (many.known, many.folds) == (2, None)
    (note,) = many.notes
    assert note.startswith("small was trained on 2 of the pictures to fit, so its answers on them are flattered")
    with open_session(knowing(1 / 15)) as little:
        assert len(fitted(little, each=7).choice.candidates) == len(AUTO)
