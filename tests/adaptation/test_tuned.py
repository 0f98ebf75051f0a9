"""Towers that change, by `adapt` as a user calls it, in two steps."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from support.adaptable import contents

import contralto
from contralto.adaptation import Full, Lora, Prompt, tuned
from contralto.adaptation.fold_plan import plan_folds
from contralto.adaptation.roles import assign_roles
from contralto.adaptation.tuned import FOLD_MIXES, Tuning
from contralto.errors import MissingExtraError
from contralto.evaluation.session import open_session
from contralto.sets.open import open_set

LORA = Lora()
TEXTS = ["a red thing", "something blue"]


class Stopped(Exception):
    pass


def rows_of(clip, pictures):
    return clip.encode_image(pictures), clip.encode_text(TEXTS)


def tuning(session, fit, how=LORA, *, steps=2, soup=1, seed=0):
    return Tuning(session, fit, how, None, plan_folds(session.clip, fit), steps, soup, seed)


@pytest.fixture
def work(own_cache):
    """The folder under which runs of training lie."""
    return own_cache / tuned.WORK_FOLDER


def runs(work):
    return list(work.iterdir()) if work.exists() else []


def test_lora_changes_both_towers_and_leaves_no_work_folder(clip, colours, tmp_path, work, session):
    result = contralto.adapt(clip, colours, method="lora", steps=2, out=tmp_path / "mine")
    assert result.method == "lora"
    assert result.report.why == "nothing was chosen: the settings are the defaults; 2 steps"
    names = set(result.stored.tensors)
    assert {name.split(".")[0] for name in names} == {"image", "text"}
    assert {name[-2:] for name in names} == {".A", ".B"}
    pictures = contents(assign_roles(session, open_set(colours)).measure)[:3]
    for one, base in zip(rows_of(result.clip, pictures), rows_of(clip, pictures), strict=True):
        assert 1e-6 < np.abs(one - base).max() < 0.5
    loaded = contralto.load(tmp_path / "mine", engine="eager", precision="fp32")
    for one, saved in zip(rows_of(result.clip, pictures), rows_of(loaded, pictures), strict=True):
        assert np.array_equal(one, saved)
    assert runs(work) == []


def test_a_soup_is_the_mean_of_runs_with_a_seed_each(session, colours, work):
    fit = assign_roles(session, open_set(colours)).fit
    made = [tuning(session, fit, soup=soup, seed=seed).run() for soup, seed in ((2, 5), (1, 5), (1, 6))]
    both, one, other = (
        {name[:-2]: some.tensors[f"{name[:-2]}.B"] @ some.tensors[f"{name[:-2]}.A"] for name in some.tensors}
        for some in made
    )
    assert all(np.abs(one[name] - other[name]).max() > 0 for name in one if one[name].any())
    for name, product in both.items():
        assert np.allclose(product, (one[name] + other[name]) / 2, atol=1e-7)
    assert (made[0].settings["soup"], made[0].settings["steps"]) == (2, [2, 2])
    assert runs(work) == []


def test_prompts_are_a_class_matrix_and_the_towers_stay(clip, colours, session):
    result = contralto.adapt(clip, colours, method=Prompt(tokens=4), steps=2)
    assert (result.method, set(result.stored.tensors)) == ("prompt", {"text", "prototypes"})
    assert result.clip.contract.hash == clip.contract.hash
    text = clip.encode_labels(["blue", "green", "red"], open_set(colours).templates)
    assert np.allclose(result.stored.array("text"), text, atol=1e-6)
    assert np.abs(result.stored.array("prototypes") - text).max() > 0.01
    assert result.report.measured.curve is None
    pictures = contents(assign_roles(session, open_set(colours)).measure)[:5]
    logits = clip.encode_image(pictures) @ result.stored.array("prototypes").T
    best = [max(one.items(), key=lambda pair: pair[1])[0] for one in map(dict, result.clip.classify(pictures, top=3))]
    assert best == [("blue", "green", "red")[place] for place in logits.argmax(axis=1)]


def test_full_chooses_its_mix_by_folds_and_stores_that_share_of_the_change(session, colours, work, monkeypatch):
    fit = assign_roles(session, open_set(colours)).fit
    figures = iter(np.tile([0.5, 0.6, 0.7, 0.9, 0.9, 0.8], 5))
    sizes = []

    def figure(clip, part):
        sizes.append(len(part))
        return next(figures)

    monkeypatch.setattr(tuned, "_figure", figure)
    made = tuning(session, fit, Full(lr=1e-3), steps=1).run()
    assert list(made.mixes) == list(FOLD_MIXES)
    assert made.mixes == pytest.approx(dict(zip(FOLD_MIXES, (0.5, 0.6, 0.7, 0.9, 0.9, 0.8), strict=True)))
    assert sum(sizes[::6]) == len(fit)
    assert made.settings["mix_chosen"] == 0.6  # of equals the smaller
    assert made.why == "its mix 0.6 was chosen by five folds; 1 steps"
    monkeypatch.setattr(tuned, "FOLD_MIXES", (1.0,))
    monkeypatch.setattr(tuned, "_figure", lambda clip, part: 1.0)
    whole = tuning(session, fit, Full(lr=1e-3), steps=1).run()
    assert set(whole.tensors) == set(made.tensors)
    assert any(one.any() for one in whole.tensors.values())
    for name, one in made.tensors.items():
        assert one.dtype == np.float16
        assert np.allclose(one, 0.6 * whole.tensors[name].astype(float), rtol=2e-3, atol=1e-7)
    assert runs(work) == []


def test_the_figure_of_a_fold_is_zero_shot_accuracy_and_the_recall_of_captions(session, colours, captions):
    clip = session.clip
    part = assign_roles(session, open_set(colours)).measure
    (outcome,) = contralto.evaluate(clip, colours)
    assert tuned._figure(clip, part) == pytest.approx(outcome.figures[0].value)
    part = assign_roles(session, open_set(captions)).measure
    (outcome,) = contralto.evaluate(clip, captions)
    shares = {one.metric: one.value for one in outcome.figures}
    mean = (shares["r1_image_to_text"] + shares["r1_text_to_image"]) / 2
    assert tuned._figure(clip, part) == pytest.approx(mean)


def test_a_stopped_run_leaves_nothing_and_goes_on_where_it_stopped(clip, colours, tmp_path, work):
    """Stopped after the first of two runs; the repeated command trains only the second one."""
    told = []

    def progress(stage, done, total):
        told.append(stage)
        if stop and stage.startswith("run 1"):
            raise Stopped

    stop, options = True, {"method": "lora", "steps": 2, "soup": 2, "out": tmp_path / "mine"}
    with pytest.raises(Stopped):
        contralto.adapt(clip, colours, **options, progress=progress)
    assert not list(tmp_path.iterdir())
    assert len(runs(work)) == 1
    stop, first = False, told.count("run 0: tuning")
    told.clear()
    result = contralto.adapt(clip, colours, **options, progress=progress)
    assert told.count("run 0: tuning") < first
    assert runs(work) == []
    whole = contralto.adapt(clip, colours, method="lora", steps=2, soup=2)
    assert result.stored.description.sha256 == whole.stored.description.sha256


def test_after_a_stop_other_labels_texts_or_settings_start_anew(session, colours, work):
    fit = assign_roles(session, open_set(colours)).fit
    relabelled = replace(fit, bare=(replace(fit.bare[0], label=2), *fit.bare[1:]))
    worded = replace(fit, data=replace(fit.data, templates=("my {}",)))
    named = replace(fit, data=replace(fit.data, classes=fit.data.classes[::-1]))
    tunings = [tuning(session, part) for part in (fit, relabelled, worded, named)]
    tunings += [tuning(session, fit, how) for how in (Lora(rank=3), Full(), Prompt())]
    tunings += [tuning(session, fit, steps=steps, seed=seed) for steps, seed in ((3, 0), (None, 0), (2, 1))]
    assert len({one._work for one in tunings}) == len(tunings)
    assert tuning(session, fit)._work == tunings[0]._work


def test_text_towers_alone_read_the_cached_embeddings_of_the_pictures(clip, colours, own_cache):
    with open_session(clip) as session:
        fit = assign_roles(session, open_set(colours)).fit
        session.embed_pictures(fit.data)
        unreadable = replace(fit, data=replace(fit.data, items=fit.bare))  # no picture can be decoded
        cached = replace(session, clip=clip)
        with pytest.MonkeyPatch.context() as patch:
            known = session.embed_pictures(fit.data)
            patch.setattr(type(session), "embed_pictures", lambda self, data, **options: known)
            made = tuning(cached, unreadable, Lora(towers=("text",))).run()
    assert {name.split(".")[0] for name in made.tensors} == {"text"}


def test_without_torch_the_extra_is_named_before_any_work(session, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for method, name in (("lora", "lora"), (Full(), "Full")):
        with pytest.raises(MissingExtraError, match=f"method {name} needs the extra 'train'"):
            contralto.adapt(session.clip, "no such data", method=method)
