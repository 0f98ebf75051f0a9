"""The limit of the machine: the fastest matrix products in fp32, bf16 and int8, by OpenVINO and by PyTorch.

    python benchmarks/peak.py [--runs 3]

The result is the best of several medians, because other load on the machine can only make it slower.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager

from contest import Contender, Contest, contest, parser, rounds
from machine import described

CONTENDERS = [
    Contender("OpenVINO", "peaks", "ours", {"runtime": "openvino"}),
    Contender("PyTorch", "peaks", "peer", {"runtime": "torch"}),
]


class Limit:
    """The best rates so far: `best` over all runtimes, `each` per runtime.

    It is measured between the rounds of a contest: other load varies, and no contender may seem faster than the limit.
    """

    def __init__(self, running: Contest) -> None:
        self._running = running
        self.each: dict[str, dict[str, float]] = {}

    def measure(self) -> None:
        for name, rates in self._running.ask("peaks").items():
            known = self.each.setdefault(name, {})
            known |= {precision: max(rate, known.get(precision, 0.0)) for precision, rate in rates.items()}

    @property
    def best(self) -> dict[str, float]:
        """Precision -> operations per second."""
        names = dict.fromkeys(name for one in self.each.values() for name in one)
        return {name: max(one.get(name, 0.0) for one in self.each.values()) for name in names}


@contextmanager
def limit(options: argparse.Namespace) -> Iterator[Limit]:
    with contest(CONTENDERS, options) as running:
        yield Limit(running)


def main() -> None:
    options = parser(__doc__, runs=3, model=False).parse_args()
    with limit(options) as measured:
        for _ in range(rounds(options)):
            measured.measure()
    whole, each = measured.best, measured.each
    if options.json:
        for precision, rate in whole.items():
            peers = {name: round(one[precision] / 1e9, 1) for name, one in each.items() if precision in one}
            row = {"what": f"matrix peak, {precision}", "value": round(rate / 1e9, 1), "unit": "GFLOP/s"}
            print(json.dumps(row | {"peak": round(rate / 1e9, 1), "fraction": 1.0, "peers": peers}))
        return
    print(described())
    print(f"{'GFLOP/s':12}" + "".join(f"{precision:>8}" for precision in whole))
    for name, one in each.items():
        cells = (f"{one[precision] / 1e9:8.0f}" if precision in one else f"{'-':>8}" for precision in whole)
        print(f"{name:12}" + "".join(cells))


if __name__ == "__main__":
    main()
