"""A folder of 12-megapixel JPEGs -> embeddings in a file on disk: pictures per second, with decoding.

    python benchmarks/folder.py [--count 24] [--peers PYTHON] [--models DIR] [--quick] [--json]

Contralto streams the files, with scaled decoding (as `contralto embed` does) and with exact decoding. The peers take
batches of 16; Pillow decodes each batch before the tower computes it, or two threads decode ahead. transformers also
runs with its torchvision processor. The reference embeddings come from transformers: Pillow pipeline, float32.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from contest import Contender, contest, parser, rounds
from material import photographs
from models import Models, models
from report import Report, Row, cosines, reference, rows

SIZE = (4000, 3000)
SCALED_BOUND = 0.99  # lowest cosine with scaled decoding; exact decoding keeps the bound of its precision
AHEAD = 2


def contenders(model_folders: Models) -> list[Contender]:
    ours = {"model": str(model_folders.native), "cache": str(model_folders.cache)}
    hf, oc = {"model": str(model_folders.transformers)}, {"model": str(model_folders.open_clip)}
    return [
        Contender("contralto auto, scaled", "ours", "ours", ours | {"decode": "scaled"}),
        Contender("contralto int8, scaled", "ours", "ours", ours | {"decode": "scaled", "precision": "int8"}),
        Contender("contralto auto, exact", "ours", "ours", ours | {"decode": "exact"}),
        Contender("contralto fp32, exact", "ours", "ours", ours | {"decode": "exact", "precision": "fp32"}),
        Contender("transformers", "hf", "baseline", hf),
        Contender("transformers, ahead", "hf", "baseline", hf | {"ahead": AHEAD}),
        Contender("transformers, torchvision, ahead", "hf", "baseline", hf | {"pixels": "torchvision", "ahead": AHEAD}),
        Contender("open_clip", "oc", "baseline", oc),
        Contender("open_clip, ahead", "oc", "baseline", oc | {"ahead": AHEAD}),
        Contender("OpenAI's code, ahead", "openai", "baseline", oc | {"ahead": AHEAD}),
    ]


def main() -> None:
    made = parser(__doc__, runs=3)
    made.add_argument("--count", type=int, default=24, help="number of pictures (default: 24)")
    options = made.parse_args()
    count = min(options.count, 6) if options.quick else options.count
    with models(options, options.model) as model_folders, tempfile.TemporaryDirectory() as scratch:
        paths = photographs(model_folders.place / "photographs-12", count, SIZE, options)

        def given(_: int, name: str) -> dict[str, Any]:
            return {"paths": [str(path) for path in paths], "out": written(Path(scratch), name)}

        with contest(contenders(model_folders), options) as running:
            results = running.run("folder", given, rounds(options))
            on_disk = {name: np.load(written(Path(scratch), name)) for name in results}
            results = {name: replace(result, value=on_disk[name]) for name, result in results.items()}
            each = [loosened(row) for row in rows(running, results, "image", dict.fromkeys(results, count), None)]
            report = Report(options, {})
            size = sum(path.stat().st_size for path in paths) / count / 1e6
            about = f"{count} JPEGs of {SIZE[0]} x {SIZE[1]}, {size:.1f} MB each; {rounds(options)} rounds"
            report.head(running, about, model_folders.described)
            report.rates(
                f"{model_folders.contract.name}, a folder of 12-megapixel JPEGs to vectors on disk", "pictures/s", each
            )
            if right := reference(list(results)):
                report.say(f"\ncosine to {right}, mean:")
                for name, result in results.items():
                    report.say(f"  {name:33}{cosines(result.value, results[right].value).mean():.6f}")
            report.end(running)


def written(folder: Path, name: str) -> str:
    return str(folder / f"{name.replace(' ', '-')}.npy")


def loosened(row: Row) -> Row:
    return replace(row, bound=SCALED_BOUND) if "scaled" in row.name else row


if __name__ == "__main__":
    main()
