"""Where the relevant results end: the cut-off of `contralto search` against fixed cosines and the ten best.

    python benchmarks/relevance.py [--model nano] [--data DIR] [--part test|fit]

`relevance_cases.py` describes the pictures and questions of the two parts and how the correct answers are known.
Nothing was chosen with the part `test`. Two figures count, each a mean over kinds of questions, with a 95% bootstrap
interval over the questions:

    F1          for questions with an answer: agreement of the results called relevant with the relevant pictures
    answered    for questions without an answer: the share with no picture called relevant

The fixed cosine with hindsight has the highest F1 on the questions that it is measured on. The other fixed cosine
gives an empty answer to as many questions as the cut-off does.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import relevance_cases
from machine import described
from relevance_cases import Case

import contralto
from contralto.search import query, relevance
from contralto.search.encoder import Encoder

DATA = Path(__file__).parents[2] / "shared/data"
TOP = 10
RESAMPLES = 1000
STEPS = np.arange(0.1, 0.9, 0.01)


class Answered(NamedTuple):
    """A case without its embeddings: correct pictures (N,), their cosines (N,) and the cut-off."""

    kind: str
    question: str
    size: str
    right: np.ndarray
    cosines: np.ndarray
    threshold: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--part", choices=("test", "fit"), default="test")
    options = parser.parse_args()
    clip = contralto.load(options.model, precision="fp32")
    print(f"{described()}; {options.model}; {options.part}")
    _cost(clip)
    sets = relevance_cases.collections(clip, options.data, options.part)
    print("; ".join(f"{name}: {len(one.pictures)} pictures" for name, one in sets.items()))
    nouns = cast(Encoder, Nouns(clip))
    _table("asked in words", _answered(nouns, relevance_cases.in_words(clip, sets, options.part)))
    for named, title in ((False, "asked by a picture"), (True, "asked by a text and a picture")):
        _table(title, _answered(nouns, relevance_cases.by_picture(clip, sets, options.part, named=named)))


class Nouns:
    """An encoder of the background queries only; it computes their embeddings once for all questions."""

    def __init__(self, clip: contralto.Clip) -> None:
        self.rows = clip.encode_labels(list(relevance.NOUNS), None)

    def encode_labels(self, labels: list[str], templates: None) -> np.ndarray:
        return self.rows[: len(labels)]


def _answered(nouns: Encoder, cases: Iterable[Case]) -> list[Answered]:
    answers = []
    for case in cases:
        cosines = query.cosines(case.rows, case.asked.embedding())
        threshold = relevance.threshold(nouns, case.asked, case.rows, cosines)
        answers.append(Answered(case.kind, case.question, case.size, case.right, cosines, threshold))
    return answers


def _table(title: str, answers: list[Answered]) -> None:
    some = np.array([one.right.any() for one in answers])
    kinds = np.array([one.kind for one in answers])
    sizes = np.array([one.size for one in answers])
    questions = len({one.question for one in answers if one.right.any()})
    nothing = len({one.question for one in answers if not one.right.any()})
    print(f"\n{title}: {questions} questions with an answer, {nothing} without; {len(answers):,} cases")
    columns = _columns(answers, some, kinds)
    print(f"{'':36}" + "".join(f"{name:>21}" for name in columns))
    for what, chosen in (("F1, something fits", some), ("answered, nothing fits", ~some)):
        cells = (_interval(f1, answers, kinds, chosen) for f1 in columns.values())
        print(f"{what:36}" + "".join(f"{cell:>21}" for cell in cells))
    for labels, chosen in ((kinds, some), (sizes, some), (kinds, ~some), (sizes, ~some)):
        print()
        for label in dict.fromkeys(labels[chosen]):
            places = chosen & (labels == label)
            print(f"{label:36}" + "".join(f"{f1[places].mean():21.3f}" for f1 in columns.values()))


def _above(step: float, one: Answered) -> np.ndarray:
    return one.cosines > step


def _columns(answers: list[Answered], some: np.ndarray, kinds: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of each way of choosing, case by case."""
    cut_off = _judged(answers, lambda one: one.cosines > one.threshold)
    fixed = [_judged(answers, functools.partial(_above, step)) for step in STEPS]
    figures = [(_mean_of_kinds(f1, kinds, some), _mean_of_kinds(f1, kinds, ~some)) for f1 in fixed]
    best = int(np.argmax([f1 for f1, _ in figures]))
    enough = _mean_of_kinds(cut_off, kinds, ~some)
    alike = next((i for i, (_, answered) in enumerate(figures) if answered >= enough), len(STEPS) - 1)
    return {
        "the cut-off": cut_off,
        f"best: cosine > {STEPS[best]:.2f}": fixed[best],
        f"alike: cosine > {STEPS[alike]:.2f}": fixed[alike],
        f"the best {TOP}": _judged(answers, _best),
    }


def _judged(answers: list[Answered], choose: Callable[[Answered], np.ndarray]) -> np.ndarray:
    """F1 of each case; without an answer, 1 if the result is empty and 0 otherwise."""
    f1 = []
    for one in answers:
        called, right = choose(one), one.right
        both = 2 * float((called & right).sum())
        f1.append(both / (called.sum() + right.sum()) if right.any() else float(not called.any()))
    return np.array(f1)


def _best(one: Answered) -> np.ndarray:
    return np.isin(np.arange(len(one.cosines)), [place for place, _ in query.best_matches(one.cosines, TOP)])


def _mean_of_kinds(f1: np.ndarray, kinds: np.ndarray, chosen: np.ndarray) -> float:
    """The mean over kinds, with equal weight for each kind."""
    return float(np.mean([f1[chosen & (kinds == kind)].mean() for kind in np.unique(kinds[chosen])]))


def _interval(f1: np.ndarray, answers: list[Answered], kinds: np.ndarray, chosen: np.ndarray) -> str:
    """The mean over kinds, with a bootstrap interval over questions, each with all its collections."""
    random = np.random.default_rng(0)
    means = []
    for kind in np.unique(kinds[chosen]):
        places = np.flatnonzero(chosen & (kinds == kind))
        _, question = np.unique([answers[i].question for i in places], return_inverse=True)
        total, cases = np.bincount(question, f1[places]), np.bincount(question)
        drawn = random.integers(len(total), size=(RESAMPLES, len(total)))
        means.append(total[drawn].sum(axis=1) / cases[drawn].sum(axis=1))
    low, high = np.quantile(np.mean(means, axis=0), (0.025, 0.975))
    return f"{_mean_of_kinds(f1, kinds, chosen):.3f} [{low:.3f}, {high:.3f}]"


def _cost(clip: contralto.Clip) -> None:
    """The time that the cut-off adds to a search in 10,000 pictures, with a cached background."""
    random = np.random.default_rng(0)
    rows = random.standard_normal((10_000, clip.contract.embedding)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    began = time.perf_counter()
    clip.encode_labels(list(relevance.NOUNS), None)
    first = time.perf_counter() - began
    words, picture = query.Query(rows[0], None, rows[:0]), query.Query(None, rows[0], rows[:0])
    for what, asked in (("words", words), ("a picture", picture)):
        cosines = query.cosines(rows, asked.embedding())
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            relevance.threshold(clip, asked, rows, cosines)
            seconds.append(time.perf_counter() - began)
        print(f"10,000 pictures, by {what}: {1000 * min(seconds):.1f} ms")
    print(f"embeddings of the background, first time: {1000 * first:.0f} ms")


if __name__ == "__main__":
    main()
