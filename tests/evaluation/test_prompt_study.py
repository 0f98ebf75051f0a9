"""Prompt studies with a model whose text embeddings are drawn here, so that the effect of each wording is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import contralto
from contralto.embeddings import unit
from contralto.errors import DataError
from contralto.evaluation.cached_embeddings import PictureEmbeddings
from contralto.evaluation.prompt_study import search_prompts, sensitivity
from contralto.sets.items import Class, DataSet, Item

WIDTH = 16
CLASSES = tuple(Class(name) for name in ("ring", "cube", "cone", "disc"))


class Worded:
    """A Clip whose text rows are of a class's direction and noise: `noise` of each template, by its first word."""

    engine, precision, decode = "none", "fp32", "exact"

    def __init__(self, noise: dict[str, float], directions: dict[str, np.ndarray]) -> None:
        self.noise, self.directions = noise, directions
        real = contralto.load("nano").contract
        self.contract = SimpleNamespace(
            name="worded", hash="0", weights=None, score=real.score, embedding=WIDTH, text=real.text
        )
        self.encoded: list[str] = []

    def encode_text(self, texts):
        self.encoded += texts
        return unit(np.array([self._row(text) for text in texts]))

    def _row(self, text):
        template, _, name = text.partition(" ")
        random = np.random.default_rng(list(text.encode()))
        return self.directions[name] + self.noise[template] * random.normal(size=WIDTH)

    def encode_labels(self, labels, templates):
        """By the definition, apart from the code that is tested."""
        class_embeddings = []
        for names in labels.values():
            of_names = [unit(unit_mean(self.encode_text([t.replace("{}", name) for t in templates]))) for name in names]
            class_embeddings.append(unit_mean(np.array(of_names)))
        return np.array(class_embeddings)


def unit_mean(rows):
    return unit(rows.astype(np.float64).mean(axis=0))


def directions(*names: str) -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    return {name: unit(random.normal(size=WIDTH)) for name in names}


def split(name, towards, classes=CLASSES, *, templates=("clear {}", "vague {}"), n=120, spread=0.25, seed=0):
    """A set of n pictures around the directions of their classes, and their rows."""
    random = np.random.default_rng(seed)
    label = np.arange(n) % len(classes)
    rows = unit(np.array([towards[classes[c].name] for c in label]) + spread * random.normal(size=(n, WIDTH)))
    items = [Item(f"{name}/{i}", bytes([i % 256]), int(c)) for i, c in enumerate(label)]
    data = DataSet("shapes", name, "classes", "top1", items, classes, templates, "own", ("val", "test"))
    return data, PictureEmbeddings(rows, (b"\0",) * n, {})  # of one half, so that no temperature is fitted


def top1(rows, class_rows, labels):
    """By sorting: right if strictly first."""
    cosine = rows @ class_rows.T
    own = cosine[np.arange(len(rows)), labels]
    return np.array([(row >= score).sum() == 1 for row, score in zip(cosine, own, strict=True)])


@pytest.fixture
def shapes():
    return directions("ring", "cube", "cone", "disc")


def test_sensitivity_is_the_spread_of_single_templates(shapes):
    clip = Worded({"clear": 0.0, "vague": 0.35, "wild": 0.8}, shapes)
    data, pictures = split("test", shapes, templates=("clear {}", "vague {}", "wild {}"))
    outcome = sensitivity(clip, data, pictures)
    labels = np.array([item.label for item in data.items])
    each, answers = [], []
    for template in data.templates:
        class_rows = clip.encode_labels({c.name: c.names for c in CLASSES}, [template])
        each.append(top1(pictures.embeddings, class_rows, labels).mean())
        answers.append((pictures.embeddings @ class_rows.T).argmax(axis=1))
    figures = {figure.metric: figure for figure in outcome.figures}
    assert figures["top1_lowest"].value == pytest.approx(min(each))
    assert figures["top1_highest"].value == pytest.approx(max(each))
    assert figures["top1_median"].value == pytest.approx(sorted(each)[1])
    assert figures["top1_sd"].value == pytest.approx(np.std(each))
    changed = np.mean([len(set(of_picture)) > 1 for of_picture in zip(*answers, strict=True)])
    assert 0 < changed < 1
    assert figures["answers_changed"].value == pytest.approx(changed)
    assert figures["top1_lowest"].low < figures["top1_lowest"].value < figures["top1_lowest"].high
    assert outcome.variant == "prompt sensitivity"
    assert outcome.protocol["sensitivity"]["top1"] == pytest.approx(dict(zip(data.templates, each, strict=True)))
    whole = top1(pictures.embeddings, clip.encode_labels({c.name: c.names for c in CLASSES}, data.templates), labels)
    np.testing.assert_array_equal(outcome.records.rank == 0, whole)


