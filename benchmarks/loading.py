"""Loading a ViT-L/14 from safetensors: seconds and memory, against transformers, each in its own process, in turns.

    python benchmarks/loading.py [--runs 3]

transformers writes the folder, with random weights in float32 (1.7 GB). "load" ends when the model is ready; "answer"
ends when it has encoded a text and a picture. Memory at the end of each: private memory of the process (anonymous),
and pages of the mapped weight file, which the system can reclaim. The embeddings of both are compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import parity_peers

from contralto.engine.machine import instructions

OURS = """
import contralto
clip = contralto.load(folder, precision="fp32")
record("load")
row = clip.encode_text("a photo of a cat")
image = clip.encode_pixels(pixels)[0]
record("answer")
"""
THEIRS = """
import torch
from transformers import AutoTokenizer, CLIPModel
model = CLIPModel.from_pretrained(folder).eval()
record("load")
ids = AutoTokenizer.from_pretrained(folder)(["a photo of a cat"], return_tensors="pt")
with torch.no_grad():
    row = model.get_text_features(**ids).pooler_output[0]
    image = model.get_image_features(torch.from_numpy(pixels)).pooler_output[0]
row, image = (row / row.norm()).numpy(), (image / image.norm()).numpy()
record("answer")
"""
FRAME = """
import json, sys, time
import numpy as np
folder = sys.argv[1]
pixels = np.random.default_rng(0).standard_normal((1, 3, 224, 224), np.float32)
results, begin = {{}}, time.perf_counter()

def record(what):
    fields = dict(line.split(":", 1) for line in open("/proc/self/status") if line.startswith(("RssAnon", "RssFile")))
    sizes = {{name: int(value.split()[0]) / 1000 for name, value in fields.items()}}
    results[what] = {{"seconds": time.perf_counter() - begin, **sizes}}
{program}
print(json.dumps(results | {{"row": row.tolist(), "image": image.tolist()}}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    print(f"instructions: {' '.join(instructions())}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "ViT-L-14"
        parity_peers.PEERS["ViT-L-14"](folder, False)
        size = (folder / "model.safetensors").stat().st_size / 1e6
        programs = {"contralto": OURS, "transformers": THEIRS}
        results_by_name: dict[str, list[dict[str, Any]]] = {name: [] for name in programs}
        run(OURS, folder)  # fills the page cache and our cache of hashes, as after the first start
        for _ in range(runs):
            for name, program in programs.items():
                results_by_name[name].append(run(program, folder))
    for what in ("row", "image"):
        rows = [np.array(results_by_name[name][0][what]) for name in programs]
        apart = float(np.abs(rows[0] - rows[1]).max())
        assert apart < 1e-4, f"{what}: rows differ by {apart}"
        print(f"{what}: largest difference {apart:.1e}")
    print(f"weights: {size:.0f} MB; medians of {runs}")
    heads = ("load s", "own MB", "mapped", "answer s", "own MB", "mapped", "own/weights")
    print(f"{'':13} " + " ".join(f"{head:>11}" for head in heads))
    for name, results in results_by_name.items():
        cells = [middle(results, what, key) for what in ("load", "answer") for key in ("seconds", "RssAnon", "RssFile")]
        cells.append(cells[4] / size)
        print(f"{name:13} " + " ".join(f"{cell:11.2f}" if cell < 100 else f"{cell:11.0f}" for cell in cells))


def run(program: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", FRAME.format(program=program), str(folder)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def middle(results: list[dict[str, Any]], what: str, key: str) -> float:
    return statistics.median(result[what][key] for result in results)


if __name__ == "__main__":
    main()
