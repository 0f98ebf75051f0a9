"""Cross-entropy of pictures over classes that are described in words."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def class_cross_entropy(images: Tensor, classes: Tensor, labels: Tensor, log_scale: Tensor) -> Tensor:
    """The mean of -log softmax(scale * cosine)[label], a scalar.

    images (N, E), classes (K, E): embeddings of any length and float dtype; computed in fp32. labels: int64 (N,).
    log_scale: scalar, the logarithm of the factor on the cosines.
    """
    with torch.autocast(images.device.type, enabled=False):
        images, classes = F.normalize(images.float(), dim=-1), F.normalize(classes.float(), dim=-1)
        return F.cross_entropy(log_scale.float().exp() * images @ classes.T, labels)
