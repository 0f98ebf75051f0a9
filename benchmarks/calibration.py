"""Independent label scores (`zeroshot/calibrated.py`): how far the probabilities can be trusted, on labelled sets.

    python benchmarks/calibration.py [--model nano] [--data DIR]

A calibration is fitted on the pictures of the splits train (of which nano saw all: it is surer there than elsewhere)
and measured on val: fitted to the set itself; to the other five, as if the set were unknown; and the same, told the
share of labels that are true (one of L). ECE has 15 bins; the Brier score of who only knows that share stands beside.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from machine import described

import contralto
from contralto.data.class_folders import ClassFolders
from contralto.metrics import auc, brier, ece
from contralto.zeroshot.calibrated import Calibration

DATA = Path(__file__).parents[2] / "shared/data/sets"
Pairs = tuple[np.ndarray, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    clip = contralto.load(options.model)
    print(f"{described()}; {options.model}")
    paths = sorted(options.data.glob("*.tar"))
    train, val = ([_pairs(clip, path, split) for path in paths] for split in ("train", "val"))
    heads = ("its own train", "the other sets", "the same, share told")
    print(
        f"{'':18}{'labels':>7}{'AUC':>7}" + "".join(f"{head + ': ECE, Brier':>34}" for head in heads) + "  share alone"
    )
    for i, path in enumerate(paths):
        cosines, truth = val[i]
        share = float(truth.mean())
        own, others = _fitted([train[i]]), _fitted(train[:i] + train[i + 1 :])
        found = (own.probabilities(cosines), others.probabilities(cosines), others.probabilities(cosines, share))
        cells = "".join(f"{_ece(likely, truth):26.3f}{_brier(likely, truth):8.4f}" for likely in found)
        order = auc(cosines.ravel(), truth.ravel())
        print(f"{path.stem:18}{truth.shape[1]:7}{order:7.3f}{cells}{share * (1 - share):13.4f}")
    together = _fitted(train)
    likely, truth = (np.concatenate([part.ravel() for part in parts]) for parts in zip(
        *((together.probabilities(cosines), truth) for cosines, truth in val), strict=True))  # fmt: skip
    print(f"all, fitted on all: ECE {ece(likely, truth):.4f}, Brier {brier(likely, truth):.4f}, "
          f"AUC {auc(likely, truth):.4f}; {together}")  # fmt: skip


def _pairs(clip: contralto.Clip, path: Path, split: str) -> Pairs:
    """Cosines (N, L) and which labels are true."""
    folders = ClassFolders(path, split)
    samples = [folders[i] for i in range(len(folders))]
    cosines = clip.similarity([sample.picture for sample in samples], clip.encode_labels(folders.names))
    return cosines, np.array([sample.label for sample in samples])[:, None] == np.arange(len(folders.names))


def _fitted(sets: list[Pairs]) -> Calibration:
    cosines, truth = (np.concatenate([part.ravel() for part in parts])[:, None] for parts in zip(*sets, strict=True))
    return Calibration.fit(cosines, truth)


def _ece(likely: np.ndarray, truth: np.ndarray) -> float:
    return ece(likely.ravel(), truth.ravel())


def _brier(likely: np.ndarray, truth: np.ndarray) -> float:
    return brier(likely.ravel(), truth.ravel())


if __name__ == "__main__":
    main()