def test_sensitivity_needs_templates_to_differ(shapes):
    data, pictures = split("test", shapes, templates=("clear {}",))
    with pytest.raises(DataError, match="at least two templates"):
        sensitivity(Worded({"clear": 0.0}, shapes), data, pictures)


def test_the_search_takes_the_clear_template_and_leaves_the_wild_ones(shapes):
    clip = Worded({"clear": 0.0, "vague": 0.6, "wild": 2.0}, shapes)
    data, pictures = split("test", shapes, templates=("wild {}",), seed=1)
    validation, known = split("val", shapes, templates=("wild {}",), seed=2)
    outcome = search_prompts(clip, data, pictures, validation, known, candidates=("wild {}", "vague {}", "clear {}"))
    search = outcome.protocol["search"]
    assert search["steps"][0]["chosen"] == "clear {}"
    assert "wild {}" not in outcome.protocol["templates"]["list"]
    assert outcome.variant == "prompts searched on val"
    assert search["searched"] == outcome.figures[0].value > search["own"]
    gain = outcome.figures[-1]
    assert (gain.metric, gain.value) == ("top1_gain", pytest.approx(search["searched"] - search["own"]))
    assert gain.low < gain.value < gain.high
    assert search["mcnemar_p"] < 0.01


def test_forward_selection_is_greedy_and_stops_without_a_gain(shapes):
    """Against a plain search with whole class matrices."""
    noise = dict.fromkeys(("a", "b", "c", "d", "e"), 0.7)
    clip = Worded(noise, shapes)
    candidates = tuple(f"{name} {{}}" for name in noise)
    data, pictures = split("test", shapes, templates=("e {}",), spread=0.4, seed=3)
    validation, known = split("val", shapes, templates=("e {}",), spread=0.4, seed=4)
    labels = np.array([item.label for item in validation.items])
    named = {c.name: c.names for c in CLASSES}

    def value(chosen):
        return top1(known.embeddings, clip.encode_labels(named, chosen), labels).mean()

    chosen: list[str] = []
    while left := [c for c in candidates if c not in chosen]:
        best = max(left, key=lambda candidate: value([*chosen, candidate]))
        if chosen and value([*chosen, best]) <= value(chosen):
            break
        chosen.append(best)
    outcome = search_prompts(clip, data, pictures, validation, known, candidates=candidates)
    assert 1 < len(chosen) < len(candidates)
    assert outcome.protocol["templates"]["list"] == chosen
    values = [step["top1"] for step in outcome.protocol["search"]["steps"]]
    assert values == sorted(set(values))
    assert values[-1] == pytest.approx(value(chosen)) == outcome.protocol["search"]["validation"]["searched"]


def test_the_sets_own_words_stay_where_nothing_is_better(shapes):
    clip = Worded({"clear": 0.0, "wild": 3.0}, shapes)
    data, pictures = split("test", shapes, templates=("clear {}",))
    validation, known = split("val", shapes, templates=("clear {}",), seed=2)
    outcome = search_prompts(clip, data, pictures, validation, known, candidates=("wild {}",))
    assert outcome.protocol["templates"]["list"] == ["clear {}"]
    assert outcome.protocol["search"]["steps"] == []
    assert outcome.figures[-1].value == 0
    assert outcome.protocol["search"]["mcnemar_p"] == 1


