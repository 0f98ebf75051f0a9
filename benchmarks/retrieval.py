"""Retrieval ranks over many simulated pictures and texts: time, GFLOP/s, and memory in addition to the embeddings.

    python benchmarks/retrieval.py [--pictures 100000] [--texts 500000] [--width 512] [--json]

The embedding of a text is that of its picture plus noise; pictures are clustered; one embedding in fifty repeats
another. So ranks of all sizes occur, and ties. GFLOP/s counts one multiplication and one addition per value of each
pair, whatever else is done. First, the ranks of a small part are checked against scores computed pair by pair in
float64. Exits 1 if they differ, or if the memory exceeds 2 GB.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time

import numpy as np
from machine import Disturbance, described

from contralto.metrics import median_rank, retrieval_ranks, top_k

SMALL = 300, 1500
MAX_MEMORY = 2e9  # bytes


def simulated(pictures: int, texts: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors (float32) and owners. Computed in place, so the embeddings are the peak memory before ranking."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((max(1, pictures // 100), width), dtype=np.float32)
    images = random.standard_normal((pictures, width), dtype=np.float32)
    rows = random.standard_normal((texts, width), dtype=np.float32)
    owners = np.concatenate([np.arange(pictures), random.integers(0, pictures, texts - pictures)])
    for start in range(0, pictures, 4096):
        part = slice(start, start + 4096)
        images[part] += centres[random.integers(0, len(centres), len(images[part]))]
    for start in range(0, texts, 4096):
        part = slice(start, start + 4096)
        rows[part] = rows[part] * 8 + images[owners[part]]
    for made in (images, rows):
        for start in range(0, len(made), 4096):
            made[start : start + 4096] /= np.linalg.norm(made[start : start + 4096], axis=1, keepdims=True)
        again = random.integers(0, len(made), len(made) // 50)
        made[again] = made[random.integers(0, len(made), len(again))]
    return images, rows, owners


def plain(images: np.ndarray, texts: np.ndarray, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ranks from the score of each pair; a wrong item with an equal score counts as better."""
    wide = texts.astype(np.float64)
    scores = np.stack([(row.astype(np.float64) * wide).sum(axis=1) for row in images])
    own = scores[owners, np.arange(len(texts))]
    wrong = [((scores[i] >= own[owners == i].max()) & (owners != i)).sum() for i in range(len(images))]
    return np.array(wrong), (scores >= own).sum(axis=0) - 1


def peak() -> int:
    """Peak resident memory of this process in bytes (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def show(done: int, total: int) -> None:
    print(f"\r{done / total:7.2%}", end="" if done < total else "\n", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("pictures", 100_000), ("texts", 500_000), ("width", 512)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    small = simulated(*SMALL, options.width)
    exact = all(map(np.array_equal, retrieval_ranks(*small)[:2], plain(*small)))
    images, texts, owners = simulated(options.pictures, options.texts, options.width)
    disturbance = Disturbance()
    disturbance.pause()
    before, start = peak(), time.perf_counter()
    ranks = retrieval_ranks(images, texts, owners, progress=show)
    seconds, memory = time.perf_counter() - start, peak() - before
    disturbance.pause()
    rate = 2 * options.pictures * options.texts * options.width / seconds
    row = {
        "what": f"retrieval, {options.pictures} pictures x {options.texts} texts x {options.width}",
        "seconds": round(seconds, 1),
        "gflops": round(rate / 1e9, 1),
        "peak_bytes": peak(),
        "beyond_rows_bytes": memory,
        "r1_image_to_text": top_k(ranks.image_to_text, 1),
        "r1_text_to_image": top_k(ranks.text_to_image, 1),
        "median_rank_text_to_image": median_rank(ranks.text_to_image),
        "equal_to_float64": exact,
    }
    if options.json:
        print(json.dumps(row))
    else:
        print(described(), f"; others took {disturbance.part:.0%} of them before and after", sep="")
        for name, value in row.items():
            print(f"{name:26}{value}")
    sys.exit(0 if exact and memory < MAX_MEMORY else 1)


if __name__ == "__main__":
    main()
