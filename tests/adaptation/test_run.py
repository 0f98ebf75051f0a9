"""`contralto.adapt`: one call, honest whatever comes in, and a folder that is a model."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from support.adaptable import picture, set_of, write_folders

import contralto
from contralto.adaptation import Lora, Prompt
from contralto.encoder import Clip
from contralto.engine import start
from contralto.errors import ContraltoError, DataError
from contralto.evaluation.compare import compare
from contralto.evaluation.report_files import read
from contralto.sets.data_set import Item
from contralto.sets.declaration import load_declaration
from contralto.sets.open import open_set
from contralto.text import tokenizer
from contralto.weights.adaptation import ADAPTATION_FILE, TENSORS_FILE

FILES = ("adaptation.json", "adaptation.safetensors", "index.html", "items.parquet", "report.json")


@pytest.fixture(scope="module")
def frozen(clip, colours, tmp_path_factory):
    """(the adaptation by auto, its folder)"""
    out = tmp_path_factory.mktemp("out") / "mine"
    return contralto.adapt(clip, colours, out=out), out


def stored_bytes(folder):
    return [(folder / name).read_bytes() for name in (ADAPTATION_FILE, TENSORS_FILE)]


def permuted(data, seed=0):
    """The data set with its measured labels in another order."""
    labels = np.random.default_rng(seed).permutation([item.label for item in data.items])
    assert list(labels) != [item.label for item in data.items]
    items = [replace(item, label=int(label)) for item, label in zip(data.items, labels, strict=True)]
    return replace(data, items=items)


@pytest.mark.parametrize("options", [{}, {"method": "projection"}, {"method": "lora", "steps": 1}], ids=str)
def test_the_labels_of_the_measured_pictures_change_no_stored_byte(clip, colours, tmp_path, options):
    data = open_set(colours)
    results = [
        contralto.adapt(clip, one, out=tmp_path / name, **options)
        for name, one in (("true", data), ("permuted", permuted(data)))
    ]
    assert stored_bytes(tmp_path / "true") == stored_bytes(tmp_path / "permuted")
    zero_shot = [one.report.measured.zero_shot.protocol["split_sha256"] for one in results]
    assert zero_shot[0] != zero_shot[1]


def test_another_fitted_label_changes_the_stored_bytes(clip, colours, tmp_path):
    """Or the test above could not fail."""
    data = open_set(colours)
    relabelled = replace(data, open_split=lambda split: permuted(data.other(split)))
    for name, one in (("true", data), ("permuted", relabelled)):
        contralto.adapt(clip, one, method="kernel", out=tmp_path / name)
    assert stored_bytes(tmp_path / "true")[1] != stored_bytes(tmp_path / "permuted")[1]


def test_the_folder_holds_all_files_and_their_bytes_are_told(frozen):
    result, out = frozen
    assert sorted(one.name for one in out.iterdir()) == sorted(FILES)
    assert result.report.bytes == sum(map(len, stored_bytes(out)))
    described = json.loads((out / ADAPTATION_FILE).read_text())
    assert described["sha256"] == hashlib.sha256((out / TENSORS_FILE).read_bytes()).hexdigest()
    assert described["classes"] == [["blue"], ["green"], ["red"]]
    assert described["trained_on"]["items"] == 24
    assert (described["trained_on"]["split"], described["measured"]["split"]) == ("train", "test")
    assert described["measured"]["items"] == 30


def test_the_result_has_figures_difference_and_verdict(frozen, clip, colours):
    result, _ = frozen
    assert set(result.figures) == {"zero-shot", "adapted"}
    top1 = {name: next(one for one in several if one.metric == "top1") for name, several in result.figures.items()}
    (plain,) = contralto.evaluate(clip, colours)
    assert top1["zero-shot"] == next(one for one in plain.figures if one.metric == "top1")
    assert result.difference.value == pytest.approx(top1["adapted"].value - top1["zero-shot"].value)
    assert result.verdict == "helped"
    assert result.difference.p < 0.05
    assert result.method in ("prototypes", "tip", "gaussian", "kernel", "probe")
    assert result.forgotten == ()
    assert repr(result).startswith(f"<Adaptation {result.method}: helped, top1 +0.")
    mixes = {one.mix: one.accuracy for one in result.report.measured.mixes}
    assert (mixes[0.0], mixes[1.0]) == (top1["zero-shot"].value, top1["adapted"].value)
    assert result.report.measured.curve.shots == (1, 2, 4, 8)


def test_the_folder_is_a_model_that_knows_its_classes(frozen, clip, colours):
    result, out = frozen
    loaded = contralto.load(out, engine="eager", precision="fp32")
    assert loaded.labels == result.clip.labels == ("blue", "green", "red")
    assert loaded.contract.hash == clip.contract.hash
    items = open_set(colours).items
    pictures = [item.picture for item in items]
    best = [one[0][0] for one in loaded.classify(pictures)]
    right = np.mean([label == ("blue", "green", "red")[item.label] for label, item in zip(best, items, strict=True)])
    assert right == next(one.value for one in result.figures["adapted"] if one.metric == "top1")
    assert [one[0][0] for one in result.clip.classify(pictures)] == best
    assert np.array_equal(loaded.encode_image(pictures[:3]), clip.encode_image(pictures[:3]))
    assert result.clip.base is clip


def test_two_folders_can_be_compared(frozen, clip, colours, tmp_path):
    _, out = frozen
    contralto.adapt(clip, colours, method="zero-shot", out=tmp_path / "other")
    rows = compare(read(out), read(tmp_path / "other"))
    by_variant = {(one.variant, one.metric): one for one in rows}
    assert by_variant["zero-shot", "top1"].difference == 0
    assert by_variant["adapted", "top1"].difference > 0
    assert by_variant["adapted", "top1"].p < 0.05


def test_it_can_be_saved_later_and_elsewhere(frozen, tmp_path):
    result, out = frozen
    page = result.save(tmp_path / "later")
    assert page == tmp_path / "later" / "index.html"
    assert stored_bytes(tmp_path / "later") == stored_bytes(out)
    with pytest.raises(ContraltoError, match=r"later exists: .* --force"):
        result.save(tmp_path / "later")
    result.save(tmp_path / "later", force=True)


def test_zero_shot_is_a_method_that_changes_nothing(clip, colours):
    result = contralto.adapt(clip, colours, method="zero-shot")
    assert (result.verdict, result.difference.value, result.difference.p) == ("no difference", 0, 1)
    before, after = (result.report.measured.zero_shot.records, result.report.measured.adapted.records)
    assert (before.rank == after.rank).all()


def test_kept_sets_are_measured_before_and_after_where_towers_change(clip, colours, tmp_path):
    other = write_folders(tmp_path / "elsewhere", {"test": 5})
    result = contralto.adapt(clip, colours, method="projection", keep=[str(other), open_set(colours)])
    assert [one.set for one in result.forgotten] == ["elsewhere", "colours"]
    kept = result.forgotten[0]
    (before,) = contralto.evaluate(clip, other)
    (after, *_) = contralto.evaluate(result.clip, other)
    assert kept.before.figures == before.figures
    assert kept.after.figures == after.figures
    value = after.figures[0].value - before.figures[0].value
    assert kept.verdict.difference == pytest.approx(value)
    last = result.report.measured.mixes[-1]
    assert (last.mix, last.kept) == (1.0, after.figures[0].value)
    names = [(one.set, one.variant) for one in result.report.outcomes]
    assert names == [("colours", "zero-shot"), ("colours", "adapted"), ("elsewhere", "zero-shot"),
                     ("elsewhere", "adapted"), ("colours", "zero-shot"), ("colours", "adapted")]  # fmt: skip


def test_frozen_towers_forget_nothing_so_kept_sets_are_not_measured(clip, colours):
    result = contralto.adapt(clip, colours, method="prototypes", keep=[str(colours)])
    assert result.forgotten == ()
    assert result.report.keeps_towers


def test_without_kept_sets_two_figures_need_no_label(clip, colours):
    result = contralto.adapt(clip, colours, method="projection")
    unlabelled = result.report.measured.label_free
    names = {one.name: one.names for one in load_declaration("cifar10").classes}
    pictures = [item.picture for item in open_set(colours).items]
    best = [
        (one.encode_image(pictures) @ one.encode_labels(names, ["a photo of a {}."]).T).argmax(axis=1)
        for one in (clip, result.clip)
    ]
    assert unlabelled.agreement == np.mean(best[0] == best[1]) < 1
    assert unlabelled.cosine == pytest.approx(1, abs=1e-6)  # a projection of pictures leaves texts as they are
    assert [one.mix for one in result.report.measured.mixes] == [0.0, 0.5, 1.0]
    assert result.report.measured.mixes[0].kept == 1.0
    assert result.report.measured.mixes[-1].kept == unlabelled.agreement


@pytest.mark.parametrize("method", ["auto", "projection", "adapter"])
def test_captions_are_adapted_too(clip, captions, tmp_path, method):
    result = contralto.adapt(clip, captions, method=method, out=tmp_path / "mine")
    assert result.report.data.task == "retrieval"
    assert result.report.measured.verdict.metric == result.report.data.metric
    loaded = contralto.load(tmp_path / "mine", engine="eager", precision="fp32")
    assert loaded.labels is None
    texts = ["a red thing", "it is blue"]
    assert np.array_equal(loaded.encode_text(texts), result.clip.encode_text(texts))
    if method == "auto":
        assert len(result.report.candidates) == 5


@pytest.mark.parametrize("method", ["auto", "lora"])
def test_captioned_pictures_that_cannot_be_decoded_are_told_and_left_out(clip, captions, method):
    data = open_set(captions)
    fit = data.other("train")
    bad = Item("bad", b"no picture", captions=("a red thing",))
    mixed = replace(data, open_split=lambda split: replace(fit, items=[bad, *fit.items]))
    options = {} if method == "auto" else {"method": method, "steps": 1}
    result = contralto.adapt(clip, mixed, **options)
    assert result.report.notes == ("1 pictures of train cannot be decoded, such as bad",)
    assert result.stored.description.trained_on.items == 15


def test_a_measured_picture_that_cannot_be_decoded_is_wrong_before_and_after(clip):
    fit = [(label, picture(10 * label + place, colour)) for label, colour in enumerate(("red", "green", "blue"))
           for place in range(4)]  # fmt: skip
    test = [(0, picture(90)), (1, picture(91, "green")), (2, b"no picture")]
    result = contralto.adapt(clip, set_of({"train": fit, "test": test}, "test"), method="probe")
    for outcome in (result.report.measured.zero_shot, result.report.measured.adapted):
        assert list(outcome.failures) == ["test/2"]
        assert outcome.records.rank[2] > 0
        assert len(outcome.records) == 3


def test_shots_are_what_is_fitted(clip, colours):
    result = contralto.adapt(clip, colours, method="kernel", shots=3, seed=1)
    assert result.stored.description.trained_on.items == 9
    assert len(result.stored.array("keys")) == 18
    few = contralto.adapt(clip, colours, shots=1)
    assert few.report.why == "nothing was chosen, as there are too few pictures for folds"
    assert few.method == "kernel"


def test_classes_and_templates_of_ones_own(clip, colours):
    names = {"blue": ["azure", "navy"], "green": ["lime"], "red": ["crimson"]}
    result = contralto.adapt(clip, colours, method="prototypes", classes=names, templates=["the {} one"])
    described = result.stored.description
    assert described.templates == ("the {} one",)
    assert result.clip.labels == tuple(one[0] for one in described.classes)
    text = clip.encode_labels({str(i): one for i, one in enumerate(described.classes)}, ["the {} one"])
    assert np.allclose(result.stored.array("text"), text, atol=1e-6)


REFUSED = {
    "a word for a clip": ({"clip": "nano"}, "clip must be a Clip, as contralto.load gives it, got 'nano'"),
    "the class of a clip": ({"clip": Clip}, "clip must be a Clip"),
    "an unknown method": ({"method": "best"}, "method must be one of auto, zero-shot, .*, got 'best'"),
    "a class for a method": ({"method": Lora}, "method must be a name or a Lora, Full or Prompt"),
    "a method for captions": ({"method": "long"}, "long is not for classes: the method must be one of auto"),
    "steps without training": ({"method": "kernel", "steps": 5}, "steps and soup are of methods that train towers"),
    "a soup without training": ({"soup": 2}, "steps and soup are of methods that train towers .*, not of auto"),
    "a soup of none": ({"method": "lora", "soup": 0}, "soup must be a whole number of at least 1, got 0"),
    "no step": ({"method": "lora", "steps": 0}, "steps must be a whole number of at least 1, got 0"),
    "no shot": ({"shots": 0}, "shots must be a whole number of at least 1"),
    "half a shot": ({"shots": 0.5}, "shots must be a whole number"),
    "a negative seed": ({"seed": -1}, "seed must be a whole number of at least 0"),
    "a word for data": ({"data": "no/such"}, "no/such"),
    "a number for data": ({"data": 5}, "data must be a path, got 5"),
    "a word for keep": ({"keep": "cifar10"}, "keep must be a list of data sets, got 'cifar10'"),
    "an unknown kept set": ({"keep": ["no/such"]}, "no/such"),
    "a number for out": ({"out": 5}, "out must be a path, got 5"),
    "a word for force": ({"out": "new", "force": "yes"}, "force must be True or False"),
    "a number for progress": ({"progress": 5}, "progress must be a function"),
}


@pytest.mark.parametrize(("options", "said"), REFUSED.values(), ids=REFUSED)
def test_unusable_arguments_are_refused_in_one_line_before_any_work(clip, colours, options, said, own_cache):
    given = {"clip": clip, "data": colours} | options
    with pytest.raises(ContraltoError, match=said) as raised:
        contralto.adapt(given.pop("clip"), given.pop("data"), **given)
    assert "\n" not in str(raised.value)
    assert not own_cache.exists()


def test_an_adapted_clip_and_one_without_a_source_are_refused(frozen, clip, colours, own_cache):
    adapted = contralto.load(frozen[1], engine="eager")
    with pytest.raises(ContraltoError, match="small is adapted already: adapt its base"):
        contralto.adapt(adapted, colours)
    words = tokenizer.load(clip.contract.text, clip.checkpoint.folder)
    made = Clip(clip.checkpoint, words, start(clip.checkpoint, engine="eager", precision="fp32", device="cpu"))
    with pytest.raises(ContraltoError, match=r"small was not made by contralto\.load"):
        contralto.adapt(made, colours)
    assert not own_cache.exists()


def test_methods_and_sets_of_other_tasks_are_refused(clip, captions, colours):
    for method in ("kernel", "prompt", Prompt()):
        with pytest.raises(ContraltoError, match="is not for captions: the method must be one of auto, projection"):
            contralto.adapt(clip, captions, method=method)
    for task in ("labels", "choice", "pairs"):
        with pytest.raises(ContraltoError, match=f"colours is a set for {task}: adapting takes a class a picture"):
            contralto.adapt(clip, replace(open_set(colours), task=task))
    with pytest.raises(ContraltoError, match="colours is open already, with its own classes and templates"):
        contralto.adapt(clip, open_set(colours), templates="none")


def test_a_single_class_is_refused(clip, tmp_path):
    folder = write_folders(tmp_path / "d", {"train": 2, "test": 2})
    data = open_set(folder)
    one = replace(data, items=[item for item in data.items if item.label == 1])
    alone = replace(one, open_split=lambda split: replace(one, split=split))
    with pytest.raises(DataError, match="has no picture to fit"):  # it is the measured pictures again
        contralto.adapt(clip, alone)


def test_an_existing_folder_is_refused_before_the_work(clip, colours, tmp_path, own_cache):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").write_text("x")
    with pytest.raises(ContraltoError, match="mine exists: give another folder"):
        contralto.adapt(clip, colours, out=tmp_path / "mine")
    with pytest.raises(ContraltoError, match="mine holds no adaptation, and is not replaced"):
        contralto.adapt(clip, colours, out=tmp_path / "mine", force=True)
    assert not own_cache.exists()


def test_progress_is_told_by_stages(clip, colours):
    told = []
    contralto.adapt(clip, colours, method="kernel", progress=lambda *one: told.append(one))
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages[:2] == ["reading", "pictures to fit"]
    assert {"choosing by folds", "learning curve", "pictures to measure"} <= set(stages)
    assert all(0 <= done <= total for _, done, total in told)
