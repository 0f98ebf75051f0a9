"""Texts per second, from strings to embeddings: Contralto, transformers, open_clip, OpenAI's code, ONNX Runtime.

    python benchmarks/text.py [--peers PYTHON] [--models DIR] [--captions FILE] [--quick] [--json]

The time includes tokenizing. Peers run as their users run them, in batches of 32 in the given order, padded to the
longest text of the batch (transformers, ONNX Runtime) or to 77 (open_clip, OpenAI's code, and transformers again).
GFLOP/s counts the plain tower at the real tokens of each text, without padding. Exits 1 if our embeddings are outside
their bound.
"""

from __future__ import annotations

from pathlib import Path

import material
from contest import Contender, contest, parser, rounds
from models import Models, models, plain
from peak import limit
from report import Report, rows

import contralto
from contralto.engine.operations import token_operations


def contenders(model_folders: Models) -> list[Contender]:
    ours = {"model": str(model_folders.native), "cache": str(model_folders.cache)}
    hf, oc = str(model_folders.transformers), str(model_folders.open_clip)
    ort = {"model": str(model_folders.native), "tower": "text", "tokenizer": hf}
    return [
        *(
            Contender(f"contralto {precision}", "ours", "ours", ours | {"precision": precision})
            for precision in ("auto", "fp32", "bf16", "int8")
        ),
        *plain(model_folders),
        Contender("transformers fp32", "hf", "baseline", {"model": hf}),
        Contender("transformers fp32, all 77", "hf", "baseline", {"model": hf, "padding": "max_length"}),
        Contender("open_clip fp32", "oc", "baseline", {"model": oc}),
        Contender("OpenAI's code fp32", "openai", "baseline", {"model": oc}),
        Contender("transformers bf16", "hf", "peer", {"model": hf, "dtype": "bfloat16"}),
        Contender("ONNX Runtime fp32", "ort", "peer", ort | {"precision": "fp32"}),
        Contender("ONNX Runtime int8", "ort", "peer", ort | {"precision": "int8"}),
    ]


def main() -> None:
    made = parser(__doc__, runs=5)
    made.add_argument(
        "--captions", metavar="FILE", type=Path, help="file with one caption per line, or a WebDataset tar"
    )
    made.add_argument("--count", type=int, default=500, help="number of captions (default: 500)")
    options = made.parse_args()
    texts, where = material.captions(options, min(options.count, 96) if options.quick else options.count)
    with (
        models(options, options.model) as model_folders,
        contest(contenders(model_folders), options) as running,
        limit(options) as peak,
    ):
        tokens = float((contralto.load(model_folders.native).tokenize(texts) != 0).sum(axis=1).mean())
        results = running.run("texts", lambda _, __: {"texts": texts}, rounds(options), after=peak.measure)
        per_token = token_operations(model_folders.contract)
        operations = per_token * tokens if per_token else None
        each = rows(running, results, "text", dict.fromkeys(results, len(texts)), operations)
        report = Report(options, peak.best)
        remark = f"{len(texts)} {where}, {tokens:.1f} tokens each; {rounds(options)} rounds"
        report.head(running, remark, model_folders.described)
        report.rates(f"{model_folders.contract.name} texts from strings", "texts/s", each)
        report.end(running)


if __name__ == "__main__":
    main()