def test_a_name_is_chosen_where_another_misleads(shapes):
    """ "hoop" lies where the cubes are: the mean of both names is worse than "ring" alone."""
    towards = shapes | {"hoop": 3 * shapes["cube"] + 0.2 * shapes["ring"]}
    classes = (Class("ring", ("hoop", "ring")), *CLASSES[1:])
    clip = Worded({"clear": 0.0}, towards)
    data, pictures = split("test", towards, classes, templates=("clear {}",), seed=1)
    validation, known = split("val", towards, classes, templates=("clear {}",), seed=2)
    outcome = search_prompts(clip, data, pictures, validation, known, candidates=("clear {}",))
    assert outcome.protocol["classes"]["names"][0] == ["ring"]
    assert [step["chosen"] for step in outcome.protocol["search"]["steps"]] == ["ring"]
    labels = np.array([item.label for item in validation.items])
    class_rows = clip.encode_labels({str(i): [c.name] for i, c in enumerate(classes)}, ["clear {}"])
    stated = outcome.protocol["search"]["validation"]["searched"]
    assert stated == pytest.approx(top1(known.embeddings, class_rows, labels).mean())
    assert outcome.figures[-1].value > 0


def test_names_are_chosen_class_by_class(shapes):
    """Against a plain descent that compares every picture with every class for each name."""
    random = np.random.default_rng(7)
    names = {c.name: tuple(f"{c.name}{i}" for i in range(3)) for c in CLASSES}
    towards = shapes | {
        name: shapes[of] + 0.25 * random.normal(size=WIDTH) for of, several in names.items() for name in several
    }
    classes = tuple(Class(c.name, names[c.name]) for c in CLASSES[:3]) + CLASSES[3:]
    clip = Worded({"clear": 0.0}, towards)
    data, pictures = split("test", towards, classes, templates=("clear {}",), spread=0.4, seed=1)
    validation, known = split("val", towards, classes, templates=("clear {}",), spread=0.4, seed=2)
    labels = np.array([item.label for item in validation.items])

    def value(chosen):
        rows = clip.encode_labels({str(i): several for i, several in enumerate(chosen)}, ["clear {}"])
        return top1(known.embeddings, rows, labels).mean()

    chosen = [one.names for one in classes]
    for place, one in enumerate(classes):
        options = [[*chosen[:place], (name,), *chosen[place + 1 :]] for name in one.names]
        best = max(options, key=value)
        chosen = best if value(best) > value(chosen) else chosen
    outcome = search_prompts(clip, data, pictures, validation, known, candidates=("clear {}",))
    assert outcome.protocol["classes"]["names"] == [list(several) for several in chosen]
    assert sum(len(several) == 1 for several in chosen) > 2
    assert outcome.protocol["search"]["validation"]["searched"] == pytest.approx(value(chosen))


def test_each_text_is_encoded_once_for_the_search(shapes):
    clip = Worded({"clear": 0.1, "vague": 0.2}, shapes)
    data, pictures = split("test", shapes)
    validation, known = split("val", shapes, seed=2)
    search_prompts(clip, data, pictures, validation, known, candidates=("clear {}", "vague {}"))
    table = clip.encoded[: 2 * len(CLASSES)]
    assert len(set(table)) == len(table)
    assert len(clip.encoded) <= 3 * len(table)  # once for the search, then the set's own words and those found


def test_the_test_split_is_not_searched_on(shapes):
    clip = Worded({"clear": 0.0, "vague": 0.3}, shapes)
    data, pictures = split("test", shapes)
    with pytest.raises(DataError, match="another split"):
        search_prompts(clip, data, pictures, data, pictures)
    validation, known = split("val", shapes, CLASSES[::-1])
    with pytest.raises(DataError, match="the same classes"):
        search_prompts(clip, data, pictures, validation, known)


def test_failed_pictures_are_wrong_with_any_prompt(shapes):
    clip = Worded({"clear": 0.0, "vague": 0.3}, shapes)
    data, pictures = split("test", shapes, spread=0.01)
    rows = pictures.embeddings.copy()
    rows[:30] = 0
    failed = PictureEmbeddings(rows, pictures.digests, {f"test/{i}": "is no picture" for i in range(30)})
    figures = {figure.metric: figure.value for figure in sensitivity(clip, data, failed).figures}
    assert figures["top1_highest"] == pytest.approx(90 / 120)
