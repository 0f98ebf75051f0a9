"""Captions to ids: Contralto, open_clip's tokenizer, transformers' (Rust) and instant-clip-tokenizer (Rust).

    python benchmarks/tokens.py [--peers PYTHON] [--captions FILE] [--quick] [--json]

Each round starts every tokenizer in a new process. "Cold" is its first pass over the captions, "warm" the median of
the later passes. The ids are compared with open_clip's, on the captions and on strings that tokenizers often treat
differently. Exits 1 if ours differ anywhere.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import material
import numpy as np
from contest import Contender, Contest, contest, parser, rounds
from models import Models, models
from report import Report

MIN_WARM_SECONDS = 0.5  # minimum of warm passes per round
REFERENCES = ("open_clip", "transformers")


def contenders(model_folders: Models) -> list[Contender]:
    return [
        Contender("contralto", "ours", "ours", {"model": str(model_folders.native), "cache": str(model_folders.cache)}),
        Contender("open_clip", "oc", "baseline", {"only": "tokens"}),
        Contender("transformers", "hf", "peer", {"model": str(model_folders.transformers), "only": "tokens"}),
        Contender("instant-clip-tokenizer", "instant", "peer"),
    ]


@dataclass
class TokenizerResult:
    """Of one tokenizer: seconds of each round, and its ids."""

    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    ids: Any = None
    odd: Any = None

    def rates(self, count: int) -> tuple[float, float]:
        """(warm, cold) texts per second."""
        return count / statistics.median(self.warm), count / statistics.median(self.cold)


def main() -> None:
    made = parser(__doc__, runs=5)
    made.add_argument(
        "--captions", metavar="FILE", type=Path, help="file with one caption per line, or a WebDataset tar"
    )
    options = made.parse_args()
    texts, where = material.captions(options, 1000 if options.quick else 5000)
    report = Report(options, {})
    each: dict[str, TokenizerResult] = defaultdict(TokenizerResult)
    with models(options, options.model) as model_folders:
        for left in reversed(range(rounds(options))):
            with contest(contenders(model_folders), options) as running:
                measure(running, texts, each)
                if not left:
                    report.head(running)
                    report.absent(running)
    report.say(f"{len(texts)} {where}, {np.mean(each['contralto'].ids != 0) * 77:.1f} ids each")
    right = next((name for name in REFERENCES if name in each), "contralto")
    show(report, each, right, len(texts))
    if options.json:
        as_json({name: result.rates(len(texts)) for name, result in each.items()})
    ours, theirs = each["contralto"], each[right]
    wrong = [texts[place] for place in differ(ours.ids, theirs.ids)]
    if right == "open_clip":  # the ids of transformers differ for some of the other strings
        wrong += [material.AWKWARD[place] for place in differ(ours.odd, theirs.odd)]
    if wrong:
        sys.exit(f"ids of ours differ from {right}'s on {', '.join(ascii(text[:60]) for text in wrong)}")


def measure(running: Contest, texts: list[str], each: dict[str, TokenizerResult]) -> None:
    """One round, in new processes."""

    def given(texts: list[str]) -> Callable[[int, str], dict[str, Any]]:
        return lambda _, __: {"texts": texts}

    for name, result in running.run("tokens", given(texts), 1, warm_up=False).items():
        each[name].cold.append(result.median)
        each[name].ids = result.value
    for name, result in running.run("tokens", given(texts), 1, min_seconds=MIN_WARM_SECONDS, warm_up=False).items():
        each[name].warm.append(result.median)
    for name, result in running.run("tokens", given(material.AWKWARD), 1, warm_up=False).items():
        each[name].odd = result.value


def show(report: Report, each: dict[str, TokenizerResult], right: str, count: int) -> None:
    """Prints rates, their ratio to the warm rate of the reference, and the number of texts with other ids."""
    report.say(f"{'tokenizer':24}{'warm/s':>10}{'cold/s':>10}{f'x {right}':>15}{'captions differ':>18}{'odd ones':>12}")
    base = each[right].rates(count)[0]
    for name, result in each.items():
        fast, slow = result.rates(count)
        some, odd = (len(differ(*both)) for both in ((result.ids, each[right].ids), (result.odd, each[right].odd)))
        counts = f"{some:18}{f'{odd} of {len(result.odd)}':>12}"
        report.say(f"{name:24}{fast:10.0f}{slow:10.0f}{fast / base:14.1f}x{counts}")


def differ(ids: np.ndarray, others: np.ndarray) -> list[int]:
    """The indices of the texts with other ids."""
    return np.flatnonzero((ids != others).any(axis=1)).tolist()


def as_json(rates: dict[str, tuple[float, float]]) -> None:
    for place, kind in enumerate(("warm", "cold")):
        for name, result in rates.items():
            peers = {other: round(rate[place]) for other, rate in rates.items() if other != "contralto"}
            row = {"what": f"captions to ids, {kind}, {name}", "value": round(result[place]), "unit": "texts/s"}
            row |= {"peak": None, "fraction": None, "peers": peers if name == "contralto" else {}}
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
