"""What the wording of prompts does to a zero-shot figure: how far it moves, and what a search for better words gains.

The paper (Radford et al. 2021, 3.1.4) ensembles 80 templates for ImageNet; its authors later published 7 of them, found
by forward selection. Such a search must not see the pictures that it is then judged by: here it sees another split,
and the figure of that split, which the words were chosen for, is stated as what it is: too high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from contralto import metrics
from contralto.encoder import Clip
from contralto.errors import DataError
from contralto.evaluation.classes import answer, labels_of, of_answers, rows_of, share, zero_shot
from contralto.evaluation.embed import Pictures
from contralto.evaluation.outcome import Figure, Outcome
from contralto.evaluation.protocol import of_classes, protocol
from contralto.sets.items import DataSet
from contralto.zeroshot import prompts

OPTIMISTIC: Final = "words were chosen for these very pictures: too high"


def sensitivity(clip: Clip, data: DataSet, pictures: Pictures) -> Outcome:
    """How far top-1 moves from template to template of a set, each used alone.

    Figures: top1_lowest, top1_median, top1_highest, top1_sd (over templates), and answers_changed, the share of pictures
    whose answer is not the same with all of them. Lowest and highest were picked by their figure: their intervals,
    Clopper-Pearson, are those of one template. Records are those of the templates' ensemble. Raises ContraltoError.
    """
    if data.task != "classes" or len(data.templates) < 2:
        raise DataError(f"{data.name}: prompt sensitivity needs one class a picture and at least two templates")
    whole = zero_shot(clip, data, pictures, data.templates, data.template_set, "prompt sensitivity")
    labels = labels_of(data)
    top1, first, changed = [], None, np.zeros(len(labels), bool)
    for template in data.templates:
        right, predicted = _answers(pictures.rows, rows_of(clip, data.classes, [template]), labels)
        top1.append(float(right.mean()))
        first = predicted if first is None else first
        changed |= predicted != first
    figures = (
        _alone("top1_lowest", min(top1), len(labels)),
        Figure("top1_median", float(np.median(top1)), None, None, len(labels)),
        _alone("top1_highest", max(top1), len(labels)),
        Figure("top1_sd", float(np.std(top1)), None, None, len(labels)),
        share("answers_changed", changed),
    )
    said = {"sensitivity": {"top1": dict(zip(data.templates, top1, strict=True)), "ensemble": whole.figures[0].value}}
    return replace(whole, figures=figures, protocol={**whole.protocol, **said})


def search_prompts(
    clip: Clip,
    data: DataSet,
    pictures: Pictures,
    validation: DataSet,
    validation_pictures: Pictures,
    *,
    candidates: Sequence[str] | None = None,
) -> Outcome:
    """The figures of `data` with templates, and a name for each class that has several, chosen on another split.

    candidates: templates to choose from; the set's own and ImageNet's 80 if None. Templates are taken one at a time,
    each the one that then gives the highest top-1 on the validation split, until none raises it; then, for each class
    with several names, one of them takes the place of their mean where that raises it. Of equals, the first.

    Beside the usual figures stands top1_gain over the set's own names and templates, with its paired bootstrap interval;
    the protocol's `search` has the steps, the validation figures, and McNemar's p. Keeps a row for each template and
    name in a temporary file (80 templates of 1,000 names: 160 MB). Raises DataError for sets that do not fit.
    """
    if data.task != "classes" or [one.names for one in data.classes] != [one.names for one in validation.classes]:
        raise DataError(f"{data.name}: a search of prompts needs two splits with the same classes, one a picture")
    if (data.name, data.split) == (validation.name, validation.split):
        raise DataError(f"{data.name}:{data.split}: prompts are to be chosen on another split than they are judged by")
    texts = tuple(dict.fromkeys(candidates or (*data.templates, *prompts.templates("imagenet"))))
    found = _search(clip, data.classes, texts, validation_pictures.rows, labels_of(validation))
    rows, labels = rows_of(clip, found.classes, found.templates), labels_of(data)
    variant = f"prompts searched on {validation.split}"
    answers = answer(pictures.rows, rows, labels, clip.contract.score, pictures.digests)
    own_right, _ = _answers(pictures.rows, own := rows_of(clip, data.classes, data.templates), labels)
    right = answers.rank == 0
    gain = metrics.paired_bootstrap(
        lambda at: float(right[at].mean()), lambda at: float(own_right[at].mean()), len(right)
    )
    before, _ = _answers(validation_pictures.rows, own, labels_of(validation))
    search = {
        "split": validation.split,
        "pictures": len(validation_pictures.rows),
        "candidates": list(texts),
        "steps": [
            {"template": template, "top1": top1} for template, top1 in zip(found.templates, found.top1, strict=True)
        ],
        "names": {data.classes[place].name: name for place, name in found.named.items()},
        "validation": {"default": float(before.mean()), "searched": found.top1[-1], "note": OPTIMISTIC},
        "test": {"default": float(own_right.mean()), "searched": float(right.mean())},
        "mcnemar_p": metrics.mcnemar(right, own_right),
    }
    said = protocol(clip, data, pictures) | of_classes(found.classes, found.templates, variant) | {"search": search}
    outcome = of_answers(data, pictures, answers, said, variant)
    return replace(
        outcome, figures=(*outcome.figures, Figure("top1_gain", gain.value, gain.low, gain.high, len(right)))
    )
