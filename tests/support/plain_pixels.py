"""The plain twin of image/transform.py: OpenAI's pipeline with Pillow and torch."""

import numpy as np
import torch
from PIL import Image
from support.noise_pictures import MEAN, STD


def plain_resize(image, n, resample=Image.Resampling.BICUBIC):
    short, long = sorted(image.size)
    other = int(n * long / short)
    image = image.resize((n, other) if image.width <= image.height else (other, n), resample)
    left, top = int(round((image.width - n) / 2.0)), int(round((image.height - n) / 2.0))  # noqa: RUF046
    return image.crop((left, top, left + n, top + n)).convert("RGB")


def normalised(image):
    value = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    return value.sub_(mean).div_(std).numpy()


def plain_resized(image, full, size, resample=Image.Resampling.BILINEAR):
    """The picture squashed to `full` (height, width), then centre-cropped to `size`, as in transformers for ALIGN."""
    (height, width), (rows, columns) = full, size
    image = image.resize((width, height), resample)
    left, top = int(round((width - columns) / 2.0)), int(round((height - rows) / 2.0))  # noqa: RUF046
    return image.crop((left, top, left + columns, top + rows)).convert("RGB")
