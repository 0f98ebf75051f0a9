"""Our figures beside CLIP_benchmark's of the same embeddings, to the digit, and where the two differ by definition.

    python benchmarks/clip_benchmark.py --peers ../ruler/bin/python [--model nano] [SET ...]

Sets are tars of ../shared/data where none is named. CLIP_benchmark runs its own metrics on rows that it is given
(README.md says how to install it). Fails if a figure of one definition differs. Ties can make one differ: theirs are
broken by the order, ours count against.
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
NAMES = {
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
        for theirs_called, called in NAMES.items():
            if called in ours and theirs_called in theirs:
                same = abs(ours[called] - theirs[theirs_called]) < 1e-6  # theirs are float32
                differing += not same
                line = f"{Path(name).stem:20}{called:24}{ours[called]:22.17g}{theirs[theirs_called]:22.17g}"
                print(line, "" if same else "  DIFFERS")
    sys.exit(f"{differing} figures differ" if differing else 0)


def both(clip: contralto.Clip, name: str, python: str) -> tuple[dict[str, float], dict[str, float]]:
    """Figures by their names: ours, then theirs."""
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
