"""Where the good answers end: the cut-off of `contralto search` beside a fixed cosine and the ten best.

    python benchmarks/relevance.py [--model nano] [--data DIR] [--split val] [--fixed 0.3 0.35 0.4]

Class names ask for pictures of labelled sets (folders per class in sets/*.tar), captions for their own picture of
Flickr8k (whatever else a caption fits counts as wrong there). Collections differ in size and in the share that is
relevant; in the `none` ones nothing is, and the right answer is nothing. For each kind: the mean F1 over the questions;
where nothing is relevant, the share of questions for which nothing was called so. Then precision, recall and F1 over
all kinds. --split train is what the constants were chosen on; nano was trained on it, and knows it too well.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from machine import described

import contralto
from contralto.data.classes import ClassFolders
from contralto.data.webdataset import WebDataset
from contralto.search import query, relevance

DATA = Path(__file__).parents[2] / "shared/data"
APART = ("fashion-products", "grocery81", "scenes15", "textures10")  # no class of one is in a picture of another
CAPTIONS = 100
TOP = 10


class Case(NamedTuple):
    """Pictures (N, d), what is asked of them, and which of them are right."""

    kind: str
    rows: np.ndarray
    asked: query.Question
    right: np.ndarray


class Labelled(NamedTuple):
    rows: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    texts: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--split", choices=("train", "val"), default="val")
    parser.add_argument("--fixed", type=float, nargs="+", default=(0.3, 0.35, 0.4))
    options = parser.parse_args()
    clip = contralto.load(options.model)
    print(f"{described()}; {options.model}; {options.split}")
    _cost(clip)
    sets = {path.stem: _labelled(clip, path, options.split) for path in sorted((options.data / "sets").glob("*.tar"))}
    photographs = _captioned(clip, options.data / "flickr8k", options.split)
    _table("asked in words", clip, options.fixed, [*_by_name(sets), *_by_caption(*photographs, _together(sets))])
    _table("asked by a picture", clip, [0.5, 0.6, 0.7], list(_by_picture(sets)))
    _table("asked by a name and a picture", clip, options.fixed, list(_by_picture(sets, named=True)))


def _labelled(clip: contralto.Clip, path: Path, split: str) -> Labelled:
    folders = ClassFolders(path, split)
    samples = [folders[i] for i in range(len(folders))]
    rows = clip.encode_image([sample.picture for sample in samples])
    return Labelled(
        rows, np.array([s.label for s in samples]), np.array(folders.names), clip.encode_text(folders.names)
    )


def _captioned(clip: contralto.Clip, folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """1,000 pictures, and a caption of each."""
    photographs = WebDataset(folder / ("flickr8k-train-00.tar" if split == "train" else "flickr8k-dev.tar"))
    samples = [photographs[i] for i in range(len(photographs))]
    captions = [sample.captions[i % len(sample.captions)] for i, sample in enumerate(samples)]
    return clip.encode_image([sample.picture for sample in samples]), clip.encode_text(captions)


def _together(sets: dict[str, Labelled]) -> Labelled:
    """The sets that are apart as one collection."""
    some = [sets[name] for name in APART]
    first = np.cumsum([0, *(len(one.names) for one in some)])
    labels = np.concatenate([one.labels + start for one, start in zip(some, first, strict=False)])
    rows, names, texts = (np.concatenate([getattr(one, part) for one in some]) for part in ("rows", "names", "texts"))
    return Labelled(rows, labels, names, texts)


def _by_name(sets: dict[str, Labelled]) -> Iterator[Case]:
    random = np.random.default_rng(0)
    for one in sets.values():
        for c in np.unique(one.labels):
            right = one.labels == c
            asked = _words(one.texts[c])
            yield Case("a set", one.rows, asked, right)
            for percent in (20, 50, 90, 100):
                others = round(right.sum() * (100 - percent) / percent)
                chosen = [*np.flatnonzero(right), *random.permutation(np.flatnonzero(~right))[:others]]
                yield Case(f"{percent}% right", one.rows[chosen], asked, right[chosen])
    mixed = _together(sets)
    for c in np.unique(mixed.labels):
        right = mixed.labels == c
        asked = _words(mixed.texts[c])
        others = random.permutation(np.flatnonzero(~right))
        for size in (1, 5, 20, 200):
            few = random.permutation(np.flatnonzero(right))[: max(1, size // 20)]
            shown = np.concatenate([few, others[: size - len(few)]])
            yield Case(f"of {size}", mixed.rows[shown], asked, right[shown])
            yield Case(f"none of {size}", mixed.rows[others[:size]], asked, np.zeros(min(size, len(others)), bool))
        yield Case("of all", mixed.rows, asked, right)
        yield Case("none of all", mixed.rows[others], asked, np.zeros(len(others), bool))
    for name in APART:
        for other in APART:
            rows = sets[other].rows
            for text in sets[name].texts if name != other else ():
                yield Case("none, foreign", rows, _words(text), np.zeros(len(rows), bool))


def _by_caption(images: np.ndarray, texts: np.ndarray, mixed: Labelled) -> Iterator[Case]:
    places = np.arange(len(images))
    for i in places[:: len(images) // CAPTIONS]:
        yield Case("caption", images, _words(texts[i]), places == i)
        nothing = np.zeros(len(images) - 1, bool)
        yield Case("none, caption", images[places != i], _words(texts[i]), nothing)
        yield Case("none, foreign caption", mixed.rows, _words(texts[i]), np.zeros(len(mixed.rows), bool))


def _by_picture(sets: dict[str, Labelled], named: bool = False) -> Iterator[Case]:
    """The first picture of each class asks for the others."""
    random = np.random.default_rng(0)
    for kind, collection in [*(("a set", one) for one in sets.values()), ("of all", _together(sets))]:
        for c in np.unique(collection.labels):
            first = int(np.flatnonzero(collection.labels == c)[0])
            text = collection.texts[c] if named else None
            asked = query.Question(text, collection.rows[first], np.empty((0, 1), np.float32))
            right = collection.labels == c
            others = np.flatnonzero(~right)
            right[first] = False
            rest = np.delete(np.arange(len(right)), first)
            yield Case(kind, collection.rows[rest], asked, right[rest])
            yield Case(f"none, {kind}", collection.rows[others], asked, right[others])
            some = np.concatenate([np.flatnonzero(right)[:2], random.permutation(others)[:38]])
            yield Case("of 40", collection.rows[some], asked, right[some])


def _words(text: np.ndarray) -> query.Question:
    return query.Question(text, None, np.empty((0, 1), np.float32))


def _table(title: str, clip: contralto.Clip, fixed: list[float], cases: list[Case]) -> None:
    kinds = list(dict.fromkeys(case.kind for case in cases))
    print(f"\n{title}: {len(cases):,} questions, mean F1")
    columns = {"the cut-off": _cut_off(clip), **{f"cosine > {t}": _above(t) for t in fixed}, f"best {TOP}": _best}
    print(f"{'':24}" + "".join(f"{name:>16}" for name in columns))
    found = {name: [_judged(choose(case, cosines), case.right) for case, cosines in _asked(cases)]
             for name, choose in columns.items()}  # fmt: skip
    for kind in kinds:
        places = [i for i, case in enumerate(cases) if case.kind == kind]
        print(f"{kind:24}" + "".join(f"{np.mean([found[name][i][2] for i in places]):16.3f}" for name in columns))
    for part, name in enumerate(("precision", "recall", "F1")):
        print(f"{f'{name}, some right':24}" + "".join(
            f"{_mean_of_kinds(found[column], cases, part, some=True):16.3f}" for column in columns))  # fmt: skip
    print(f"{'nothing, none right':24}" + "".join(
        f"{_mean_of_kinds(found[column], cases, 2, some=False):16.3f}" for column in columns))  # fmt: skip


def _asked(cases: list[Case]) -> Iterator[tuple[Case, np.ndarray]]:
    return ((case, query.cosines(case.rows, case.asked.row())) for case in cases)


def _mean_of_kinds(judged: Sequence[tuple[float, ...]], cases: list[Case], part: int, *, some: bool) -> float:
    """The mean over the kinds, each as heavy as the others; precision where nothing was called relevant is left out."""
    kinds = dict.fromkeys(case.kind for case in cases if case.kind.startswith("none") != some)
    each = [[one[part] for one, case in zip(judged, cases, strict=True) if case.kind == kind] for kind in kinds]
    return float(np.mean([np.nanmean(values) for values in each]))


def _judged(called: np.ndarray, right: np.ndarray) -> tuple[float, float, float]:
    """Precision, recall and F1."""
    if not right.any():
        return (float(not called.any()),) * 3
    both = float((called & right).sum())
    return both / called.sum() if called.any() else np.nan, both / right.sum(), 2 * both / (called.sum() + right.sum())


class Nouns:
    """An encoder of the background alone, whose rows are read once for all questions."""

    def __init__(self, clip: contralto.Clip) -> None:
        self.rows = clip.encode_labels(list(relevance.NOUNS), None)

    def encode_labels(self, labels: list[str], templates: None) -> np.ndarray:
        return self.rows[: len(labels)]


def _cut_off(clip: contralto.Clip) -> Callable[[Case, np.ndarray], np.ndarray]:
    nouns = Nouns(clip)
    return lambda case, cosines: cosines > relevance.threshold(nouns, case.asked, case.rows, cosines)


def _above(least: float) -> Callable[[Case, np.ndarray], np.ndarray]:
    return lambda case, cosines: cosines > least


def _best(case: Case, cosines: np.ndarray) -> np.ndarray:
    return np.isin(np.arange(len(cosines)), [place for place, _ in query.best(cosines, TOP)])


def _cost(clip: contralto.Clip) -> None:
    """What the cut-off adds to a search of 10,000 pictures, the background's rows being in the cache."""
    random = np.random.default_rng(0)
    rows = random.standard_normal((10_000, clip.contract.embedding)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    began = time.perf_counter()
    clip.encode_labels(list(relevance.NOUNS), None)
    first = time.perf_counter() - began
    for what, asked in (("words", _words(rows[0])), ("a picture", query.Question(None, rows[0], rows[:0]))):
        cosines = query.cosines(rows, asked.row())
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            relevance.threshold(clip, asked, rows, cosines)
            seconds.append(time.perf_counter() - began)
        print(f"10,000 pictures, by {what}: {1000 * min(seconds):.1f} ms")
    print(f"background's rows, the first time: {1000 * first:.0f} ms")


if __name__ == "__main__":
    main()
