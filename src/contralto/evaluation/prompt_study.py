"""The effect of prompt wording on a zero-shot figure: how far it moves, and what a search for better prompts gains.

The paper (Radford et al. 2021, 3.1.4) ensembles 80 templates for ImageNet; its authors later published 7 of them, found
by forward selection. Such a search must not see the pictures that judge it. Here it sees another split. The figure of
that split is too high, as the prompts were chosen for it, and the protocol says so.
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
from contralto.evaluation.cached_embeddings import PictureEmbeddings
from contralto.evaluation.condition import Condition
from contralto.evaluation.figures import share
from contralto.evaluation.outcome import Figure, Outcome
from contralto.evaluation.predictions import is_right, predict
from contralto.evaluation.protocol import base_protocol, class_protocol
from contralto.evaluation.zero_shot import classification_outcome, embed_classes, labels_of, zero_shot
from contralto.sets.items import Class, DataSet
from contralto.zeroshot import prompts

OPTIMISTIC: Final = "the words were chosen by these very pictures: too high"


def sensitivity(clip: Clip, data: DataSet, pictures: PictureEmbeddings) -> Outcome:
    """How far top-1 moves between the templates of a data set, each used alone.

    Figures: top1_lowest, top1_median, top1_highest, top1_sd (over templates), and answers_changed: the share of
    pictures that templates disagree on. Lowest and highest are selected by their figure; their Clopper-Pearson
    intervals are those of one template. The records are those of the ensemble of all templates. Raises DataError for a
    data set with fewer than two templates, or of another task than classes.
    """
    if data.task != "classes" or len(data.templates) < 2:
        raise DataError(f"{data.name}: prompt sensitivity needs one class per picture and at least two templates")
    whole = zero_shot(clip, data, pictures, data.templates, data.template_set, Condition("prompt_sensitivity"))
    table = _PromptTable.of(clip, data.classes, data.templates)
    labels = labels_of(data)
    right, predicted = [], []
    for i in range(len(data.templates)):
        class_embeddings = table.class_embeddings(table.embeddings[i])
        right.append(is_right(pictures.embeddings, class_embeddings, labels))
        predicted.append(_predicted(pictures.embeddings, class_embeddings))
    top1 = [float(one.mean()) for one in right]
    figures = (
        share("top1_lowest", right[int(np.argmin(top1))]),
        Figure("top1_median", float(np.median(top1)), None, None, len(labels)),
        share("top1_highest", right[int(np.argmax(top1))]),
        Figure("top1_sd", float(np.std(top1)), None, None, len(labels)),
        share("answers_changed", np.any(np.array(predicted) != predicted[0], axis=0)),
    )
    stated = {"sensitivity": {"top1": dict(zip(data.templates, top1, strict=True))}}
    return replace(whole, figures=figures, protocol={**whole.protocol, **stated})


def search_prompts(
    clip: Clip,
    data: DataSet,
    pictures: PictureEmbeddings,
    validation: DataSet,
    validation_pictures: PictureEmbeddings,
    *,
    candidates: Sequence[str] | None = None,
) -> Outcome:
    """The figures of `data` with templates, and for classes with several names a name, chosen on another split.

    candidates: templates to choose from; None for ImageNet's 80 and those of the data set. `_search` documents the
    method. An extra figure is top1_gain over the data set's own prompts, with its paired bootstrap interval; the
    protocol's `search` has the steps, the validation figures and McNemar's p. A temporary file holds one embedding per
    template and name (80 templates of 1,000 names: 160 MB). Raises DataError for data sets that do not fit.
    """
    if data.task != "classes" or [one.names for one in data.classes] != [one.names for one in validation.classes]:
        raise DataError(f"{data.name}: a search of prompts needs two splits with the same classes, one per picture")
    if (data.name, data.split) == (validation.name, validation.split):
        raise DataError(f"{data.name}:{data.split}: prompts must be chosen on another split than they are judged by")
    texts = tuple(dict.fromkeys(candidates or (*prompts.templates("imagenet"), *data.templates)))
    result = _search(clip, data, texts, validation_pictures.embeddings, labels_of(validation))
    condition, labels = Condition("prompt_search", validation.split), labels_of(data)
    class_embeddings = embed_classes(clip, result.classes, result.templates)
    predictions = predict(pictures, class_embeddings, labels, clip.contract.score)
    right, own = (
        predictions.rank == 0,
        is_right(pictures.embeddings, embed_classes(clip, data.classes, data.templates), labels),
    )
    gain = metrics.paired_bootstrap(lambda at: float(right[at].mean()), lambda at: float(own[at].mean()), len(right))
    search = {
        "candidates": list(texts),
        "steps": [{"chosen": chosen, "top1": top1} for chosen, top1 in result.steps],
        "validation": {
            "split": validation.split,
            "pictures": len(validation_pictures.embeddings),
            "own": result.own,
            "searched": result.top1,
            "note": OPTIMISTIC,
        },
        "own": float(own.mean()),
        "searched": float(right.mean()),
        "mcnemar_p": metrics.mcnemar(right, own),
    }
    prompts_used = class_protocol(result.classes, result.templates, condition.variant)
    protocol = base_protocol(clip, data, pictures) | prompts_used | {"search": search}
    outcome = classification_outcome(data, pictures, predictions, protocol, condition)
    return replace(
        outcome, figures=(*outcome.figures, Figure("top1_gain", gain.value, gain.low, gain.high, len(right)))
    )


@dataclass(frozen=True, eq=False)
class _PromptTable:
    """The embeddings of K distinct class names in T templates.

    embeddings: float32 (T, K, d), in a temporary file. names (K,). places (S,): the indices of the names of class after
    class; starts (C,): where those of each class begin.
    """

    embeddings: Embeddings
    names: tuple[str, ...]
    places: NDArray[np.int64]
    starts: NDArray[np.int64]

    @staticmethod
    def of(clip: Clip, classes: Sequence[Class], templates: Sequence[str]) -> _PromptTable:
        """Encodes each text once. The table is in a file that disappears with it."""
        names = {name: i for i, name in enumerate(dict.fromkeys(name for one in classes for name in one.names))}
        with tempfile.TemporaryFile() as file:
            embeddings = np.memmap(file, np.float32, "w+", shape=(len(templates), len(names), clip.contract.embedding))
        for i, template in enumerate(templates):
            embeddings[i] = clip.encode_text([template.replace(prompts.PLACE, name) for name in names])
        places = np.array([names[name] for one in classes for name in one.names])
        starts = np.cumsum([0, *(len(one.names) for one in classes)])[:-1]
        return _PromptTable(embeddings, tuple(names), places, starts)

    def summed(self, chosen: Sequence[int]) -> Embeddings:
        """(K, d): for each name, the sum over these templates."""
        total = np.zeros(self.embeddings.shape[1:], np.float32)
        for i in chosen:
            total += self.embeddings[i]
        return total

    def class_embeddings(self, summed: Embeddings) -> Embeddings:
        """Class embeddings (C, d), as `Clip.encode_labels` computes them."""
        return unit(np.add.reduceat(unit(summed)[self.places], self.starts, axis=0))


@dataclass(frozen=True)
class _SearchResult:
    """The chosen templates and classes.

    own, top1: validation figures of the data set's own prompts and of the chosen ones; steps: each choice, and the
    validation figure after it.
    """

    templates: tuple[str, ...]
    classes: tuple[Class, ...]
    own: float
    top1: float
    steps: tuple[tuple[str, float], ...]


def _search(
    clip: Clip, data: DataSet, candidates: tuple[str, ...], embeddings: Embeddings, labels: NDArray[np.int64]
) -> _SearchResult:
    """Forward selection of templates, then of names, by top-1 on validation embeddings (N, d) with labels (N,).

    Each step takes the template that raises top-1 most, until none raises it; if the result is no better than the data
    set's own templates, these stay. Then, class by class, one of several names replaces their mean if that raises
    top-1. Among equals the first wins.
    """
    templates = tuple(dict.fromkeys((*candidates, *data.templates)))
    table = _PromptTable.of(clip, data.classes, templates)
    owned = [templates.index(template) for template in data.templates]
    own = float(is_right(embeddings, table.class_embeddings(table.summed(owned)), labels).mean())
    chosen, steps = _forward(table, templates[: len(candidates)], embeddings, labels)
    if steps[-1][1] <= own:
        chosen, steps = owned, []
    classes = list(data.classes)
    for place, name, top1 in _one_name_each(table, table.summed(chosen), embeddings, labels):
        classes[place] = replace(classes[place], names=(name,))
        steps.append((name, top1))
    top1 = steps[-1][1] if steps else own
    return _SearchResult(tuple(templates[i] for i in chosen), tuple(classes), own, top1, tuple(steps))


def _forward(
    table: _PromptTable, candidates: Sequence[str], embeddings: Embeddings, labels: NDArray[np.int64]
) -> tuple[list[int], list[tuple[str, float]]]:
    """Indices of the chosen templates, and the steps. The first step always takes a template."""
    chosen: list[int] = []
    steps: list[tuple[str, float]] = []
    summed = np.zeros_like(table.embeddings[0])
    left = list(range(len(candidates)))
    while left:
        top1 = [
            float(is_right(embeddings, table.class_embeddings(summed + table.embeddings[i]), labels).mean())
            for i in left
        ]
        best = int(np.argmax(top1))
        if steps and top1[best] <= steps[-1][1]:
            break
        steps.append((candidates[left[best]], top1[best]))
        summed += table.embeddings[left[best]]
        chosen.append(left.pop(best))
    return chosen, steps


def _one_name_each(
    table: _PromptTable, summed: Embeddings, embeddings: Embeddings, labels: NDArray[np.int64]
) -> Iterator[tuple[int, str, float]]:
    """(class, the name that replaces the mean of its names, top-1 with it), where that raises top-1; class after class.

    The effect of one class's embedding follows from the best two rivals of each picture's class, so pictures are
    compared with all classes again only after a change.
    """
    class_embeddings, name_embeddings = table.class_embeddings(summed), unit(summed)
    own, rivals = _rivals(embeddings, class_embeddings, labels)
    top1 = float((own > rivals[0][0]).mean())
    for place, names in enumerate(np.split(table.places, table.starts[1:])):
        if len(names) < 2:
            continue
        rival = np.where(rivals[0][1] == place, rivals[1][0], rivals[0][0])
        is_own = labels == place
        cosine = embeddings @ name_embeddings[names].T  # (N, S)
        with_each = np.where(
            is_own[:, None], cosine > rival[:, None], own[:, None] > np.maximum(rival[:, None], cosine)
        )
        better = with_each.mean(axis=0)
        best = int(np.argmax(better))
        if better[best] > top1:
            top1 = float(better[best])
            class_embeddings[place] = name_embeddings[names[best]]
            own, rivals = _rivals(embeddings, class_embeddings, labels)
            yield place, table.names[names[best]], top1


def _rivals(
    embeddings: Embeddings, class_embeddings: Embeddings, labels: NDArray[np.int64]
) -> tuple[Embeddings, list[tuple[Embeddings, NDArray[np.int64]]]]:
    """For each picture its cosine with its own class, and (cosine, class) of the best two wrong classes."""
    own = np.empty(len(embeddings), np.float32)
    rivals = [(np.empty(len(embeddings), np.float32), np.empty(len(embeddings), np.int64)) for _ in range(2)]
    for start in range(0, len(embeddings), step := at_once(len(class_embeddings))):
        part = slice(start, start + step)
        cosine = embeddings[part] @ class_embeddings.T
        each = np.arange(len(cosine))
        own[part] = cosine[each, labels[part]]
        cosine[each, labels[part]] = -np.inf
        for best, which in rivals:
            which[part] = cosine.argmax(axis=1)
            best[part] = cosine[each, which[part]]
            cosine[each, which[part]] = -np.inf
    return own, rivals


def _predicted(embeddings: Embeddings, class_embeddings: Embeddings) -> NDArray[np.int64]:
    """The class (N,) with the highest cosine, the first among equals."""
    step = at_once(len(class_embeddings))
    return np.concatenate(
        [(embeddings[i : i + step] @ class_embeddings.T).argmax(axis=1) for i in range(0, len(embeddings), step)]
    )
