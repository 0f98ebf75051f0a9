"""Pictures a second from tensors, in batches of 1 and 32: Contralto beside the peers.

    python benchmarks/image.py [--peers PYTHON] [--models DIR] [--quick] [--json]

Each contender (Contralto, transformers, open_clip, OpenAI's code, ONNX Runtime on our graph) holds the same random
weights in a process of its own; they take turns. "ratio" is to the fastest of transformers, open_clip and OpenAI's code
in their default precision, float32; "alike" to the fastest peer in the same precision. GFLOP/s counts the plain tower,
so that work which is left out counts as done. Exits 1 if rows of ours are not the reference's within their bound.
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
LEAST = 0.5  # seconds that a turn lasts at least, so that a batch of one is measured several times


def contenders(found: Models) -> list[Contender]:
    ours = {"model": str(found.native), "cache": str(found.cache)}
    hf, oc, native = str(found.transformers), str(found.open_clip), str(found.native)
    return [
        *(
            Contender(f"contralto {precision}", "ours", "ours", ours | {"precision": precision})
            for precision in ("auto", "fp32", "bf16", "int8")
        ),
        *plain(found),
        Contender("transformers fp32", "hf", "baseline", {"model": hf}),
        Contender("open_clip fp32", "oc", "baseline", {"model": oc}),
        Contender("OpenAI's code fp32", "openai", "baseline", {"model": oc}),
        Contender("transformers bf16", "hf", "peer", {"model": hf, "dtype": "bfloat16"}),
        Contender("open_clip bf16", "oc", "peer", {"model": oc, "precision": "bf16"}),
        Contender("ONNX Runtime fp32", "ort", "peer", {"model": native, "precision": "fp32", "side": "image"}),
        Contender("ONNX Runtime int8", "ort", "peer", {"model": native, "precision": "int8", "side": "image"}),
    ]


def given(batch: dict[str, str], number: int, contender: str) -> dict[str, Any]:
    """What every contender gets: the file with the pixels."""
    return {"pixels": batch}


def main() -> None:
    options = parser(__doc__, runs=7).parse_args()
    with (
        models(options, options.model) as found,
        contest(contenders(found), options) as running,
        limit(options) as peak,
        tempfile.TemporaryDirectory() as scratch,
    ):
        measured = []
        for size in BATCHES:
            pixels = np.random.default_rng(0).standard_normal((size, 3, *found.contract.image.size), np.float32)
            batch = saved(pixels, Path(scratch) / "pixels.npy")
            results = running.run(
                "images",
                functools.partial(given, batch),
                rounds(options),
                least=LEAST,
                after=peak.measure,
            )
            counts = dict.fromkeys(results, size)
            measured.append((size, rows(running, results, "image", counts, picture_operations(found.contract))))
        report = Report(options, peak.best)
        report.head(running, f"pixels N(0, 1); {rounds(options)} rounds", found.described)
        for size, each in measured:
            report.rates(f"{found.contract.name} pictures from tensors, batch {size}", "pictures/s", each)
        report.end(running)


if __name__ == "__main__":
    main()
