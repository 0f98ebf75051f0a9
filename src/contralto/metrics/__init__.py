"""Metrics, and how far each value can be trusted. Arrays in, numbers out.

Read `accuracy.py` (classes), `retrieval.py` (pictures and texts; `counting.py` does its work in blocks),
`detection.py` (boxes; `matching.py` and `overlap.py` serve it) and `calibration.py` (confidences); then `intervals.py`,
`paired.py` (two models on the same items) and `robustness.py` (other data). A metric without a value on the given items
raises `UndefinedError` (`undefined.py`).
"""

from contralto.metrics.accuracy import auc, map11, mean_per_class, mean_top1_top5, ranks, top_k
from contralto.metrics.calibration import Bins, Platt, brier, ece, platt, reliability, temperature
from contralto.metrics.detection import average_precision
from contralto.metrics.intervals import Interval, bootstrap, clopper_pearson
from contralto.metrics.paired import Difference, holm, mcnemar, paired_bootstrap
from contralto.metrics.retrieval import Ranks, Recall, median_rank, recall, retrieval_ranks, share_recall, text_shares
from contralto.metrics.robustness import (
    corruption_error,
    effective_robustness,
    mean_corruption_error,
    relative_corruption_error,
    relative_mean_corruption_error,
)
from contralto.metrics.undefined import UndefinedError

__all__ = [
    "Bins",
    "Difference",
    "Interval",
    "Platt",
    "Ranks",
    "Recall",
    "UndefinedError",
    "auc",
    "average_precision",
    "bootstrap",
    "brier",
    "clopper_pearson",
    "corruption_error",
    "ece",
    "effective_robustness",
    "holm",
    "map11",
    "mcnemar",
    "mean_corruption_error",
    "mean_per_class",
    "mean_top1_top5",
    "median_rank",
    "paired_bootstrap",
    "platt",
    "ranks",
    "recall",
    "relative_corruption_error",
    "relative_mean_corruption_error",
    "reliability",
    "retrieval_ranks",
    "share_recall",
    "temperature",
    "text_shares",
    "top_k",
]
