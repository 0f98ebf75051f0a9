"""The machine's own limit: the fastest matrix products in fp32, bf16 and int8, by OpenVINO and by PyTorch.

    python benchmarks/peak.py [--runs 3]

What counts is the best seen of several medians: whatever else runs on a machine can only make it slower.
"""

from __future__ import annotations

import argparse
import json

from contest import Contender, contest, parser, rounds
from machine import described

CONTENDERS = [
    Contender("OpenVINO", "peaks", "ours", {"runtime": "openvino"}),
    Contender("PyTorch", "peaks", "peer", {"runtime": "torch"}),
]


def peaks(options: argparse.Namespace, runs: int = 1) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """(precision -> operations a second, the best of all; the same of each runtime)."""
    each: dict[str, dict[str, float]] = {}
    with contest(CONTENDERS, options) as all_of_them:
        for _ in range(runs):
            for name, found in all_of_them.ask("peaks").items():
                each[name] = best(each.get(name, {}), found)
    return best(*each.values()), each


def best(*several: dict[str, float]) -> dict[str, float]:
    names = dict.fromkeys(name for one in several for name in one)
    return {name: max(one.get(name, 0.0) for one in several) for name in names}


def main() -> None:
    options = parser(__doc__, runs=3, model=False).parse_args()
    whole, each = peaks(options, rounds(options))
    if options.json:
        for precision, rate in whole.items():
            peers = {name: round(found[precision] / 1e9, 1) for name, found in each.items() if precision in found}
            row = {"what": f"matrix peak, {precision}", "value": round(rate / 1e9, 1), "unit": "GFLOP/s"}
            print(json.dumps(row | {"peak": round(rate / 1e9, 1), "fraction": 1.0, "peers": peers}))
        return
    print(described())
    print(f"{'GFLOP/s':12}" + "".join(f"{precision:>8}" for precision in whole))
    for name, found in each.items():
        cells = (f"{found[precision] / 1e9:8.0f}" if precision in found else f"{'-':>8}" for precision in whole)
        print(f"{name:12}" + "".join(cells))


if __name__ == "__main__":
    main()
