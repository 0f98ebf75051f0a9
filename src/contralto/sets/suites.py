"""Named groups of data sets."""

from __future__ import annotations

from typing import Final

from contralto.sets import drawn

PAPER: Final = (
    *("food101", "cifar10", "cifar100", "birdsnap", "sun397", "cars", "aircraft", "voc2007", "dtd", "pets"),
    *("caltech101", "flowers102", "mnist", "fer2013", "stl10", "eurosat", "resisc45", "gtsrb", "kitti", "country211"),
    *("pcam", "ucf101", "kinetics700", "clevr", "hateful_memes", "sst2", "imagenet"),
)
"""The 27 data sets in Tables 10 and 11 of the CLIP paper."""

SUITES: Final[dict[str, tuple[str, ...]]] = {
    "paper": PAPER,
    "robustness": (
        "imagenet",
        "imagenet_v2",
        "imagenet_a",
        "imagenet_r",
        "imagenet_sketch",
        "objectnet",
    ),
    "retrieval": ("flickr30k", "flickr8k", "coco"),
    "limits": tuple(name for name in drawn.DRAWN_SETS if drawn.task_of(name) == "choice"),
}
