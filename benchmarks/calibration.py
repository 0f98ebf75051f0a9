"""Independent label scores (`zeroshot/calibrated.py`): how reliable the probabilities are, on labelled data sets.

    python benchmarks/calibration.py [--model nano] [--data DIR]

A calibration is fitted on train splits and measured on the val split. (nano was trained on all these train splits, so
its scores are higher there than elsewhere.) Three fits: on the same data set; on the five others, as if this one were
unknown; and on the five others, with the share of true labels (one of L) known. ECE uses 15 bins. The last column is
the Brier score of a forecast that knows only this share.
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
    heads = ("its own train", "the other sets", "the same, share given")
    print(
        f"{'':18}{'labels':>7}{'AUC':>7}" + "".join(f"{head + ': ECE, Brier':>34}" for head in heads) + "  share alone"
    )
    for i, path in enumerate(paths):
        cosines, truth = val[i]
        share = float(truth.mean())
        own, others = _fitted([train[i]]), _fitted(train[:i] + train[i + 1 :])
        forecasts = (own.probabilities(cosines), others.probabilities(cosines), others.probabilities(cosines, share))
        cells = "".join(f"{_ece(likely, truth):26.3f}{_brier(likely, truth):8.4f}" for likely in forecasts)
        order = auc(cosines.ravel(), truth.ravel())
        print(f"{path.stem:18}{truth.shape[1]:7}{order:7.3f}{cells}{share * (1 - share):13.4f}")
    together = _fitted(train)
    likely, truth = (np.concatenate([part.ravel() for part in parts]) for parts in zip(
        *((together.probabilities(cosines), truth) for cosines, truth in val), strict=True))  # fmt: skip
    print(f"all, fitted on all: ECE {ece(likely, truth):.4f}, Brier {brier(likely, truth):.4f}, "
          f"AUC {auc(likely, truth):.4f}; {together}")  # fmt: skip


def _pairs(clip: contralto.Clip, path: Path, split: str) -> Pairs:
    """Cosines (N, L), and whether each label is true (N, L)."""
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
