"""A 12-megapixel JPEG to pixels, on one core: ours and plain Pillow in turns, after a check that both are equal.

    python benchmarks/preprocess.py [PICTURE.jpg]

Without PICTURE, the script draws one (4000 x 3000, quality 90). Prints medians in milliseconds, and their ratio.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from contralto import contract
from contralto.architecture import ViT
from contralto.engine.machine import instructions
from contralto.image import resample, transform
from contralto.image.decode import decode, decode_unturned

RUNS = 21
SIZE = 224
SPEC = contract.Image(
    tower=ViT(width=8, layers=1, heads=1, patch=1, mlp=8, activation="gelu"),
    size=(SIZE, SIZE),
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
)


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    data = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else _photograph(4000, 3000)
    image, on_its_side = decode(data), _on_its_side(data)
    compiled = resample.compiled  # type: ignore[attr-defined]
    kind = "absent" if compiled is None else "with AVX2" if compiled.AVX2 else "without AVX2"
    print(f"{image.width} x {image.height}, {len(data) / 1e6:.1f} MB of JPEG, to {SIZE} x {SIZE}; one core")
    print(f"instructions: {' '.join(instructions())}; compiled resize {kind}")
    _compare("JPEG to pixels", lambda: _ours(data), lambda: _plain(_open(data)))
    _compare("the same, turned by EXIF", lambda: _ours(on_its_side), lambda: _plain(_open(on_its_side)))
    _compare("decoded scaled", lambda: _ours(data, SIZE), lambda: _plain(_open(data, 2 * SIZE)))
    _compare("resize and crop alone", lambda: transform.resized(image, SPEC), lambda: np.asarray(_plain_resized(image)))


def _photograph(width: int, height: int) -> bytes:
    """Smooth light and colour, edges, texture at several scales, and sensor noise: about 2.5 bits per pixel."""
    random = np.random.default_rng(0)
    picture = np.zeros((height, width, 3), np.float32)
    for cell, strength in ((400, 90), (100, 50), (24, 30), (8, 16), (3, 10)):
        cells = random.integers(0, 256, (height // cell + 1, width // cell + 1, 3), dtype=np.uint8)
        smooth = Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)
        picture += (np.asarray(smooth, np.float32) - 127.5) * (strength / 128)
    picture += random.normal(0, 5, (height, width, 1)).astype(np.float32)
    file = io.BytesIO()
    Image.fromarray((picture + 127.5).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def _on_its_side(data: bytes) -> bytes:
    """The same JPEG with EXIF orientation 6, which an upright phone writes."""
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    body = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + data[2:]


def _ours(data: bytes, scaled_to: int | None = None) -> np.ndarray:
    image, turn = decode_unturned(data, scaled_to=scaled_to)
    return transform.pixels(image, SPEC, turn=turn)


def _open(data: bytes, at_least: int | None = None) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    if at_least is not None:
        image.draft(None, (at_least, at_least))
    ImageOps.exif_transpose(image, in_place=True)  # otherwise it copies an upright picture
    return image


def _plain_resized(image: Image.Image) -> Image.Image:
    short = min(image.size)
    width, height = (int(SIZE * side / short) for side in image.size)
    small = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - SIZE) / 2), round((height - SIZE) / 2)
    return small.crop((left, top, left + SIZE, top + SIZE))


def _plain(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(_plain_resized(image).convert("RGB"), np.float32).transpose(2, 0, 1) / np.float32(255)
    mean, std = (np.array(value, np.float32)[:, None, None] for value in (SPEC.mean, SPEC.std))
    return (pixels - mean) / std


def _compare(what: str, ours: Callable[[], np.ndarray], plain: Callable[[], np.ndarray]) -> None:
    if not np.array_equal(ours(), plain()):
        sys.exit(f"{what}: differs from Pillow's")
    seconds: dict[Callable[[], np.ndarray], list[float]] = {ours: [], plain: []}
    for _ in range(RUNS):
        for run, taken in seconds.items():
            begin = time.perf_counter()
            run()
            taken.append(time.perf_counter() - begin)
    mine, theirs = (statistics.median(taken) * 1e3 for taken in seconds.values())
    print(f"{what:24}  contralto {mine:6.1f} ms  Pillow {theirs:6.1f} ms  ratio {theirs / mine:.2f}")


if __name__ == "__main__":
    main()
