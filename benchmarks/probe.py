"""A sweep over 96 strengths of the linear probe, against 96 cold fits of scikit-learn (the cost of a plain loop).

    python benchmarks/probe.py [--every 8] [--rows 20000] [--columns 512] [--classes 100] [--apart 0.25] [--json]

The features are random: classes overlap, scales are uneven, the mean is not zero. scikit-learn's LogisticRegression
uses its defaults except max_iter=1000, and the same float32 features. The fits take turns: ours cold, theirs cold, at
every 8th strength; the times in between are interpolated linearly (--every 1 measures all). Our sweep runs before and
after them, and includes the accuracy on 4,000 validation rows at each strength and the final fit.

Exits 1 if the sweep is less than 10 times as fast, or if our objective exceeds theirs by more than a relative 1e-6 at
any strength. With scikit-learn run to convergence (--converge, by default at 0.01 and 1), it also exits 1 if the
objectives differ by more than 1e-6, or the predictions differ on more than one row in a thousand.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from typing import Any

import numpy as np
from machine import Disturbance, described

from contralto.probe import ALL, LinearProbe, sweep

MIN_RATIO, MAX_ABOVE, MIN_SAME = 10.0, 1e-6, 0.999
VALIDATION = 4000


def main() -> None:
    options = arguments()
    rows, labels = drawn(options)
    train, validation = slice(VALIDATION, None), slice(VALIDATION)
    say(options, f"{described()}; {options.rows} x {options.columns}, {options.classes} classes")
    others, faults = Disturbance(), []
    peer(1.0, rows[:200], np.arange(200) % 2)  # warm-up: imports, and starts the threads
    sweeps = [timed_sweep(rows, labels, train, validation, others)]
    measured = sorted({*range(0, len(ALL), options.every), len(ALL) - 1})
    ours, theirs = [], []
    say(
        options,
        f"{'strength':>10} {'ours, s':>9} {'theirs, s':>9} {'iterations':>12} {'objective: theirs / ours - 1':>30}",
    )
    for place in measured:
        result = turn(rows[train], labels[train], ALL[place], others)
        ours.append(result["ours"])
        theirs.append(result["theirs"])
        iterations = f"{result['our_iterations']} / {result['their_iterations']}"
        say(
            options,
            f"{ALL[place]:10.3g} {ours[-1]:9.2f} {theirs[-1]:9.2f} {iterations:>12} {-result['above']:30.2e}",
        )
        if result["above"] > MAX_ABOVE:
            faults.append(f"at {ALL[place]:.3g} our objective is {result['above']:.1e} above")
    sweeps.append(timed_sweep(rows, labels, train, validation, others))
    for strength in options.converge:
        faults += converged(options, rows[train], labels[train], strength)
    total = float(np.interp(np.arange(len(ALL)), measured, theirs).sum())
    ratio = total / float(np.median(sweeps))
    if ratio < MIN_RATIO:
        faults.append(f"the sweep is {ratio:.1f} times as fast, not {MIN_RATIO:.0f}")
    report(options, sweeps, total, len(measured), others.part)
    sys.exit("; ".join(faults) or 0)


def arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--every", type=int, default=8, help="measure theirs at every Nth strength (default: 8)")
    made.add_argument("--rows", type=int, default=20_000)
    made.add_argument("--columns", type=int, default=512)
    made.add_argument("--classes", type=int, default=100)
    made.add_argument(
        "--apart", type=float, default=0.25, help="distance of class centres, in standard deviations (default: 0.25)"
    )
    made.add_argument("--converge", type=float, nargs="*", default=[0.01, 1.0], metavar="STRENGTH")
    made.add_argument("--json", action="store_true", help="print a JSON object on stdout, everything else on stderr")
    return made.parse_args()


def drawn(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """(float32 features for validation and training, labels)."""
    generator = np.random.default_rng(0)
    count, columns = VALIDATION + options.rows, options.columns
    scale = (1 + np.arange(columns)) ** -0.5
    turned = np.linalg.qr(generator.standard_normal((columns, columns)))[0]
    centres = options.apart * generator.standard_normal((options.classes, columns))
    labels = generator.permutation(np.arange(count) % options.classes)
    rows = (centres[labels] + generator.standard_normal((count, columns))) * scale @ turned
    return (rows + generator.standard_normal(columns) / 2).astype(np.float32), labels


def timed_sweep(rows: np.ndarray, labels: np.ndarray, train: slice, validation: slice, others: Disturbance) -> float:
    others.pause()
    start = time.perf_counter()
    sweep(rows[train], labels[train], rows[validation], labels[validation], ALL)
    return time.perf_counter() - start


def turn(rows: np.ndarray, labels: np.ndarray, strength: float, others: Disturbance) -> dict[str, float]:
    """Seconds and iterations of one cold fit of each. above: relative excess of our objective over theirs."""
    others.pause()
    start = time.perf_counter()
    ours = LinearProbe(strength).fit(rows, labels)
    took = time.perf_counter() - start
    others.pause()
    start = time.perf_counter()
    theirs = peer(strength, rows, labels)
    their_took = time.perf_counter() - start
    above = objective(ours, strength, rows, labels) / objective(theirs, strength, rows, labels) - 1
    return {
        "ours": took,
        "theirs": their_took,
        "our_iterations": ours.n_iter_,
        "their_iterations": int(theirs.n_iter_[0]),
        "above": above,
    }


def converged(options: argparse.Namespace, rows: np.ndarray, labels: np.ndarray, strength: float) -> list[str]:
    """The faults of our fit against scikit-learn in float64 with a tolerance of 1e-8 instead of 1e-4."""
    ours = LinearProbe(strength).fit(rows, labels)
    theirs = peer(strength, rows.astype(np.float64), labels, tol=1e-8, max_iter=100_000)
    part = objective(ours, strength, rows, labels) / objective(theirs, strength, rows, labels) - 1
    same = float(np.mean(ours.predict(rows) == theirs.predict(rows)))
    iterations = int(theirs.n_iter_[0])
    say(
        options, f"at {strength:g}, theirs converged ({iterations}): objective {part:+.1e}, same predictions {same:.5f}"
    )
    faults = [f"at {strength:g} the objectives differ by {part:.1e}"] if abs(part) > MAX_ABOVE else []
    return faults + ([f"at {strength:g} only {same:.5f} of the predictions are the same"] if same < MIN_SAME else [])


def peer(strength: float, rows: np.ndarray, labels: np.ndarray, **options: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the warning that 1,000 iterations were too few
        return LogisticRegression(C=strength, **{"max_iter": 1000, **options}).fit(rows, labels)


def objective(probe: Any, strength: float, rows: np.ndarray, labels: np.ndarray) -> float:
    """The objective of scikit-learn, in float64."""
    logits = rows.astype(np.float64) @ probe.coef_.astype(np.float64).T + probe.intercept_
    logits -= logits[np.arange(len(logits)), labels][:, None]
    most = logits.max(axis=1, keepdims=True)
    losses = most[:, 0] + np.log(np.exp(logits - most).sum(axis=1))
    return float(strength * losses.sum() + 0.5 * np.sum(probe.coef_.astype(np.float64) ** 2))


def report(options: argparse.Namespace, sweeps: list[float], total: float, measured: int, disturbed: float) -> None:
    took = float(np.median(sweeps))
    how = "measured" if measured == len(ALL) else f"from {measured} measured"
    say(
        options,
        f"96 strengths: ours {took:.1f} s ({', '.join(f'{one:.1f}' for one in sweeps)}), theirs {total:.1f} s {how}",
    )
    say(options, f"ratio {total / took:.1f} (bound {MIN_RATIO:.0f}); others took {disturbed:.0%} of the processors")
    if options.json:
        row = {"what": "linear probe, 96 strengths", "value": round(took, 2), "unit": "s"}
        print(json.dumps(row | {"peers": {f"scikit-learn, {how}": round(total, 1)}}))


def say(options: argparse.Namespace, line: str) -> None:
    print(line, file=sys.stderr if options.json else sys.stdout, flush=True)


if __name__ == "__main__":
    main()
