"""Which near-duplicates the overlap detector finds: modified copies of pictures, and false matches.

    python benchmarks/overlap.py TRAINING OTHERS [--model MODEL] [--count N] [--sheet FILE]

TRAINING and OTHERS are data sets as `contralto evaluate` takes them, for example two splits of one. The script makes a
copy of N pictures of TRAINING for each change in `CHANGES`, and searches each copy in all of TRAINING. Recall is the
share of copies that match their original. It also searches each picture of OTHERS: a match is an error, or a real
near-duplicate in the data; the sheet shows these pairs side by side, most similar first. The threshold was chosen on
Flickr8k's training split, after fashion-products and grocery81 had been seen.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

import contralto
from contralto.embeddings import Embeddings
from contralto.encoder import Clip
from contralto.evaluation.overlap import THRESHOLD, Overlap, find_overlap
from contralto.image.decode import decode
from contralto.sets.data_set import Item, PictureChange
from contralto.sets.open import open_set

THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SHEET_PAIRS, SHEET_SIDE = 24, 160


def encoded(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return decode(file.getvalue())


def shrink(picture: Image.Image, part: float) -> Image.Image:
    return picture.resize((max(1, round(picture.width * part)), max(1, round(picture.height * part))))


def cropped(picture: Image.Image, key: str, area: float) -> Image.Image:
    """A random part with this share of the area and another aspect ratio."""
    drawn = np.random.default_rng(list(key.encode()))
    width = drawn.uniform(area, 1)
    size = round(picture.width * width), round(picture.height * area / width)
    left, top = (int(drawn.integers(0, whole - part + 1)) for whole, part in zip(picture.size, size, strict=True))
    return picture.crop((left, top, left + size[0], top + size[1]))


def together(picture: Image.Image, key: str) -> Image.Image:
    changed = ImageEnhance.Brightness(cropped(picture, key, 0.75)).enhance(1.2).convert("L").convert("RGB")
    return encoded(shrink(ImageOps.mirror(changed), 0.7), 40)


CHANGES: dict[str, Callable[[Image.Image, str], Image.Image]] = {
    "JPEG 30": lambda picture, key: encoded(picture, 30),
    "JPEG 10": lambda picture, key: encoded(picture, 10),
    "half the side": lambda picture, key: shrink(picture, 1 / 2),
    "a third": lambda picture, key: shrink(picture, 1 / 3),
    "stretched": lambda picture, key: picture.resize((picture.width * 4 // 3, picture.height)),
    "90% cropped": lambda picture, key: cropped(picture, key, 0.9),
    "70% cropped": lambda picture, key: cropped(picture, key, 0.7),
    "50% cropped": lambda picture, key: cropped(picture, key, 0.5),
    "mirrored": lambda picture, key: ImageOps.mirror(picture),
    "grey": lambda picture, key: picture.convert("L").convert("RGB"),
    "brighter": lambda picture, key: ImageEnhance.Brightness(picture).enhance(1.4),
    "darker": lambda picture, key: ImageEnhance.Brightness(picture).enhance(0.6),
    "low contrast": lambda picture, key: ImageEnhance.Contrast(picture).enhance(0.6),
    "all together": together,
}


def embeddings_of(clip: Clip, items: Sequence[Item]) -> Embeddings:
    return clip.encode_image(item.encoder_input() for item in items)


def sheet(overlaps: Overlap, items: Sequence[Item], training: Sequence[Item], path: Path) -> None:
    """Writes the most similar pairs, four per line."""
    page = Image.new("RGB", (8 * SHEET_SIDE, -(-SHEET_PAIRS // 4) * SHEET_SIDE), "white")
    for place, pair in enumerate(overlaps.pairs[:SHEET_PAIRS]):
        for half, item in enumerate((items[pair.item], training[pair.training])):
            picture = decode(item.encoder_input()).convert("RGB").resize((SHEET_SIDE - 4, SHEET_SIDE - 4))
            page.paste(picture, ((place % 4 * 2 + half) * SHEET_SIDE, place // 4 * SHEET_SIDE))
    page.save(path)


def shares(name: str, scores: np.ndarray) -> None:
    print(f"{name:16}" + "".join(f"{(scores >= threshold).mean():8.3f}" for threshold in THRESHOLDS))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("training")
    options.add_argument("others")
    options.add_argument("--model", default="nano")
    options.add_argument("--count", type=int, default=100)
    options.add_argument("--sheet", type=Path, metavar="FILE")
    given = options.parse_args()
    clip = contralto.load(given.model)
    training, others = (list(open_set(name).items) for name in (given.training, given.others))
    known = embeddings_of(clip, training)
    drawn = np.random.default_rng(0).permutation(len(training))[: given.count]
    print(f"{len(training)} training pictures; share matched at a threshold (the default is {THRESHOLD})")
    print(" " * 16 + "".join(f"{threshold:8}" for threshold in THRESHOLDS))
    for name, apply in CHANGES.items():
        copies = [replace(training[i], change=PictureChange(name, apply)) for i in drawn]
        overlaps = find_overlap(copies, embeddings_of(clip, copies), training, known)
        scores = np.zeros(len(copies))
        for pair in overlaps.pairs:
            scores[pair.item] = pair.score if pair.training == drawn[pair.item] else 0
        shares(name, scores)
    overlaps = find_overlap(others, embeddings_of(clip, others), training, known)
    scores = np.zeros(len(others))
    scores[[pair.item for pair in overlaps.pairs]] = [pair.score for pair in overlaps.pairs]
    shares(f"{len(others)} others", scores)
    for pair in overlaps.pairs[:10]:
        print(f"{pair.score:.3f}  cosine {pair.cosine:.3f}  {others[pair.item].key}  {training[pair.training].key}")
    if given.sheet:
        sheet(overlaps, others, training, given.sheet)


if __name__ == "__main__":
    main()
