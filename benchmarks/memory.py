"""Peak resident memory, as the limit of a container counts it. Each case runs in its own process.

    python benchmarks/memory.py [--models DIR] [--before SRC] [--pictures 64] [--precisions fp32 bf16 int8] [--json]

A process imports its modules, encodes --pictures pictures (prepared pixels) and as many captions, and reports how far
VmHWM of /proc/self/status rose above the value after the imports, in MB. --before: the src folder of another version
of Contralto, which takes turns with this one. sizes: batches of 1 to 32 pictures in sequence, as a server gets them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import described

SOURCE = Path(__file__).parent.parent / "src"
DTYPES = ("float32", "float16")
MAKE = """
import sys
import contralto
contralto.save(sys.argv[1], *contralto.create(sys.argv[2], seed=0), dtype=sys.argv[3])
"""
PROGRAM = """
import sys
import numpy as np
import contralto.encoder
from contralto.engine.openvino import core

def peak():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000

model, precision, work, count = *sys.argv[1:4], int(sys.argv[4])
core()
before = peak()
clip = contralto.load(model, precision=precision)
pixels = np.random.default_rng(0).standard_normal((count, 3, *clip.contract.image.size), np.float32)
if work == "sizes":
    for size in range(1, 33):
        clip.encode_pixels(pixels[:size])
else:
    clip.encode_pixels(pixels)
    clip.encode_text([f"a photo of number {i}{', by the sea' * (i % 5)}" for i in range(count)])
print(peak() - before)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="folder for models, reused by later runs")
    parser.add_argument("--before", type=Path, help="src folder of another version")
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--precisions", nargs="+", default=["fp32"])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    versions = ({"before": options.before} if options.before else {}) | {"now": SOURCE}
    if not options.json:
        print(described())
        print(f"{'MB above the imports':44}" + "".join(f"{name:>9}" for name in versions))
    with tempfile.TemporaryDirectory() as scratch:
        models = made(options.models or Path(scratch), next(iter(versions.values())))
        for (name, folder), precision in ((one, each) for one in models.items() for each in options.precisions):
            for work in ("both", "sizes") if name == "nano" else ("both",):
                asked = (str(folder), precision, work, str(options.pictures))
                peaks = {version: run(source, Path(scratch), *asked) for version, source in versions.items()}
                show(f"{name}, {precision}, {work}", peaks, options.json)


def made(place: Path, source: Path) -> dict[str, Path]:
    """nano from the package, and models with random weights in each dtype, written by the older version."""
    folders = {"nano": Path("nano")}
    for dtype in DTYPES:
        folder = place / f"ViT-B-32-{dtype}"
        if not (folder / "contralto.json").is_file():
            started(MAKE, source, place, str(folder), "ViT-B-32", dtype)
        folders[f"ViT-B-32 stored in {dtype}"] = folder
    return folders


def run(source: Path, scratch: Path, *arguments: str) -> float:
    return float(started(PROGRAM, source, scratch, *arguments).splitlines()[-1])


def started(program: str, source: Path, scratch: Path, *arguments: str) -> str:
    cache = scratch / f"cache-{source.resolve().parent.name}"
    environment = os.environ | {"PYTHONPATH": str(source), "CONTRALTO_CACHE": str(cache)}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def show(what: str, peaks: dict[str, float], as_json: bool) -> None:
    if as_json:
        peers = {"before": round(peaks["before"])} if "before" in peaks else {}
        figure = {"what": f"peak memory, {what}", "value": round(peaks["now"]), "unit": "MB"}
        print(json.dumps(figure | {"peak": None, "fraction": None, "peers": peers}), flush=True)
    else:
        print(f"{what:44}" + "".join(f"{value:9.0f}" for value in peaks.values()), flush=True)


if __name__ == "__main__":
    main()
