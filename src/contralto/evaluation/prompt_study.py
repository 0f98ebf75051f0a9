"""What the wording of prompts does to a zero-shot figure: how far it moves, and what a search for better words gains.

The paper (Radford et al. 2021, 3.1.4) ensembles 80 templates for ImageNet; its authors later published 7 of them, found
by forward selection. Such a search must not see the pictures that it is then judged by: here it sees another split,
and the figure of that split, which the words were chosen for, is stated as what it is: too high.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contralto import metrics
from contralto.embeddings import Embeddings, at_once, unit
from contralto.encoder import Clip
from contralto.errors import DataError
from contralto.evaluation.answers import answer, right_of
from contralto.evaluation.classes import labels_of, of_answers, rows_of, zero_shot
from contralto.evaluation.embed import PictureEmbeddings
from contralto.evaluation.figures import share
from contralto.evaluation.outcome import Figure, Outcome
from contralto.evaluation.protocol import of_classes, protocol
from contralto.sets.data_set import Class, DataSet
from contralto.zeroshot import prompts

OPTIMISTIC: Final = "the words were chosen by these very pictures: too high"


def sensitivity(clip: Clip, data: DataSet, pictures: PictureEmbeddings) -> Outcome:
    """How far top-1 moves from template to template of a set, each used alone.

    Figures: top1_lowest, top1_median, top1_highest, top1_sd (over templates), and answers_changed: the share of
    pictures whose answer is not the same with all of them. Lowest and highest were picked by their figure; their
    intervals, Clopper-Pearson, are those of one template. Records are those of the templates' ensemble.
    Raises DataError for a set with less than two templates, or another task than classes.
    """
    if data.task != "classes" or len(data.templates) < 2:
        raise DataError(f"{data.name}: prompt sensitivity needs one class a picture and at least two templates")
    whole = zero_shot(clip, data, pictures, data.templates, data.template_set, "prompt sensitivity")
    words = _Words.of(clip, data.classes, data.templates)
    labels = labels_of(data)
    right, predicted = [], []
    for i in range(len(data.templates)):
        class_rows = words.class_rows(words.table[i])
        right.append(right_of(pictures.rows, class_rows, labels))
        predicted.append(_predicted(pictures.rows, class_rows))
    top1 = [float(one.mean()) for one in right]
    figures = (
        share("top1_lowest", right[int(np.argmin(top1))]),
        Figure("top1_median", float(np.median(top1)), None, None, len(labels)),
        share("top1_highest", right[int(np.argmax(top1))]),
        Figure("top1_sd", float(np.std(top1)), None, None, len(labels)),
        share("answers_changed", np.any(np.array(predicted) != predicted[0], axis=0)),
    )
    said = {"sensitivity": {"top1": dict(zip(data.templates, top1, strict=True))}}
    return replace(whole, figures=figures, protocol={**whole.protocol, **said})


def search_prompts(
    clip: Clip,
    data: DataSet,
    pictures: PictureEmbeddings,
    validation: DataSet,
    validation_pictures: PictureEmbeddings,
    *,
    candidates: Sequence[str] | None = None,
) -> Outcome:
    """The figures of `data` with the templates, and of classes with several names the names, chosen on another split.

    candidates: templates to choose from; ImageNet's 80 and the set's own if None. `_search` says how they are chosen.
    Beside the usual figures stands top1_gain over the set's own words, with its paired bootstrap interval; the
    protocol's `search` has the steps, the validation figures and McNemar's p. Keeps a row for each template and name in
    a temporary file (80 templates of 1,000 names: 160 MB). Raises DataError for sets that do not fit.
    """
    if data.task != "classes" or [one.names for one in data.classes] != [one.names for one in validation.classes]:
        raise DataError(f"{data.name}: a search of prompts needs two splits with the same classes, one a picture")
    if (data.name, data.split) == (validation.name, validation.split):
        raise DataError(f"{data.name}:{data.split}: prompts must be chosen on another split than they are judged by")
    texts = tuple(dict.fromkeys(candidates or (*prompts.templates("imagenet"), *data.templates)))
    found = _search(clip, data, texts, validation_pictures.rows, labels_of(validation))
    variant, labels = f"prompts searched on {validation.split}", labels_of(data)
    class_rows = rows_of(clip, found.classes, found.templates)
    answers = answer(pictures, class_rows, labels, clip.contract.score)
    right, own = answers.rank == 0, right_of(pictures.rows, rows_of(clip, data.classes, data.templates), labels)
    gain = metrics.paired_bootstrap(lambda at: float(right[at].mean()), lambda at: float(own[at].mean()), len(right))
    search = {
        "candidates": list(texts),
        "steps": [{"chosen": chosen, "top1": top1} for chosen, top1 in found.steps],
        "validation": {
            "split": validation.split,
            "pictures": len(validation_pictures.rows),
            "own": found.own,
            "searched": found.top1,
            "note": OPTIMISTIC,
        },
        "own": float(own.mean()),
        "searched": float(right.mean()),
        "mcnemar_p": metrics.mcnemar(right, own),
    }
    said = protocol(clip, data, pictures) | of_classes(found.classes, found.templates, variant) | {"search": search}
    outcome = of_answers(data, pictures, answers, said, variant)
    return replace(
        outcome, figures=(*outcome.figures, Figure("top1_gain", gain.value, gain.low, gain.high, len(right)))
    )


@dataclass(frozen=True, eq=False)
class _Words:
    """Templates, names, and table: float32 (T, K, d), the unit row of each of K distinct names in each of T templates.
    places (S,): the names of class after class; starts (C,): where those of each class begin."""

    table: Embeddings
    names: tuple[str, ...]
    places: NDArray[np.int64]
    starts: NDArray[np.int64]

    @staticmethod
    def of(clip: Clip, classes: Sequence[Class], templates: Sequence[str]) -> _Words:
        """Each text is encoded once. The table lies in a file that is gone when the table is."""
        names = {name: i for i, name in enumerate(dict.fromkeys(name for one in classes for name in one.names))}
        with tempfile.TemporaryFile() as file:
            table = np.memmap(file, np.float32, "w+", shape=(len(templates), len(names), clip.contract.embedding))
        for i, template in enumerate(templates):
            table[i] = clip.encode_text([template.replace(prompts.PLACE, name) for name in names])
        places = np.array([names[name] for one in classes for name in one.names])
        starts = np.cumsum([0, *(len(one.names) for one in classes)])[:-1]
        return _Words(table, tuple(names), places, starts)

    def summed(self, chosen: Sequence[int]) -> Embeddings:
        """(K, d): of each name, the sum over these templates."""
        found = np.zeros(self.table.shape[1:], np.float32)
        for i in chosen:
            found += self.table[i]
        return found

    def class_rows(self, summed: Embeddings) -> Embeddings:
        """Unit rows (C, d) as `Clip.encode_labels` makes them."""
        return unit(np.add.reduceat(unit(summed)[self.places], self.starts, axis=0))


@dataclass(frozen=True)
class _Found:
    """What was chosen; own, top1: validation figures of the set's own words and of these; steps: what was chosen one
    after another, and the validation figure that it gave."""

    templates: tuple[str, ...]
    classes: tuple[Class, ...]
    own: float
    top1: float
    steps: tuple[tuple[str, float], ...]


def _search(
    clip: Clip, data: DataSet, candidates: tuple[str, ...], rows: Embeddings, labels: NDArray[np.int64]
) -> _Found:
    """Forward selection of templates, then of names, by top-1 of the validation pictures rows (N, d), labels (N,).

    Templates are taken one at a time, each the one that raises top-1 most, until none raises it; the set's own stay if
    that is no better than they are. Then, class by class, one of several names takes the place of their mean if that
    raises it. Of equals, the first.
    """
    templates = tuple(dict.fromkeys((*candidates, *data.templates)))
    words = _Words.of(clip, data.classes, templates)
    owned = [templates.index(template) for template in data.templates]
    own = float(right_of(rows, words.class_rows(words.summed(owned)), labels).mean())
    chosen, steps = _forward(words, templates[: len(candidates)], rows, labels)
    if steps[-1][1] <= own:
        chosen, steps = owned, []
    classes = list(data.classes)
    for place, name, top1 in _one_name_each(words, words.summed(chosen), rows, labels):
        classes[place] = replace(classes[place], names=(name,))
        steps.append((name, top1))
    top1 = steps[-1][1] if steps else own
    return _Found(tuple(templates[i] for i in chosen), tuple(classes), own, top1, tuple(steps))


def _forward(
    words: _Words, candidates: Sequence[str], rows: Embeddings, labels: NDArray[np.int64]
) -> tuple[list[int], list[tuple[str, float]]]:
    """Places of the templates chosen, and the steps. The first one is always taken."""
    chosen: list[int] = []
    steps: list[tuple[str, float]] = []
    summed = np.zeros_like(words.table[0])
    left = list(range(len(candidates)))
    while left:
        top1 = [float(right_of(rows, words.class_rows(summed + words.table[i]), labels).mean()) for i in left]
        best = int(np.argmax(top1))
        if steps and top1[best] <= steps[-1][1]:
            break
        steps.append((candidates[left[best]], top1[best]))
        summed += words.table[left[best]]
        chosen.append(left.pop(best))
    return chosen, steps


def _one_name_each(
    words: _Words, summed: Embeddings, rows: Embeddings, labels: NDArray[np.int64]
) -> Iterator[tuple[int, str, float]]:
    """(class, the name that takes the place of its mean, top-1 with it), where that raises it; class after class.

    What one class's row changes is worked out from the best two rivals of each picture's class, so that no picture is
    compared with all classes again before a change is made.
    """
    class_rows, name_rows = words.class_rows(summed), unit(summed)
    own, rivals = _rivals(rows, class_rows, labels)
    top1 = float((own > rivals[0][0]).mean())
    for place, names in enumerate(np.split(words.places, words.starts[1:])):
        if len(names) < 2:
            continue
        rival = np.where(rivals[0][1] == place, rivals[1][0], rivals[0][0])
        is_own = labels == place
        cosine = rows @ name_rows[names].T  # (N, S)
        with_each = np.where(
            is_own[:, None], cosine > rival[:, None], own[:, None] > np.maximum(rival[:, None], cosine)
        )
        better = with_each.mean(axis=0)
        best = int(np.argmax(better))
        if better[best] > top1:
            top1 = float(better[best])
            class_rows[place] = name_rows[names[best]]
            own, rivals = _rivals(rows, class_rows, labels)
            yield place, words.names[names[best]], top1


def _rivals(
    rows: Embeddings, class_rows: Embeddings, labels: NDArray[np.int64]
) -> tuple[Embeddings, list[tuple[Embeddings, NDArray[np.int64]]]]:
    """Of each picture the cosine with its own class, and (cosine, class) of the best and the second best wrong one."""
    own = np.empty(len(rows), np.float32)
    rivals = [(np.empty(len(rows), np.float32), np.empty(len(rows), np.int64)) for _ in range(2)]
    for start in range(0, len(rows), step := at_once(len(class_rows))):
        part = slice(start, start + step)
        cosine = rows[part] @ class_rows.T
        each = np.arange(len(cosine))
        own[part] = cosine[each, labels[part]]
        cosine[each, labels[part]] = -np.inf
        for best, which in rivals:
            which[part] = cosine.argmax(axis=1)
            best[part] = cosine[each, which[part]]
            cosine[each, which[part]] = -np.inf
    return own, rivals


def _predicted(rows: Embeddings, class_rows: Embeddings) -> NDArray[np.int64]:
    """The class (N,) with the highest cosine, the first of equals."""
    step = at_once(len(class_rows))
    return np.concatenate([(rows[i : i + step] @ class_rows.T).argmax(axis=1) for i in range(0, len(rows), step)])
