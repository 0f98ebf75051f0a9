"""Pictures of noise in every mode, a contract's image part for them, and the peak memory of the process."""

import io
import resource
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from contralto import contract
from contralto.architecture import ViT

TOWER = ViT(width=8, layers=1, heads=1, patch=1, mlp=8, activation="gelu")
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
MODES = ["RGB", "L", "P", "1", "RGBA", "LA", "CMYK", "YCbCr"]


def spec_of(height, width=None, **changes):
    return contract.Image(tower=TOWER, size=(height, width or height), mean=MEAN, std=STD, **changes)


def noise(mode, size, seed=0):
    rng = np.random.default_rng(seed)
    bands = len(Image.new(mode, (1, 1)).getbands())
    if mode == "1":
        return Image.fromarray(rng.integers(0, 2, size[::-1]).astype(bool))
    image = Image.frombytes(mode, size, rng.integers(0, 256, size[0] * size[1] * bands, dtype=np.uint8).tobytes())
    if mode == "P":
        image.putpalette(rng.integers(0, 256, 768, dtype=np.uint8).tobytes())
    return image


def peak_mebibytes():
    """Peak memory of this process in MiB, from /proc: on Linux, a child's maxrss includes its parent's memory."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (2**20 if sys.platform == "darwin" else 1024)


def smooth(size=(64, 48)):
    """A picture without symmetry that compresses well."""
    y, x = np.mgrid[: size[1], : size[0]]
    return Image.fromarray(np.stack([x * 3 % 256, y * 5 % 256, (x + 2 * y) % 256], axis=-1).astype(np.uint8))


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
