"""What went wrong: which classes are taken for which, and the pictures of which the model was surest."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto.evaluation.outcome import Outcome
from contralto.evaluation.report.plots import heat
from contralto.evaluation.report.words import percent, text

Pictures = Callable[[str, str, str], Image.Image | None]
"""(set, split, item's key) -> its picture, or None where there is none to be shown."""

SIDE, QUALITY = 160, 72
PAIRS, WIDE, MOST_CLASSES = 10, 8, 60  # a matrix of more than WIDE classes takes the place of two plots


def confusion(outcome: Outcome) -> str:
    """The whole matrix. Empty for more than 60 classes."""
    if len(outcome.classes) > MOST_CLASSES:
        return ""
    drawn = heat(_matrix(outcome), outcome.classes)
    about = "True classes down, answers across: blue where right, shaded by the share of the true class."
    wide = " wide" if len(outcome.classes) > WIDE else ""
    return f'<figure class="plot{wide}"><figcaption><h3>Confusion</h3><p>{about}</p></figcaption>' + (
        f'<div class="matrix" tabindex="0">{drawn}</div></figure>'
    )


def confused(outcome: Outcome) -> str:
    """The pairs confused most often. Empty if nothing was confused."""
    matrix = _matrix(outcome)
    wrong = matrix - np.diag(np.diag(matrix))
    if not wrong.any():
        return ""
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    rows = "".join(_pair(matrix, outcome.classes, *divmod(int(at), len(matrix))) for at in order if wrong.flat[at])
    head = '<th scope="col">true</th><th scope="col">taken for</th><th scope="col" class="n">how often</th>'
    pairs = f'<table class="pairs"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="plot"><h3>Most confused</h3>{pairs}</div>'


def gallery(outcome: Outcome, pictures: Pictures, most: int) -> str:
    """The wrong answers with the highest confidence, as pictures. Empty if there are none."""
    records = outcome.records
    wrong = _judged(outcome) & (records.rank > 0) & (records.predicted != records.label)
    places = np.flatnonzero(wrong)
    surest = places[np.argsort(-records.confidence[places], kind="stable")][:most]
    if not len(surest):
        return ""
    cards = "".join(_card(outcome, int(place), pictures) for place in surest)
    about = f"The {len(surest)} wrong answers of which the model was surest, out of {len(places):,}."
    return f'<h3>Surest mistakes</h3><p class="about">{about}</p><div class="mistakes">{cards}</div>'


def _judged(outcome: Outcome) -> NDArray[np.bool_]:
    """Items with one class each that could be used."""
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


def _card(outcome: Outcome, place: int, pictures: Pictures) -> str:
    records = outcome.records
    key = str(records.key[place])
    picture = pictures(outcome.set, outcome.split, key)
    shown = f'<div class="none">{text(key)}</div>' if picture is None else f'<img src="{data(picture)}" alt="">'
    taken, true = (text(outcome.classes[int(at[place])], 80) for at in (records.predicted, records.label))
    sure = f"{100 * float(records.confidence[place]):.0f}%"
    said = f'<span class="bad">{taken}</span> <small>{sure}</small><br><span class="soft">is</span> {true}'
    return f'<figure title="{text(key)}">{shown}<figcaption>{said}</figcaption></figure>'


def data(picture: Image.Image) -> str:
    """The picture as a small JPEG inside a data: address."""
    small = picture.convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
