"""ImageNet's class matrix: 1,000 class names in 80 templates each, encoded and averaged to a unit row a class.

    python benchmarks/prompts.py [--peers PYTHON] [--models DIR] [--classes FILE] [--quick] [--json]

Contralto makes the whole matrix, each round with an empty cache folder and the names in another order. The peers would
need about an hour for that: each round they get a few classes drawn at random, with all templates, and prompts a second
are compared. Rows of those classes must agree. GFLOP/s counts the plain tower at every real token of every prompt, so
what is computed once for many prompts counts as often as it is used. Exits 1 if rows of ours are outside their bound.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import material
import numpy as np
from contest import Contender, contest, parser, rounds
from models import Models, models
from peak import limit
from report import Report, rows

import contralto
from contralto.engine.operations import token_operations
from contralto.zeroshot import prompts

TEMPLATES = "imagenet"
SAMPLE, QUICK = 8, 24  # classes that the peers get a round; classes in the short form
FIRST = 16  # classes of the round that does not count


def contenders(found: Models) -> list[Contender]:
    ours = {"model": str(found.native), "cache": str(found.cache)}
    hf, oc = str(found.transformers), str(found.open_clip)
    ort = {"model": str(found.native), "side": "text", "tokenizer": hf}
    return [
        *(
            Contender(f"contralto {precision}", "ours", "ours", ours | {"precision": precision})
            for precision in ("auto", "bf16", "int8")
        ),
        Contender("transformers fp32", "hf", "baseline", {"model": hf}),
        Contender("open_clip fp32", "oc", "baseline", {"model": oc}),
        Contender("OpenAI's code fp32", "openai", "baseline", {"model": oc}),
        Contender("transformers bf16", "hf", "peer", {"model": hf, "dtype": "bfloat16"}),
        Contender("ONNX Runtime fp32", "ort", "peer", ort | {"precision": "fp32"}),
        Contender("ONNX Runtime int8", "ort", "peer", ort | {"precision": "int8"}),
    ]


class Turns:
    """Who gets which classes in which round."""

    def __init__(self, names: list[str], sample: int) -> None:
        self.names, self._sample = names, sample
        self.templates = list(prompts.templates(TEMPLATES))

    def places(self, turn: int) -> list[int]:
        return random.Random(turn).sample(range(len(self.names)), self._sample)

    def __call__(self, turn: int, name: str) -> dict[str, Any]:
        if not name.startswith("contralto"):
            return {"labels": [self.names[place] for place in self.places(turn)], "templates": self.templates}
        turned = self.names[turn:] + self.names[:turn]
        return {"labels": turned if turn else turned[:FIRST], "templates": TEMPLATES}


def main() -> None:
    made = parser(__doc__, runs=3)
    made.add_argument("--classes", metavar="FILE", type=Path, help="a class name a line")
    options = made.parse_args()
    names, where = material.classes(options)
    if options.quick:
        names = random.Random(0).sample(names, QUICK)
    turns, last = Turns(names, 1 if options.quick else SAMPLE), rounds(options)
    with (
        models(options, options.model) as found,
        contest(contenders(found), options) as running,
        limit(options) as peak,
    ):
        results = running.run("labels", turns, last, after=peak.measure)
        counts = {name: len(turns(last, name)["labels"]) * len(turns.templates) for name in results}
        for name in results:
            if name.startswith("contralto"):
                in_order = np.roll(results[name].value, last, axis=0)
                results[name] = replace(results[name], value=in_order[turns.places(last)])
        texts = [text for name in names[::10] for text in prompts.fill(turns.templates, name)]
        tokens = float((contralto.load(found.native).tokenize(texts) != 0).sum(axis=1).mean())
        per_token = token_operations(found.contract)
        each = rows(running, results, "text", counts, per_token * tokens if per_token else None)
        report = Report(options, peak.best)
        remark = f"{where}; {len(turns.templates)} templates, {tokens:.1f} tokens a prompt"
        report.head(running, f"{remark}; {last} rounds", found.described)
        total = len(names) * len(turns.templates)
        title = f"{found.contract.name} prompts to a class matrix, {len(names)} classes (peers: a sample of them)"
        report.rates(title, "prompts/s", each)
        report.say(f"\nseconds for all {total:,} prompts (those of peers worked out from their rate):")
        for row in each:
            report.say(f"  {row.name:25} {total / row.rate:10.1f}")
        report.end(running)


if __name__ == "__main__":
    main()
