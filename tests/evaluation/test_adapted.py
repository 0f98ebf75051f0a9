"""The classifier of an adaptation on a data set: only on its classes, in whatever order the set states them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.adaptable import measure_little, write_captions, write_folders
from support.adaptations import pairs, write
from support.small_tuning import contract, small_clip

import contralto
from contralto.embeddings import unit
from contralto.sets.data_set import Class, Item
from contralto.sets.open import open_set

CLASSES = (("blue", "azure"), ("green",), ("red",))


@pytest.fixture(autouse=True)
def little_to_measure(monkeypatch):
    measure_little(monkeypatch)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return small_clip(tmp_path_factory.mktemp("model") / "small", contract(context=32))


@pytest.fixture(scope="module")
def adapted(base, tmp_path_factory):
    """adapted(method, mix): the base with a random classifier of CLASSES, or with random changes of weights."""
    random, width = np.random.default_rng(0), base.feature_width
    text = base.encode_labels({str(i): names for i, names in enumerate(CLASSES)}, ["a {}"])
    tensors = {
        "prototypes": {"text": text, "prototypes": unit(random.standard_normal((3, 8)))},
        "probe": {
            "text": text,
            "weight": 5 * random.standard_normal((3, width)),
            "mean": np.zeros(width),
            "scale": 1.0,
        },
        "lora": pairs(base.contract, ("image.head.linear", "text.head.linear")),
    }
    made = {}

    def load(method="prototypes", mix=1.0):
        if method not in made:
            settings = {"temperature": 2.5} | ({"input": "features"} if method == "probe" else {})
            made[method] = tmp_path_factory.mktemp("adapted")
            stated = {"classes": CLASSES, "templates": ("a {}",), "settings": settings}
            write(made[method], method, base.contract, tensors[method], base.checkpoint.folder, **stated)
        return contralto.load(made[method], mix=mix, engine="eager", precision="fp32")

    return load


@pytest.fixture
def colours(tmp_path):
    data = open_set(write_folders(tmp_path / "colours", {"test": 4}))
    return replace(data, classes=tuple(Class(names[0], names) for names in CLASSES))


def values(outcome):
    return {one.metric: one.value for one in outcome.figures}


@pytest.mark.parametrize("method", ["prototypes", "probe"])
@pytest.mark.parametrize("mix", [1.0, 0.3])
def test_a_set_of_its_classes_gets_the_variant_adapted(adapted, colours, method, mix):
    clip = adapted(method, mix)
    plain, own = contralto.evaluate(clip, colours)
    assert (plain.variant, own.variant) == ("", "adapted")
    pictures, labels = [item.picture for item in colours.items], [item.label for item in colours.items]
    answers = [one[0] for one in clip.classify(pictures)]
    assert own.records.predicted.tolist() == [("blue", "green", "red").index(label) for label, _ in answers]
    assert np.allclose(own.records.confidence, [score for _, score in answers], atol=1e-5)
    assert values(own)["top1"] == np.mean(own.records.predicted == labels)
    stated = own.protocol["adaptation"]
    assert (stated["method"], stated["mix"], stated["settings"]["temperature"]) == (method, mix, 2.5)
    assert own.protocol["templates"]["count"] == 1
    assert own.split_sha256 == plain.split_sha256


def test_mix_0_is_the_zero_shot_outcome_of_its_texts(adapted, base, colours):
    own = contralto.evaluate(adapted(mix=0.0), colours)[1]
    (plain,) = contralto.evaluate(base, colours, templates=["a {}"])
    assert own.records.predicted.tolist() == plain.records.predicted.tolist()
    assert own.records.rank.tolist() == plain.records.rank.tolist()


def test_classes_in_another_order_have_the_same_answers(adapted, colours):
    order = [2, 0, 1]  # new place -> old place
    items = [replace(item, label=order.index(item.label)) for item in colours.items]
    turned = replace(colours, items=items, classes=tuple(colours.classes[old] for old in order))
    own, other = (contralto.evaluate(adapted(), data)[1] for data in (colours, turned))
    assert values(own)["top1"] == values(other)["top1"]
    assert [order[new] for new in other.records.predicted] == own.records.predicted.tolist()


def test_changed_towers_are_asked_zero_shot_with_the_texts_of_the_adaptation(adapted, base, colours):
    clip = adapted("lora")
    plain, own = contralto.evaluate(clip, replace(colours, templates=("the {} one",)))
    text = clip.encode_labels({str(i): names for i, names in enumerate(CLASSES)}, ["a {}"])
    rows = clip.encode_image([item.picture for item in colours.items])
    assert own.records.predicted.tolist() == (rows @ text.T).argmax(axis=1).tolist()
    assert own.protocol["templates"] != plain.protocol["templates"]
    assert own.records.predicted.tolist() != contralto.evaluate(base, colours)[0].records.predicted.tolist()


def test_other_classes_and_captions_have_no_such_variant(adapted, colours, tmp_path):
    fewer = replace(colours, classes=(*colours.classes, Class("white")))
    named = replace(colours, classes=(Class("blue"), *colours.classes[1:]))  # without its second name
    captions = open_set(write_captions(tmp_path / "captioned", {"test": 6}))
    for data in (fewer, named, captions):
        assert "adapted" not in [one.variant for one in contralto.evaluate(adapted(), data)]


def test_a_picture_that_cannot_be_decoded_is_wrong(adapted, colours):
    data = replace(colours, items=[*colours.items, Item("bad", b"no picture", 0)])
    for method in ("prototypes", "probe"):
        own = contralto.evaluate(adapted(method), data)[1]
        last = {name: column[-1] for name, column in vars(own.records).items() if column is not None}
        assert (last["key"], last["predicted"], last["rank"], last["confidence"]) == ("bad", -1, 3, 0.0)
        assert list(own.failures) == ["bad"]


def test_two_classes_have_a_margin(base, tmp_path, colours):
    text = base.encode_labels(["blue", "green"], ["a {}"])
    tensors = {"text": text, "prototypes": unit(np.random.default_rng(1).standard_normal((2, 8)))}
    write(tmp_path / "two", "prototypes", base.contract, tensors, base.checkpoint.folder,
          classes=CLASSES[:2], templates=("a {}",), settings={"temperature": 2.5})  # fmt: skip
    clip = contralto.load(tmp_path / "two", engine="eager", precision="fp32")
    data = replace(colours, classes=colours.classes[:2], items=[one for one in colours.items if one.label < 2])
    own = contralto.evaluate(clip, data)[1]
    rows = clip.encode_image([item.picture for item in data.items])
    logits = 10 * rows @ tensors["prototypes"].T
    assert np.allclose(own.records.scores[:, 0], logits[:, 1] - logits[:, 0], atol=1e-4)
    assert "auc" in values(own)
