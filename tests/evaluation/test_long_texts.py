"""Captions and prompts beyond the context: the check `long`, the option `overlong`, and the cache of embeddings."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from support.planned_clip import planned_set

import contralto
from contralto import metrics
from contralto.errors import ContraltoError, TextError
from contralto.evaluation import checks
from contralto.evaluation.long_texts import FILLER
from contralto.sets.data_set import DataSet, Item

COLOURS = {"red": (200, 30, 30), "green": (30, 170, 40), "blue": (40, 60, 200), "white": (245, 245, 245)}
WAYS = ("truncate", "sentences", "window", "compress")


@pytest.fixture(autouse=True)
def quick_intervals(monkeypatch):
    """Intervals are tested elsewhere; here they would be most of the work."""
    monkeypatch.setattr(metrics, "bootstrap", lambda statistic, count, groups=None: (0.0, 1.0))


@pytest.fixture(scope="module")
def nano():
    return contralto.load("nano", precision="fp32")


@pytest.fixture
def captioned() -> DataSet:
    """Plain pictures with two captions of one colour each; the second caption of red is longer than the context."""
    longer = "There is nothing else to be seen in this picture. " * 9
    items = [
        Item(
            name,
            np.full((24, 24, 3), colour, np.uint8),
            captions=(f"A plain {name} picture.", f"{longer if name == 'red' else ''}Everything is {name}."),
        )
        for name, colour in COLOURS.items()
    ]
    return DataSet("plain", "test", "retrieval", "r1_image_to_text", items)


def quietly(clip, texts, way):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return clip.encode_text(texts, overlong=way)


def test_the_check_measures_each_way_behind_the_filler_and_without(nano, captioned):
    plain, *others = contralto.evaluate(nano, captioned, checks=["long"])
    assert plain.protocol["overlong"] == {"how": "truncate", "count": 1, "of": 8}
    conditions = [(one.condition.kind, one.condition.name, one.condition.level) for one in others]
    assert conditions == [("long", way, level) for level in (len(FILLER), 0) for way in WAYS]
    images = nano.encode_image([item.picture for item in captioned.items])
    for one in others:
        filler = FILLER if one.condition.level else ()
        texts = [" ".join([*filler, *item.captions]) for item in captioned.items]
        ranks = metrics.retrieval_ranks(images, quietly(nano, texts, one.condition.name), np.arange(4))
        figures = {figure.metric: figure.value for figure in one.figures}
        assert list(figures) == [f"r{k}_{way}" for way in ("image_to_text", "text_to_image") for k in (1, 5, 10)]
        assert figures["r1_text_to_image"] == (ranks.text_to_image < 1).mean()
        assert figures["r1_image_to_text"] == (ranks.image_to_text < 1).mean()
        count = len(nano.too_long(texts))
        assert one.protocol["overlong"] == {"how": one.condition.name, "count": count, "of": 4}
        assert one.protocol["before"]["list"] == list(filler)
        json.dumps(one.protocol, allow_nan=False)
    assert sum(len(sentence.split()) for sentence in FILLER) == 90


def test_texts_that_fit_have_the_same_figures_in_every_way(nano, captioned):
    captioned.items[0] = Item(
        "red", captioned.items[0].picture, captions=("A plain red picture.", "Everything is red.")
    )
    figures = [contralto.evaluate(nano, captioned, overlong=way)[0].figures for way in (None, "error", *WAYS)]
    assert all(several == figures[0] for several in figures)


def test_rows_of_another_way_are_kept_apart_and_rows_of_texts_that_fit_are_shared(nano, captioned, monkeypatch):
    encoded = []
    encode = nano.encode_text
    monkeypatch.setattr(nano, "encode_text", lambda texts, **how: encoded.append(list(texts)) or encode(texts, **how))
    long = captioned.items[0].captions[1]
    contralto.evaluate(nano, captioned)
    assert [len(texts) for texts in encoded] == [8]
    for way in ("sentences", "window"):
        for _ in range(2):
            contralto.evaluate(nano, captioned, overlong=way)
    assert [texts for texts in encoded[1:] if texts] == [[long], [long]]
    with pytest.raises(TextError, match="the limit is 64"):
        contralto.evaluate(nano, captioned, overlong="error")


def test_prompts_take_the_way_too_if_one_is_given(nano):
    long = "a picture in which nothing is seen but " + "plain " * 70 + "red"
    data = planned_set([0, 1], [long, "blue"], templates=("{}", "a photo of {}"))
    pictures = [np.full((24, 24, 3), COLOURS[name], np.uint8) for name in ("red", "blue")]
    data.items[:] = [Item(str(i), picture, i) for i, picture in enumerate(pictures)]
    with pytest.raises(TextError, match="the limit is 64"):
        contralto.evaluate(nano, data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (outcome,) = contralto.evaluate(nano, data, overlong="sentences")
        again = contralto.evaluate(nano, data, overlong="truncate")[0]
    assert outcome.protocol["overlong"] == {"how": "sentences", "count": 2, "of": 4}
    assert outcome.records.confidence.tolist() != again.records.confidence.tolist()
    rows = [quietly(nano, [name, f"a photo of {name}"], "sentences").mean(axis=0) for name in (long, "blue")]
    given = nano.encode_labels([long, "blue"], ["{}", "a photo of {}"], overlong="sentences")
    np.testing.assert_allclose(given, rows / np.linalg.norm(rows, axis=1, keepdims=True), atol=1e-5)


def test_each_check_says_what_it_needs(nano, captioned, caplog, monkeypatch):
    monkeypatch.setitem(checks.CHECKS, "long", checks.DataSetCheck(lambda *given: iter(()), "retrieval"))
    with caplog.at_level("INFO", "contralto"):
        outcomes = contralto.evaluate(nano, captioned, checks=["long", "sizes", "questions"])
        data = planned_set([0], ["red", "blue"])
        contralto.evaluate(nano, data, checks=["long"])
    assert len(outcomes) == 1
    assert "plain is measured without sizes, questions, which need one class per picture" in caplog.text
    assert "planned is measured without long, which needs captions" in caplog.text


@pytest.mark.parametrize("way", ["learned", "cut", 3])
def test_a_way_that_the_model_lacks_is_an_error_before_any_work(nano, captioned, way):
    with pytest.raises(ContraltoError, match=r"no pooler|overlong must be one of"):
        contralto.evaluate(nano, captioned, overlong=way)
