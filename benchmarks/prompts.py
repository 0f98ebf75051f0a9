"""ImageNet's class matrix: 1,000 class names in 80 templates each, encoded and averaged to one embedding per class.

    python benchmarks/prompts.py [--peers PYTHON] [--models DIR] [--classes FILE] [--quick] [--json]

Contralto computes the whole matrix; each round has an empty cache folder and another order of names. The peers would
need about an hour for this, so each round they get a few random classes with all templates, and prompts per second are
compared. The embeddings of those classes must agree. GFLOP/s counts the plain tower at every real token of every
prompt, so shared computation counts as often as it is used. Exits 1 if our embeddings are outside their bound.
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
PEER_CLASSES, QUICK_CLASSES = 8, 24  # classes per round for peers; classes with --quick
WARM_UP_CLASSES = 16


def contenders(model_folders: Models) -> list[Contender]:
    ours = {"model": str(model_folders.native), "cache": str(model_folders.cache)}
    hf, oc = str(model_folders.transformers), str(model_folders.open_clip)
    ort = {"model": str(model_folders.native), "tower": "text", "tokenizer": hf}
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
    """The classes for each contender and round."""

    def __init__(self, names: list[str], sample: int) -> None:
        self.names, self._sample = names, sample
        self.templates = list(prompts.templates(TEMPLATES))

    def places(self, turn: int) -> list[int]:
        return random.Random(turn).sample(range(len(self.names)), self._sample)

    def __call__(self, turn: int, name: str) -> dict[str, Any]:
        if not name.startswith("contralto"):
            return {"labels": [self.names[place] for place in self.places(turn)], "templates": self.templates}
        turned = self.names[turn:] + self.names[:turn]
        return {"labels": turned if turn else turned[:WARM_UP_CLASSES], "templates": TEMPLATES}


def main() -> None:
    made = parser(__doc__, runs=3)
    made.add_argument("--classes", metavar="FILE", type=Path, help="file with one class name per line")
    options = made.parse_args()
    names, where = material.classes(options)
    if options.quick:
        names = random.Random(0).sample(names, QUICK_CLASSES)
    turns, last = Turns(names, 1 if options.quick else PEER_CLASSES), rounds(options)
    with (
        models(options, options.model) as model_folders,
        contest(contenders(model_folders), options) as running,
        limit(options) as peak,
    ):
        results = running.run("labels", turns, last, after=peak.measure)
        counts = {name: len(turns(last, name)["labels"]) * len(turns.templates) for name in results}
        for name in results:
            if name.startswith("contralto"):
                in_order = np.roll(results[name].value, last, axis=0)
                results[name] = replace(results[name], value=in_order[turns.places(last)])
        texts = [text for name in names[::10] for text in prompts.fill(turns.templates, name)]
        tokens = float((contralto.load(model_folders.native).tokenize(texts) != 0).sum(axis=1).mean())
        per_token = token_operations(model_folders.contract)
        each = rows(running, results, "text", counts, per_token * tokens if per_token else None)
        report = Report(options, peak.best)
        remark = f"{where}; {len(turns.templates)} templates, {tokens:.1f} tokens a prompt"
        report.head(running, f"{remark}; {last} rounds", model_folders.described)
        total = len(names) * len(turns.templates)
        title = (
            f"{model_folders.contract.name} prompts to a class matrix, {len(names)} classes (peers: a sample of them)"
        )
        report.rates(title, "prompts/s", each)
        report.say(f"\nseconds for all {total:,} prompts (those of peers worked out from their rate):")
        for row in each:
            report.say(f"  {row.name:25} {total / row.rate:10.1f}")
        report.end(running)


if __name__ == "__main__":
    main()
