"""What `contralto adapt` gains, against scikit-learn's probe and Tip-Adapter as published; its time; and false alarms.

    python benchmarks/adapt.py [--data ../shared/data] [--only sets draws lora time random] [--sets trash6 ...] [--json]

sets: each method is fitted to the train split of the six labelled sets, and measured on val. auto chooses by folds.
    The peers get the same features or embeddings: scikit-learn's LogisticRegressionCV (ten strengths, five folds of its
    own), and Tip-Adapter with its published alpha 1 and beta 5.5. nano was trained on the train pictures, so methods by
    name have their default settings there.
draws: the same with 16 pictures a class (or all), drawn three times; the mean, and its 95% interval by Student's t.
lora: both towers, as many steps as fit into 90 seconds. Needs the extra `train`.
time: from process start to the page, on 300 drawn pictures to fit and 300 to measure, in an empty cache.
random: labels at random, 100 times, on drawn pictures; how often "helped" comes out.

Exits 1 if auto's mean over the sets is below scikit-learn's, or if random labels "helped" in more than 5 of 100 draws.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from machine import Disturbance, described
from numpy.typing import NDArray

import contralto
from contralto.adaptation.roles import RolePart, assign_roles
from contralto.data.scenes import SCENE_COLOURS, SCENE_SHAPES, Scene, draw
from contralto.encoder import Clip
from contralto.evaluation.session import Session, open_session
from contralto.evaluation.zero_shot import embed_classes
from contralto.probe import TipAdapter
from contralto.sets.data_set import Class, DataSet, Item
from contralto.sets.open import open_set

DATA = Path(os.environ.get("CONTRALTO_DATA") or Path(__file__).parents[2] / "shared/data")
SETS = ("clothing10", "fashion-products", "grocery81", "scenes15", "textures10", "trash6")
PARTS = ("sets", "draws", "lora", "time", "random")
FROZEN = ("zero-shot", "prototypes", "tip", "tip-f", "gaussian", "kernel", "probe", "auto")
MOVED = ("projection", "adapter")
SKLEARN, PUBLISHED = "scikit-learn, LogisticRegressionCV", "Tip-Adapter as published"

SHOTS, DRAWS = 16, 3
STUDENT = 4.303  # the 97.5% quantile of Student's t with DRAWS - 1 degrees of freedom
TIMED_PICTURES = 300
RANDOM_DRAWS, RANDOM_PICTURES, MAX_HELPED = 100, 96, 0.05
BUSY_SHARE = 0.1

Figures = dict[str, list[float]]
"""The name of a way -> its accuracies on the sets, in percent."""


def main() -> None:
    options = arguments()
    say(options, described())
    others = Disturbance()
    others.pause()
    clip = contralto.load(options.model, precision="fp32")
    faults: list[str] = []
    for part in options.only:
        say(options, "")
        faults += MEASURE[part](clip, options)
        others.pause()
    if others.part > BUSY_SHARE:
        say(options, f"BUSY MACHINE: others used {others.part:.0%} of it; times and numbers of steps mean little")
    sys.exit("; ".join(faults) or 0)


def arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, default=DATA, help="folder with sets/NAME.tar (default: $CONTRALTO_DATA)")
    made.add_argument("--model", default="nano")
    made.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    made.add_argument("--sets", nargs="+", default=SETS, metavar="SET")
    made.add_argument("--draws", type=int, default=RANDOM_DRAWS, help="of random labels (default: 100)")
    made.add_argument("--json", action="store_true", help="print JSON objects on stdout, everything else on stderr")
    options = made.parse_args()
    missing = [name for name in options.sets if not path_of(options, name).is_file()]
    if missing and {"sets", "draws", "lora"} & {*options.only}:
        sys.exit(f"{path_of(options, missing[0])}: no such file: give the folder of the sets with --data")
    return options


def path_of(options: argparse.Namespace, name: str) -> Path:
    return Path(options.data) / "sets" / f"{name}.tar"


def measure_sets(clip: Clip, options: argparse.Namespace) -> list[str]:
    """All ways that need no training of towers, on the whole train splits."""
    figures: Figures = {}
    sizes: dict[str, list[float]] = {}
    for name in options.sets:
        for method in (*FROZEN, *MOVED):
            made = contralto.adapt(clip, path_of(options, name), method=method)
            figures.setdefault(method, []).append(accuracy(made))
            sizes.setdefault(method, []).append(made.report.bytes / 1e3)
            shown = f"{made.method}, {made.verdict}, p {made.report.measured.verdict.p:.2g}"
            say(options, f"  {name}: {method:12} {figures[method][-1]:5.1f}  {shown}")
        for peer, value in peers(clip, open_set(path_of(options, name)), None, 0):
            figures.setdefault(peer, []).append(value)
    table(options, "train -> val, accuracy in percent", figures, {way: float(np.mean(kb)) for way, kb in sizes.items()})
    ours, theirs = np.mean(figures["auto"]), np.mean(figures[SKLEARN])
    return [f"auto has {ours:.1f} on average, scikit-learn {theirs:.1f}"] if ours < theirs else []


def measure_draws(clip: Clip, options: argparse.Namespace) -> list[str]:
    """Frozen towers with 16 pictures a class, three times."""
    figures: dict[str, list[list[float]]] = {}
    for name in options.sets:
        for method in FROZEN:
            path = path_of(options, name)
            made = [accuracy(contralto.adapt(clip, path, method=method, shots=SHOTS, seed=seed)) for seed in drawn()]
            figures.setdefault(method, []).append(made)
        drawn_peers = [dict(peers(clip, open_set(path_of(options, name)), SHOTS, seed)) for seed in drawn()]
        for peer in drawn_peers[0]:
            figures.setdefault(peer, []).append([one[peer] for one in drawn_peers])
    title = f"{SHOTS} pictures a class or all, {DRAWS} draws: mean, half of its 95% interval"
    say(options, heading(title, options))
    for way, sets in figures.items():
        halves = [STUDENT * float(np.std(values, ddof=1)) / DRAWS**0.5 for values in sets]
        means = [float(np.mean(values)) for values in sets]
        cells = "".join(f"{mean:10.1f} ±{half:4.1f}" for mean, half in zip(means, halves, strict=True))
        say(options, f"{way:36}{cells}{np.mean(means):9.1f}")
        record(options, f"adapt, {SHOTS} a class, {way}", float(np.mean(means)), "%")
    return []


def drawn() -> range:
    return range(DRAWS)


def measure_lora(clip: Clip, options: argparse.Namespace) -> list[str]:
    """LoRA on both towers."""
    figures: Figures = {"zero-shot": [], "lora": []}
    sizes = []
    for name in options.sets:
        began = time.perf_counter()
        made = contralto.adapt(clip, path_of(options, name), method="lora")
        took = time.perf_counter() - began
        figures["lora"].append(accuracy(made))
        figures["zero-shot"].append(accuracy(made, "zero-shot"))
        sizes.append(made.report.bytes / 1e3)
        kept = made.report.measured.label_free
        agreement = f"{kept.agreement:.0%} keep their best of 1,000 names" if kept else ""
        say(
            options,
            f"  {name}: {figures['lora'][-1]:.1f}  {made.verdict}, {made.report.why}, {took:.0f} s; {agreement}",
        )
    table(options, "LoRA on both towers, 90 s of steps", figures, {"lora": float(np.mean(sizes))})
    return []


def measure_time(clip: Clip, options: argparse.Namespace) -> list[str]:
    """The command, from process start to the page, with an empty cache."""
    with tempfile.TemporaryDirectory() as made:
        folder, out = Path(made, "shapes"), Path(made, "mine")
        write_pictures(folder)
        command = [sys.executable, "-m", "contralto", "adapt", str(folder), "--out", str(out), "--model", options.model]
        environment = {**os.environ, "CONTRALTO_CACHE": str(Path(made, "cache"))}
        began = time.perf_counter()
        done = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, check=False)
        took = time.perf_counter() - began
        if done.returncode:
            return [f"the command failed: {done.stderr.strip().splitlines()[-1]}"]
        result = json.loads(done.stdout.splitlines()[-1])
        page = (out / "index.html").stat().st_size
    what = f"{TIMED_PICTURES} + {TIMED_PICTURES} pictures of {len(SCENE_SHAPES)} classes, process start to page"
    say(options, f"{what}: {took:.1f} s; {result['method']}, {result['verdict']}")
    say(options, f"the adaptation has {result['bytes'] / 1e3:.0f} kB, its page {page / 1e3:.0f} kB")
    record(options, f"adapt, {what}", took, "s")
    return []


def measure_random(clip: Clip, options: argparse.Namespace) -> list[str]:
    """How often an adaptation to labels that mean nothing "helped"."""
    verdicts = []
    for seed in range(options.draws):
        made = contralto.adapt(clip, random_set(seed))
        verdicts.append(made.verdict)
        if not (seed + 1) % 10:
            say(options, f"  {seed + 1} draws: helped {verdicts.count('helped')}, hurt {verdicts.count('hurt')}")
    helped = verdicts.count("helped")
    say(options, f'random labels, {len(verdicts)} draws: "helped" {helped} times, "hurt" {verdicts.count("hurt")}')
    record(options, f'adapt, random labels, "helped" of {len(verdicts)}', helped, "draws")
    bound = MAX_HELPED * len(verdicts)
    return [f'random labels "helped" in {helped} of {len(verdicts)} draws'] if helped > bound else []


MEASURE: dict[str, Callable[[Clip, argparse.Namespace], list[str]]] = {
    "sets": measure_sets,
    "draws": measure_draws,
    "lora": measure_lora,
    "time": measure_time,
    "random": measure_random,
}


def accuracy(made: contralto.Adaptation, variant: str = "adapted") -> float:
    """The top-1 accuracy in percent."""
    return 100 * next(figure.value for figure in made.figures[variant] if figure.metric == "top1")


def peers(clip: Clip, data: DataSet, shots: int | None, seed: int) -> Iterator[tuple[str, float]]:
    """Each peer with its accuracy in percent, fitted to the same pictures and measured on the same ones."""
    with open_session(clip) as session:
        roles = assign_roles(session, data, shots=shots, seed=seed)
        text = embed_classes(clip, data.classes, data.templates)
        yield SKLEARN, sklearn_accuracy(session, roles.fit, roles.measure)
        rows, others = (session.embed_pictures(part.data).embeddings for part in (roles.fit, roles.measure))
        tip = TipAdapter(alpha=1.0, beta=5.5).fit(rows, roles.fit.labels, clip.contract.score.scale * text)
        yield PUBLISHED, 100 * float(np.mean(tip.predict(others) == roles.measure.labels))


def sklearn_accuracy(session: Session, fit: RolePart, measure: RolePart) -> float:
    """Of LogisticRegressionCV with its defaults but max_iter, on features of mean length 1."""
    from sklearn.linear_model import LogisticRegressionCV

    rows, others = (session.embed_pictures(part.data, kind="features").embeddings for part in (fit, measure))
    length = float(np.linalg.norm(rows, axis=1).mean())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of defaults that will change, and of 1,000 iterations that were too few
        probe = LogisticRegressionCV(cv=5, max_iter=1000).fit(rows / length, fit.labels)
    return 100 * float(np.mean(probe.predict(others / length) == measure.labels))


def picture(place: int, seed: int) -> NDArray[np.uint8]:
    """The drawn picture uint8 (H, W, 3) at a place; the shapes take turns."""
    random = np.random.default_rng((seed, place))
    colour = str(random.choice(tuple(SCENE_COLOURS)))
    size = str(random.choice(("small", "large")))
    shape = SCENE_SHAPES[place % len(SCENE_SHAPES)]
    return np.asarray(draw(Scene("alone", ((colour, shape, size),)), random), np.uint8)


def write_pictures(folder: Path) -> None:
    """A folder per shape, in the splits train and test."""
    from PIL import Image

    for seed, split in enumerate(("train", "test")):
        for place in range(TIMED_PICTURES):
            path = folder / split / SCENE_SHAPES[place % len(SCENE_SHAPES)] / f"{place:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(place, seed)).save(path)


def random_set(seed: int) -> DataSet:
    """Drawn pictures, the same for each seed, with labels of four classes at random, equally often in each split."""
    random = np.random.default_rng(seed)
    names = SCENE_SHAPES[:4]

    def items(split: int) -> Sequence[Item]:
        labels = random.permutation(np.arange(RANDOM_PICTURES) % len(names)).tolist()
        return [Item(f"{split}-{place}", picture(place, split), label) for place, label in enumerate(labels)]

    train, test = items(0), items(1)
    classes = tuple(Class(name) for name in names)
    shared = {"classes": classes, "templates": ("a picture of a {}.",), "splits": ("train", "test")}
    measured = DataSet("random", "test", "classes", "top1", test, **shared)  # type: ignore[arg-type]
    fitted = replace(measured, split="train", items=train)
    return replace(measured, open_split=lambda split: fitted)


def table(options: argparse.Namespace, title: str, figures: Figures, sizes: dict[str, float]) -> None:
    """A line a way: its figure on each set, their mean, and the mean size of its file in kB."""
    say(options, heading(title, options))
    for way, values in figures.items():
        cells = "".join(f"{value:17.1f}" for value in values)
        size = f"{sizes[way]:9.0f} kB" if way in sizes else ""
        say(options, f"{way:36}{cells}{np.mean(values):9.1f}{size}")
        record(options, f"{title}, {way}", float(np.mean(values)), "%")


def heading(title: str, options: argparse.Namespace) -> str:
    return f"\n{title}\n{'':36}" + "".join(f"{name:>17}" for name in options.sets) + f"{'mean':>9}"


def record(options: argparse.Namespace, what: str, value: float, unit: str) -> None:
    if options.json:
        print(json.dumps({"what": what, "value": round(value, 2), "unit": unit}), flush=True)


def say(options: argparse.Namespace, line: str) -> None:
    print(line, file=sys.stderr if options.json else sys.stdout, flush=True)


if __name__ == "__main__":
    main()
