"""The finish for a checkpoint."""

from __future__ import annotations

from typing import Any, assert_never

import numpy as np

from contralto.architecture import ConvNeXt, EfficientNet, Eva, FastViT, ResNet, ViT
from contralto.encoder.finish.base import Finish
from contralto.encoder.finish.class_token import ClassTokenFinish
from contralto.encoder.finish.eva import EvaFinish
from contralto.encoder.finish.layers import FinishWeights
from contralto.encoder.finish.map_attention import MapAttentionFinish
from contralto.encoder.finish.map_mean import MapMeanFinish
from contralto.encoder.finish.patch_mean import PatchMeanFinish
from contralto.encoder.finish.query_pool import QueryPoolFinish
from contralto.weights.checkpoint import Checkpoint


def finish_of(
    checkpoint: Checkpoint,
    places: tuple[int, int],
    *,
    randomised: int | None = None,
    dtype: type[np.floating[Any]] = np.float64,
) -> Finish:
    """The finish of the picture tower. places: rows and columns of its grid.

    randomised: a seed; the finish then has random weights, each tensor with its own mean and deviation. What an
    explanation shows must depend on the weights (Adebayo et al. 2018, arXiv 1810.03292). dtype: float32 computes many
    cells in half of the time; gradients are exact enough for any use in float64.
    """
    weights, tower = FinishWeights(checkpoint, randomised, dtype), checkpoint.contract.image.tower
    match tower:
        case ViT():
            match tower.pool:
                case "class":
                    return ClassTokenFinish(weights, tower, places)
                case "attention":
                    return QueryPoolFinish(weights, tower, places)
                case "mean":
                    return PatchMeanFinish(weights, tower, places)
                case _:
                    assert_never(tower.pool)
        case Eva():
            return EvaFinish(weights, tower, places)
        case ResNet():
            return MapAttentionFinish(weights, tower, places)
        case EfficientNet() | ConvNeXt() | FastViT():
            return MapMeanFinish(weights, tower, places)
        case _:
            assert_never(tower)
