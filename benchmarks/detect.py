"""OWL-ViT and OWLv2, a picture file to boxes: ours and transformers in turns, on the same weights.

    python benchmarks/detect.py [--model owlvit-base-patch32 owlv2-base-patch16] [--size 1280 960] [--runs 5] [--json]

The models have their published sizes and random weights, with heads that give boxes of all sizes and scores on both
sides of the threshold. A run ends with an error unless both give the same boxes: scores within 1e-3, corners within
0.1 pixel. Prints the median seconds, their ratio, and the peak memory above the imports. Needs torch and transformers.
"""

from __future__ import annotations

import json
import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
from contenders.owl import THRESHOLD
from contest import Contender, contest, parser, rounds
from machine import described
from material import photographs

import contralto

SEED = 0
TEXTS = ["a photo of a cat", "a photo of a dog", "a red house"]
SCORE_BOUND, PIXEL_BOUND = 1e-3, 0.1
SIZES = {  # side of the pictures, patch, family
    "owlvit-base-patch32": (768, 32, "owlvit"),
    "owlvit-base-patch16": (768, 16, "owlvit"),
    "owlv2-base-patch16": (960, 16, "owlv2"),
}


def main() -> None:
    made = parser(__doc__, runs=5, model=False)
    made.add_argument("--model", nargs="+", choices=SIZES, default=["owlvit-base-patch32", "owlv2-base-patch16"])
    made.add_argument("--size", nargs=2, type=int, metavar=("WIDTH", "HEIGHT"), default=[1280, 960])
    options = made.parse_args()
    print(described(), file=sys.stderr if options.json else sys.stdout)
    with tempfile.TemporaryDirectory() as scratch:
        place = options.models or Path(scratch)
        (picture,) = photographs(Path(scratch) / "pictures", 1, tuple(options.size), options)
        for name in options.model:
            folder = place / f"{name}-seed-{SEED}"
            if not (folder / "config.json").is_file():
                write_model(name, folder)
            compare(name, folder, picture, Path(scratch) / "cache", options)


def compare(name: str, folder: Path, picture: Path, cache: Path, options: Namespace) -> None:
    ids = contralto.load(folder).tokenize(TEXTS).tolist()
    contenders = [
        Contender("contralto", "owl", "ours", {"library": "contralto", "model": str(folder), "cache": str(cache)}),
        Contender("transformers", "owl", "baseline", {"library": "transformers", "model": str(folder), "ids": ids}),
    ]
    asked: dict[str, Any] = {"path": str(picture), "texts": TEXTS}
    with contest(contenders, options) as running:
        if running.absent:
            sys.exit(f"absent: {running.absent}")
        results = running.run("detect", lambda turn, contender: asked, rounds(options))
        peaks = running.ask("peak")
        others = running.others.part
    if len(results) < len(contenders):
        sys.exit(f"{name}: {running.absent}")
    ours, theirs = (results[one.name] for one in contenders)
    agree(name, ours.value, theirs.value)
    figure = {
        "what": f"{name}, {options.size[0]} x {options.size[1]}: a JPEG to {len(ours.value)} boxes",
        "seconds": {one: round(result.median, 3) for one, result in results.items()},
        "ratio": round(theirs.median / ours.median, 2),
        "peak MB": {one: round(value) for one, value in peaks.items()},
        "load by others": round(others, 2),
    }
    print(json.dumps(figure) if options.json else "\n".join(f"{key:16}{value}" for key, value in figure.items()))


def agree(name: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Exits unless both tables hold the same boxes; one whose score is nearly the threshold may be in one alone."""
    apart = np.abs(ours[:, None, 2:] - theirs[None, :, 2:]).max(axis=2)  # equal scores may be in another order
    same = (np.abs(ours[:, None, 0] - theirs[None, :, 0]) <= SCORE_BOUND) & (apart <= PIXEL_BOUND)
    same &= ours[:, None, 1] == theirs[None, :, 1]
    for table, met in ((ours, same.any(axis=1)), (theirs, same.any(axis=0))):
        clear = table[:, 0] > THRESHOLD + SCORE_BOUND
        if not clear.any() or not met[clear].all():
            sys.exit(f"{name}: the boxes differ from those of transformers, {len(ours)} here and {len(theirs)} there")


def write_model(name: str, folder: Path) -> None:
    """A folder as transformers writes it, with random weights."""
    import torch
    import transformers
    from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil
    from transformers.models.owlvit.image_processing_pil_owlvit import OwlViTImageProcessorPil

    side, patch, family = SIZES[name]
    vision = {"image_size": side, "patch_size": patch}
    torch.manual_seed(SEED)
    if family == "owlv2":
        model: Any = transformers.Owlv2ForObjectDetection(transformers.Owlv2Config(vision_config=vision))
        pictures: Any = Owlv2ImageProcessorPil(size={"height": side, "width": side})
    else:
        model = transformers.OwlViTForObjectDetection(transformers.OwlViTConfig(vision_config=vision))
        pictures = OwlViTImageProcessorPil(size={"height": side, "width": side})
    tame(model)
    model.save_pretrained(folder)
    pictures.save_pretrained(folder)


def tame(model: Any) -> None:
    """Heads whose outputs are about 1: transformers' own first values give boxes without area, and equal scores."""
    import torch

    with torch.no_grad():
        for name, value in model.named_parameters():
            if "_head." in name:
                value.normal_(0, value.shape[-1] ** -0.5) if value.ndim == 2 else value.zero_()
        model.class_head.logit_shift.bias.fill_(-2.0)


if __name__ == "__main__":
    main()
