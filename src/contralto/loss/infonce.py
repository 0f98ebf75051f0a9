"""CLIP's loss: symmetric cross-entropy over the similarities of a batch, with a learned temperature."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_LOG_SCALE = math.log(100)


def infonce(images: Tensor, texts: Tensor, log_scale: Tensor, also_true: Tensor | None = None) -> Tensor:
    """The mean of the two directions' cross-entropies, a scalar (Radford et al. 2021, figure 3, section 2.3).

    images, texts: embeddings (N, E) of matching pairs, of any length and float dtype; computed in fp32.
    log_scale: scalar, the logarithm of the factor on the cosines.
    also_true: bool (N, N), true where picture i and text j match although i != j. Such a pair is not a negative: both
        softmaxes leave it out. The diagonal always counts.
    """
    with torch.autocast(images.device.type, enabled=False):
        images = F.normalize(images.float(), dim=-1)
        texts = F.normalize(texts.float(), dim=-1)
        logits = log_scale.float().exp() * (images @ texts.T)  # (N pictures, N texts)
        if also_true is not None:
            diagonal = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
            logits = logits.masked_fill(also_true & ~diagonal, -math.inf)
        target = torch.arange(len(logits), device=logits.device)
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def pairs_with_shared_id(*ids: Tensor) -> Tensor:
    """bool (N, N) for `also_true`: pairs i and j share one of the ids (int64 (N,) each), such as picture or caption."""
    return torch.stack([each[:, None] == each[None, :] for each in ids]).any(dim=0)


@torch.no_grad()
def clip_scale(log_scale: Tensor) -> None:
    """Clamps the factor to at most 100, in place; called after each step (Radford et al. 2021, section 2.5)."""
    log_scale.clamp_(max=MAX_LOG_SCALE)
