"""How well the maps of `explain` point at things, whether they depend on the weights, and what they cost.

    python benchmarks/explain.py FOLDER [--model nano] [--sheets 40] [--methods cells gradcam] [--uneven]

FOLDER has a folder of pictures for each class; take pictures that the model was not trained on. The grid pointing game
(Zhang et al. 2018, the sheets of Boehle et al. 2021): four pictures of different classes, which the model names right
among all classes, on one sheet. Each is asked for as "a photo of a NAME". Figures, each with a 95% bootstrap interval
over the sheets:

    share    the part of the positive map in the right quarter; chance 0.25
    peak     how often the peak is in the right quarter; chance 0.25
    check    mean of |Spearman correlation| with the map of random weights; near 0 is good

Then the time of each method as a ratio to one encode of the same pixels, and the memory that a map of 12 megapixels
takes. --uneven: the sheet is not cut in the middle, so that no window of the method can fit a picture by its design.
"""

from __future__ import annotations

import argparse
import functools
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from machine import described
from PIL import Image, ImageOps

import contralto
from contralto.apply.explain import METHODS, Explanation, Method, explain
from contralto.metrics import bootstrap
from contralto.search.walk import walk

SIDE = 448  # of a sheet
TRIES = 5  # timings, of which the shortest counts
SAMPLES = 200  # masks of rise


class Sheet(NamedTuple):
    """Four pictures in one, their names, and where it is cut: x and y."""

    image: Image.Image
    names: list[str]
    cut: tuple[int, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--sheets", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--uneven", action="store_true")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["cells", "gradcam", "occlusion"])
    options = parser.parse_args()
    clip = contralto.load(options.model, precision="fp32")
    print(f"{described()}; {options.model}")
    named = _named_right(clip, options.folder)
    print(f"{sum(map(len, named.values()))} pictures of {len(named)} classes are named right")
    sheets = list(_sheets(named, options.sheets, np.random.default_rng(options.seed), options.uneven))
    for method in options.methods:
        _pointing(clip, sheets, method)
    _cost(clip, sheets[0], options.methods)
    _memory()


def _named_right(clip: contralto.Clip, folder: Path) -> dict[str, list[str]]:
    """The pictures of each class that get its name among all names; classes without one are left out."""
    files = {
        one.name: [file.path for file in walk(str(one), ())[0]] for one in sorted(folder.iterdir()) if one.is_dir()
    }
    names = [name.replace("_", " ") for name in files]
    labels, right = clip.encode_labels(names), {}
    for place, paths in enumerate(files.values()):
        best = (clip.encode_image(paths) @ labels.T).argmax(1)
        right[names[place]] = [path for path, answer in zip(paths, best, strict=True) if answer == place]
    return {name: paths for name, paths in right.items() if paths}


def _sheets(named: dict[str, list[str]], count: int, random: np.random.Generator, uneven: bool) -> Iterator[Sheet]:
    names = sorted(named)
    for _ in range(count):
        chosen = [names[place] for place in random.choice(len(names), 4, replace=False)]
        cut = (
            tuple(int(n) for n in random.integers(SIDE * 3 // 8, SIDE * 5 // 8 + 1, 2)) if uneven else (SIDE // 2,) * 2
        )
        sheet = Image.new("RGB", (SIDE, SIDE))
        for place, name in enumerate(chosen):
            row, column = divmod(place, 2)
            size = (SIDE - cut[0] if column else cut[0]), (SIDE - cut[1] if row else cut[1])
            picture = Image.open(named[name][int(random.integers(len(named[name])))]).convert("RGB")
            sheet.paste(ImageOps.fit(picture, size, Image.Resampling.BICUBIC), (cut[0] * column, cut[1] * row))
        yield Sheet(sheet, chosen, (cut[0], cut[1]))


def _pointing(clip: contralto.Clip, sheets: list[Sheet], method: Method) -> None:
    figures = np.array(
        [
            _figures(_explained(clip, sheet, name, method), sheet.cut, place)
            for sheet in sheets
            for place, name in enumerate(sheet.names)
        ]
    )
    owners = [place // 4 for place in range(len(figures))]
    print(f"{method}, {len(figures)} questions")
    for name, column in zip(("share", "peak", "check"), figures.T, strict=True):
        low, high = bootstrap(functools.partial(_mean, column), len(column), groups=owners)
        print(f"  {name:6} {column.mean():.3f} [{low:.3f}, {high:.3f}]")


def _mean(values: np.ndarray, places: np.ndarray) -> float:
    return float(values[places].mean())


def _explained(clip: contralto.Clip, sheet: Sheet, name: str, method: Method) -> Explanation:
    return explain(clip, sheet.image, f"a photo of a {name}", method=method, check=True, samples=SAMPLES)


def _figures(one: Explanation, cut: tuple[int, int], place: int) -> tuple[float, float, float]:
    row, column = divmod(place, 2)
    positive = np.maximum(one.map, 0)
    part = positive[slice(cut[1], None) if row else slice(cut[1]), slice(cut[0], None) if column else slice(cut[0])]
    peak = one.peak is not None and (one.peak[0] >= cut[0], one.peak[1] >= cut[1]) == (bool(column), bool(row))
    assert one.sanity is not None
    return float(part.sum() / max(positive.sum(), 1e-12)), float(peak), abs(one.sanity)


def _cost(clip: contralto.Clip, sheet: Sheet, methods: list[Method]) -> None:
    text = sheet.names[0]
    encode = _seconds(lambda: (clip.encode_image(sheet.image), clip.encode_text(text)))
    print(f"one encode of the picture and of a text of one word: {1000 * encode:.1f} ms")
    for method in methods:
        took = _seconds(functools.partial(explain, clip, sheet.image, text, method=method, samples=SAMPLES))
        print(f"  {method:10} {took / encode:6.2f} times that")


def _seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(TRIES + 1):  # the first is to warm up
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times[1:])


def _memory() -> None:
    area = (500.0, 0.0, 3500.0, 3000.0)
    one = Explanation(np.ones((14, 14), np.float32), area, area, (4000, 3000), 0.3, "cells", [])
    tracemalloc.start()
    taken = one.map.nbytes
    print(f"a map of 12 megapixels: {taken / 2**20:.1f} MiB, at most {tracemalloc.get_traced_memory()[1] / 2**20:.1f}")


if __name__ == "__main__":
    main()
