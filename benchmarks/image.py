"""Pictures per second from tensors, in batches of 1 and 32: Contralto against the peers.

    python benchmarks/image.py [--peers PYTHON] [--models DIR] [--quick] [--json]

Each contender (Contralto, transformers, open_clip, OpenAI's code, ONNX Runtime on our graph) holds the same random
weights in its own process; they take turns. "ratio" compares with the fastest of transformers, open_clip and OpenAI's
code in their default precision, float32; "alike" with the fastest peer in the same precision. GFLOP/s counts the
operations of the plain tower, so skipped work counts as done. Exits 1 if our embeddings are outside their bound to the
reference.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from contest import Contender, contest, parser, rounds, saved
from models import Models, models, plain
from peak import limit
from report import Report, rows

from contralto.engine.operations import picture_operations

BATCHES = (1, 32)
MIN_TURN_SECONDS = 0.5  # minimum per turn, so a batch of one is measured several times


def contenders(model_folders: Models) -> list[Contender]:
    ours = {"model": str(model_folders.native), "cache": str(model_folders.cache)}
    hf, oc, native = str(model_folders.transformers), str(model_folders.open_clip), str(model_folders.native)
    return [
        *(
            Contender(f"contralto {precision}", "ours", "ours", ours | {"precision": precision})
            for precision in ("auto", "fp32", "bf16", "int8")
        ),
        *plain(model_folders),
        Contender("transformers fp32", "hf", "baseline", {"model": hf}),
        Contender("open_clip fp32", "oc", "baseline", {"model": oc}),
        Contender("OpenAI's code fp32", "openai", "baseline", {"model": oc}),
        Contender("transformers bf16", "hf", "peer", {"model": hf, "dtype": "bfloat16"}),
        Contender("open_clip bf16", "oc", "peer", {"model": oc, "precision": "bf16"}),
        Contender("ONNX Runtime fp32", "ort", "peer", {"model": native, "precision": "fp32", "tower": "image"}),
        Contender("ONNX Runtime int8", "ort", "peer", {"model": native, "precision": "int8", "tower": "image"}),
    ]


def given(batch: dict[str, str], number: int, contender: str) -> dict[str, Any]:
    """The argument for every contender: the file with the pixels."""
    return {"pixels": batch}


def main() -> None:
    options = parser(__doc__, runs=7).parse_args()
    with (
        models(options, options.model) as model_folders,
        contest(contenders(model_folders), options) as running,
        limit(options) as peak,
        tempfile.TemporaryDirectory() as scratch,
    ):
        measured = []
        for size in BATCHES:
            pixels = np.random.default_rng(0).standard_normal((size, 3, *model_folders.contract.image.size), np.float32)
            batch = saved(pixels, Path(scratch) / "pixels.npy")
            results = running.run(
                "images",
                functools.partial(given, batch),
                rounds(options),
                min_seconds=MIN_TURN_SECONDS,
                after=peak.measure,
            )
            counts = dict.fromkeys(results, size)
            measured.append((size, rows(running, results, "image", counts, picture_operations(model_folders.contract))))
        report = Report(options, peak.best)
        report.head(running, f"pixels N(0, 1); {rounds(options)} rounds", model_folders.described)
        for size, each in measured:
            report.rates(f"{model_folders.contract.name} pictures from tensors, batch {size}", "pictures/s", each)
        report.end(running)


if __name__ == "__main__":
    main()
