"""Mistakes: which classes are confused, and the pictures of the wrong answers with the highest confidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto.evaluation.outcome import Outcome
from contralto.evaluation.report.data_address import data_address
from contralto.evaluation.report.plots import confusion_plot
from contralto.evaluation.report.words import percent, text

PictureLookup = Callable[[str, str, str], Image.Image | None]
"""(set, split, key of an item) -> its picture, or None if it is not available."""

MISTAKE_SIDE: Final = 160
MISTAKE_QUALITY: Final = 72  # of the JPEG
CONFUSED_PAIRS: Final = 10
WIDE_MATRIX: Final = 8  # a matrix of more classes takes the place of two plots
MAX_MATRIX_CLASSES: Final = 60


def confusion(outcome: Outcome) -> str:
    """The whole matrix. Empty for more than 60 classes."""
    if len(outcome.classes) > MAX_MATRIX_CLASSES:
        return ""
    drawn = confusion_plot(_matrix(outcome), outcome.classes)
    about = "True classes down, answers across: blue where right, shaded by the share of the true class."
    wide = " wide" if len(outcome.classes) > WIDE_MATRIX else ""
    return f'<figure class="plot{wide}"><figcaption><h3>Confusion</h3><p>{about}</p></figcaption>' + (
        f'<div class="matrix" tabindex="0">{drawn}</div></figure>'
    )


def confused(outcome: Outcome) -> str:
    """The pairs that are confused most often. Empty without any."""
    matrix = _matrix(outcome)
    wrong = matrix - np.diag(np.diag(matrix))
    if not wrong.any():
        return ""
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSED_PAIRS]
    rows = "".join(_pair(matrix, outcome.classes, *divmod(int(at), len(matrix))) for at in order if wrong.flat[at])
    head = '<th scope="col">true</th><th scope="col">taken for</th><th scope="col" class="n">how often</th>'
    pairs = f'<table class="pairs"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="plot"><h3>Most confused</h3>{pairs}</div>'


def gallery(outcome: Outcome, pictures: PictureLookup, max_pictures: int) -> str:
    """The wrong answers with the highest confidence, as pictures. Empty without wrong answers."""
    records = outcome.records
    wrong = _judged(outcome) & (records.rank > 0) & (records.predicted != records.label)
    places = np.flatnonzero(wrong)
    surest = places[np.argsort(-records.confidence[places], kind="stable")][:max_pictures]
    if not len(surest):
        return ""
    cards = "".join(_card(outcome, int(place), pictures) for place in surest)
    about = f"The {len(surest)} wrong answers with the highest confidence, out of {len(places):,}."
    return f'<h3>Most confident mistakes</h3><p class="about">{about}</p><div class="mistakes">{cards}</div>'


def _judged(outcome: Outcome) -> NDArray[np.bool_]:
    """(N,): items with a class and a prediction, whose picture could be used."""
    records = outcome.records
    lost = set(outcome.failures)
    used = np.array([key not in lost for key in records.key], bool)
    known: NDArray[np.bool_] = (records.label >= 0) & (records.predicted >= 0) & used
    return known


def _matrix(outcome: Outcome) -> NDArray[np.int64]:
    """Counts (C, C): true class by predicted class."""
    n, judged = len(outcome.classes), _judged(outcome)
    cells = outcome.records.label[judged] * n + outcome.records.predicted[judged]
    return np.bincount(cells.astype(np.int64), minlength=n * n).reshape(n, n)


def _pair(matrix: NDArray[np.int64], classes: tuple[str, ...], true: int, taken: int) -> str:
    count, total = int(matrix[true, taken]), int(matrix[true].sum())
    often = f"{count} of {total} <small>{percent(count / total)}</small>"
    return f'<tr><td>{text(classes[true])}</td><td>{text(classes[taken])}</td><td class="n">{often}</td></tr>'


def _card(outcome: Outcome, place: int, pictures: PictureLookup) -> str:
    records = outcome.records
    key = str(records.key[place])
    taken, true = (text(outcome.classes[int(at[place])], 80) for at in (records.predicted, records.label))
    sure = f"{100 * float(records.confidence[place]):.0f}%"
    caption = f'<span class="bad">{taken}</span> <small>{sure}</small><br><span class="soft">is</span> {true}'
    return card(key, pictures(outcome.set, outcome.split, key), caption)


def card(key: str, picture: Image.Image | None, caption: str) -> str:
    """A picture of a gallery over its caption, HTML; the key in place of a picture that is not available."""
    shown = (
        f'<div class="none">{text(key)}</div>' if picture is None else f'<img src="{small_address(picture)}" alt="">'
    )
    return f'<figure title="{text(key)}">{shown}<figcaption>{caption}</figcaption></figure>'


def small_address(picture: Image.Image) -> str:
    """The picture at the size of a card, in a data: address."""
    return data_address(picture, MISTAKE_SIDE, MISTAKE_QUALITY)
