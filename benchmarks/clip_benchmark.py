"""Compares our figures with those of CLIP_benchmark on the same embeddings, to the last digit.

    python benchmarks/clip_benchmark.py --peers ../ruler/bin/python [--model nano] [SET ...]

Without SET, the data sets are the tars of ../shared/data. CLIP_benchmark computes its own metrics on the given
embeddings (README.md tells how to install it). Exits 1 if a figure differs. Ties can cause a difference:
CLIP_benchmark breaks them by order, we count them against the model.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import contralto
from contralto.evaluation.retrieval import captions
from contralto.evaluation.run import measure
from contralto.evaluation.session import open_session
from contralto.sets.open import open_set
from contralto.zeroshot import prompts

DATA = Path(__file__).parents[2] / "shared/data"
PROGRAM = Path(__file__).parent / "programs/clip_benchmark_metrics.py"
OUR_NAMES = {  # CLIP_benchmark's name of a figure -> ours
    "acc1": "top1",
    "acc5": "top5",
    "mean_per_class_recall": "mean_per_class",
    **{f"image_retrieval_recall@{k}": f"r{k}_text_to_image" for k in (1, 5, 10)},
    **{f"text_retrieval_recall@{k}": f"r{k}_image_to_text" for k in (1, 5, 10)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--peers", default=sys.executable)
    parser.add_argument("sets", nargs="*")
    options = parser.parse_args()
    sets = options.sets or [*map(str, sorted((DATA / "sets").glob("*.tar"))), str(DATA / "flickr8k/flickr8k-dev.tar")]
    clip = contralto.load(options.model, precision="fp32")
    print(f"{'set':20}{'figure':24}{'ours':>22}{'CLIP_benchmark':>22}")
    differing = 0
    for name in sets:
        ours, theirs = both(clip, name, options.peers)
        for their_name, our_name in OUR_NAMES.items():
            if our_name in ours and their_name in theirs:
                same = abs(ours[our_name] - theirs[their_name]) < 1e-6  # theirs are float32
                differing += not same
                line = f"{Path(name).stem:20}{our_name:24}{ours[our_name]:22.17g}{theirs[their_name]:22.17g}"
                print(line, "" if same else "  DIFFERS")
    sys.exit(f"{differing} figures differ" if differing else 0)


def both(clip: contralto.Clip, name: str, python: str) -> tuple[dict[str, float], dict[str, float]]:
    """Figures by name: ours, then theirs."""
    data = open_set(name)
    with open_session(clip) as session, tempfile.TemporaryDirectory() as folder:
        (outcome,) = measure(session, data)
        images = session.embed_pictures(data).embeddings
        given: dict[str, Any] = {"task": data.task, "images": images}
        if data.task == "retrieval":
            texts, owners = captions(data)
            given |= {"owners": owners}
        else:
            texts = [text for one in data.classes for text in prompts.fill(data.templates, one.name)]
            labels = np.array([data.items[i].label for i in range(len(data.items))])
            given |= {"labels": labels, "templates": len(data.templates)}
        given["texts"] = clip.encode_text(texts, truncate=True)
        file = Path(folder) / "rows.npz"
        np.savez(file, **given)
        done = subprocess.run([python, str(PROGRAM), str(file)], check=True, capture_output=True, text=True)
    return {figure.metric: figure.value for figure in outcome.figures}, json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
