"""Embeddings that move: `projection` and `adapter`, for classes and for captions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.adaptable import contents

from contralto.adaptation.fold_plan import FoldPlan
from contralto.adaptation.head import last_layer
from contralto.adaptation.moved import (
    PENALTIES,
    CaptionRows,
    _fold_accuracy,
    caption_rows,
    move_for_captions,
    move_for_classes,
)
from contralto.adaptation.roles import assign_roles, folds
from contralto.adaptation.rows import labelled_rows
from contralto.embeddings import unit
from contralto.encoder.loading import adapted_clip
from contralto.evaluation.retrieval import captions as captions_of
from contralto.evaluation.zero_shot import embed_classes
from contralto.probe.projection import fit_projection
from contralto.sets.open import open_set
from contralto.weights.adaptation import AdaptationBase, AdaptationDescription, in_memory

ALIVE = 4  # a seed with which neither of an adapter's two hidden units starts at 0 for all rows
PLAN = FoldPlan(None, 0, "small")  # for its reason alone: rows have folds of their own
TEXTS = ["a red thing", "nothing at all"]


def silent(*told):
    pass


@pytest.fixture
def rows(session, colours):
    """(the labelled rows of the pictures to fit, the part)"""
    fit = assign_roles(session, open_set(colours)).fit
    text = embed_classes(session.clip, fit.data.classes, fit.data.templates)
    return labelled_rows(session, fit, text, folds(fit.labels, fit.digests))


@pytest.fixture
def captioned(session, captions):
    fit = assign_roles(session, open_set(captions)).fit
    images, features = (session.embed_pictures(fit.data, kind=kind).embeddings for kind in ("image", "features"))
    texts, owners = captions_of(replace(fit.data, items=fit.bare))
    return caption_rows(session, images, features, texts, owners, folds(fit.labels, fit.digests)), texts


def stored(moved, classes=None):
    description = AdaptationDescription(
        moved.method, AdaptationBase("small", "0" * 64), classes, ("{}",), dict(moved.settings)
    )
    return in_memory(description, moved.tensors)


def layer_of(session, rows):
    return last_layer(session.clip.checkpoint, "image", rows.features)


def test_a_projection_is_chosen_by_folds_and_its_file_gives_the_rows_that_were_chosen(session, rows):
    rows, fit = rows
    moved = move_for_classes(session, rows, "projection", PLAN, 0)
    assert (moved.method, list(moved.tensors)) == ("projection", ["image.head.linear.weight"])
    penalty = moved.settings["penalty"]
    assert penalty in PENALTIES
    assert moved.why == "its penalty was chosen by five folds of the 24 pictures to fit"
    (change,) = moved.tensors.values()
    assert change.dtype == np.float16
    layer = layer_of(session, rows)
    exact = fit_projection(layer.read, layer.rest, layer.matrix, rows.labels, rows.zero_shot, penalty)
    assert np.abs(change - exact).max() <= 2**-11 * np.abs(exact).max()
    fitted = unit(layer.read @ (layer.matrix + exact).T + layer.rest)[: rows.count]
    ours = adapted_clip(session.clip, stored(moved)).encode_image(contents(fit))
    assert np.abs(ours - fitted).max() < 1e-3  # the rounding to float16
    assert np.abs(ours - rows.embeddings[: rows.count]).max() > 0.01


def test_the_penalty_of_a_projection_is_the_best_by_refits_of_the_folds(session, rows):
    rows, _ = rows
    accuracies = []
    layer = layer_of(session, rows)
    for penalty in PENALTIES:
        right = 0
        for fold in range(5):
            own = rows.folds[rows.picture] != fold
            held = np.flatnonzero(rows.folds == fold)
            change = fit_projection(
                layer.read[own], layer.rest[own], layer.matrix, rows.labels[own], rows.zero_shot, penalty
            )
            moved = unit(layer.read[held] @ (layer.matrix + change).T + layer.rest[held])
            right += np.sum((moved @ rows.zero_shot.T).argmax(axis=1) == rows.labels[held])
        accuracies.append(right)
    chosen = move_for_classes(session, rows, "projection", PLAN, 0).settings["penalty"]
    assert chosen == PENALTIES[int(np.argmax(accuracies))]


def test_unequal_classes_count_equally_for_a_penalty(session, rows):
    """Six of eight pictures of one class are left out: 2, 8 and 8."""
    rows, _ = rows
    chosen = ~((rows.true == 0) & (np.cumsum(rows.true == 0) > 2))
    some = replace(rows.of_pictures(chosen), folds=rows.folds[chosen])
    layer = layer_of(session, some)
    right = np.zeros(some.count)
    for fold in range(5):
        own, held = some.folds[some.picture] != fold, np.flatnonzero(some.folds == fold)
        change = fit_projection(layer.read[own], layer.rest[own], layer.matrix, some.labels[own], some.zero_shot, 1.0)
        shown = unit(layer.read[held] @ (layer.matrix + change).T + layer.rest[held])
        right[held] = (shown @ some.zero_shot.T).argmax(axis=1) == some.labels[held]
    expected = np.mean([right[some.true == label].mean() for label in range(3)])
    assert _fold_accuracy(some, layer, 1.0) == pytest.approx(expected)
    assert right.mean() != pytest.approx(expected)


def test_without_folds_a_projection_has_the_penalty_1(session, rows):
    moved = move_for_classes(session, replace(rows[0], folds=None), "projection", PLAN, 0)
    assert moved.settings["penalty"] == 1.0
    assert moved.why.startswith("nothing was chosen")


def test_an_adapter_is_as_published(session, rows):
    moved = move_for_classes(session, rows[0], "adapter", PLAN, 0)
    assert (moved.method, moved.settings["ratio"]) == ("adapter", 0.2)
    assert [one.shape for one in moved.tensors.values()] == [(8, 2), (2, 8)]
    again = move_for_classes(session, rows[0], "adapter", PLAN, 0)
    assert all(np.array_equal(one, again.tensors[name]) for name, one in moved.tensors.items())


@pytest.mark.parametrize("method", ["projection", "adapter"])
def test_mix_0_gives_the_rows_of_the_base_bit_for_bit(session, rows, captioned, method):
    pictures = contents(rows[1])[:4]
    for moved in (
        move_for_classes(session, rows[0], method, PLAN, ALIVE),
        move_for_captions(captioned[0], method, PLAN, ALIVE, silent),
    ):
        none, half, whole = (adapted_clip(session.clip, stored(moved), mix) for mix in (0.0, 0.5, 1.0))
        for towers in ("encode_image", "encode_text"):
            given = pictures if towers == "encode_image" else TEXTS
            base = getattr(session.clip, towers)(given)
            assert np.array_equal(getattr(none, towers)(given), base)
            changed = [np.abs(getattr(one, towers)(given) - base).max() for one in (half, whole)]
            only_pictures = towers == "encode_text" and not any(name.startswith("text.") for name in moved.tensors)
            assert (changed == [0, 0]) if only_pictures else (0 < changed[0] < changed[1])


def test_captions_choose_among_the_base_and_all_ways_by_their_mean_recall(captioned):
    rows, _ = captioned
    told = []
    moved = move_for_captions(rows, "auto", PLAN, 0, lambda *one: told.append(one[1:]))
    names = ["zero-shot", *(f"projection {penalty:g}" for penalty in PENALTIES), "adapter"]
    assert list(moved.candidates) == names
    assert told == [(place + 1, 5) for place in range(5)]
    best = max(names, key=lambda name: moved.candidates[name])
    assert moved.method == best.split()[0]
    assert moved.why == "chosen among 5 ways by five folds of the 15 pictures to fit"
    held = [recall(rows, rows.folds == fold) for fold in range(5)]
    assert moved.candidates["zero-shot"] == pytest.approx(np.mean(held))


def recall(rows, chosen):
    """The mean of R@1 both ways of the chosen pictures, one by one; a tie is wrong."""
    places = np.flatnonzero(chosen)
    texts = np.flatnonzero(np.isin(rows.owners, places))
    cosines, owners = rows.images[places] @ rows.texts[texts].T, rows.owners[texts]
    to_text = [
        row[owners == place].max() > row[owners != place].max() for row, place in zip(cosines, places, strict=True)
    ]
    to_image = [
        column[places == owner][0] > column[places != owner].max()
        for column, owner in zip(cosines.T, owners, strict=True)
    ]
    return (np.mean(to_text) + np.mean(to_image)) / 2


def test_where_nothing_is_better_than_the_base_it_stays(captioned):
    """Captions that have the embeddings of their pictures: the base is right throughout."""
    rows, _ = captioned
    perfect = replace(rows, texts=rows.images[rows.owners])
    moved = move_for_captions(perfect, "auto", PLAN, 0, silent)
    assert (moved.method, moved.tensors, moved.settings) == ("zero-shot", {}, {})
    assert moved.candidates["zero-shot"] == 1.0


def test_the_file_of_a_caption_projection_gives_the_rows_that_were_chosen(session, captioned, captions):
    rows, texts = captioned
    moved = move_for_captions(rows, "projection", PLAN, 0, silent)
    assert moved.settings["penalty"] in PENALTIES
    assert sorted(moved.tensors) == ["image.head.linear.weight", "text.head.linear.weight"]
    adapted = adapted_clip(session.clip, stored(moved))
    layer = rows.layers["text"]
    change = moved.tensors["text.head.linear.weight"].astype(np.float64)
    expected = unit(layer.read @ (layer.matrix + change).T + layer.rest)
    assert np.abs(adapted.encode_text(texts) - expected).max() < 1e-3
    assert np.abs(expected - rows.texts).max() > 1e-3


def test_a_single_way_or_too_few_pictures_leave_nothing_to_choose(captioned):
    rows, _ = captioned
    assert move_for_captions(rows, "adapter", PLAN, 0, silent).candidates == {}
    few = move_for_captions(replace(rows, folds=None), "projection", PLAN, 0, silent)
    assert (few.candidates, few.settings["penalty"]) == ({}, PENALTIES[0])
    assert few.why == "nothing was chosen, as there are too few pictures for folds"


def test_chosen_pictures_keep_their_captions(captioned):
    rows, _ = captioned
    chosen = np.arange(15) % 4 == 1
    some = rows.of_pictures(chosen)
    assert isinstance(some, CaptionRows)
    assert (some.images == rows.images[chosen]).all()
    assert len(some.texts) == 2 * chosen.sum()
    for place, owner in enumerate(np.flatnonzero(chosen)):
        assert (some.texts[some.owners == place] == rows.texts[rows.owners == owner]).all()
    assert len(some.layers["text"].read) == len(some.texts)
