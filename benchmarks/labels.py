"""Zero-shot labels in each precision against fp32, on labelled validation sets: the effect of a lower precision.

    python benchmarks/labels.py [--model nano] [--data DIR]

A data set is a tar of val/CLASS/NAME.jpg, next to a JSON file of the same stem (`classes`: `dir` and `name`,
`templates`). The output has the share of pictures with an unchanged best label, the lowest cosine to the fp32
embedding, the accuracy.
"""

from __future__ import annotations

import argparse
import json
import tarfile
from pathlib import Path

import numpy as np

import contralto
from contralto.engine.machine import instructions
from contralto.errors import ContraltoError

DATA = Path(__file__).parents[2] / "shared/data/sets"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    clips = dict(loaded(options.model))
    print(f"instructions: {' '.join(instructions())}; {options.model}")
    print(f"{'set':20}{'pictures':>9}  " + "".join(f"{name + ' kept, cosine, right':>31}" for name in clips))
    totals = dict.fromkeys(clips, 0)
    count = 0
    for path in sorted(options.data.glob("*.tar")):
        names, templates, pictures, truth = read(path)
        count += len(pictures)
        reference = None
        cells = []
        for name, clip in clips.items():
            rows = clip.encode_image(pictures)
            best = (rows @ clip.encode_labels(names, templates).T).argmax(axis=1)
            reference = (rows, best) if reference is None else reference
            kept = int((best == reference[1]).sum())
            totals[name] += kept
            cosine = float((rows * reference[0]).sum(axis=1).min())
            cells.append(f"{kept / len(best):15.1%}{cosine:10.5f}{np.mean(best == truth):6.1%}")
        print(f"{path.stem:20}{len(pictures):9}  " + "".join(cells))
    print(f"{'all':20}{count:9}  " + "".join(f"{total / count:15.2%}{'':16}" for total in totals.values()))


def loaded(model: str) -> list[tuple[str, contralto.Clip]]:
    """The model in each precision, fp32 first. Prints and skips a precision that this machine cannot run."""
    clips = []
    for precision in ("fp32", "auto", "bf16", "int8"):
        try:
            clip = contralto.load(model, engine="openvino", precision=precision)
            clip.engine_report()
            clips.append((precision, clip))
        except ContraltoError as error:
            print(f"{precision}: {error}")
    return clips


def read(path: Path) -> tuple[list[str], tuple[str, ...], list[bytes], np.ndarray]:
    """Class names, templates, pictures of the val split, and the class index of each picture."""
    stated = json.loads(path.with_suffix(".json").read_text())
    classes = stated["classes"]
    named = [one["name"] if isinstance(one, dict) else one for one in classes]
    place = {one["dir"] if isinstance(one, dict) else one: n for n, one in enumerate(classes)}
    pictures, truth = [], []
    with tarfile.open(path) as tar:
        for member in tar:
            parts = member.name.split("/")
            if parts[0] == "val" and member.isfile():
                file = tar.extractfile(member)
                assert file is not None
                pictures.append(file.read())
                truth.append(place[parts[1]])
    return named, tuple(stated.get("templates", ["a photo of a {}."])), pictures, np.array(truth)


if __name__ == "__main__":
    main()
