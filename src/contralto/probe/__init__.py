"""Probes: simple classifiers on features with labels, in NumPy alone (`on_torch.py`: on a GPU).

Read `objective.py` (what logistic regression minimises), `lbfgs.py` (how), `linear.py` (LinearProbe), `sweep.py` (which
strength), `few_shot.py` (k examples per class), `neighbours.py` (k-NN, prototypes), `inputs.py` (what probes refuse).

From a zero-shot classifier on: `estimator.py` (what all probes share), `kernel.py` (KernelProbe), `gaussian.py`
(GaussianProbe), `tip.py` (TipAdapter, trained by `adamw.py`). These change the rows themselves, by the gradients of
`unit_losses.py`: `projection.py` (a tower's last projection, over cached features), `adapter.py` (CLIP-Adapter).
"""

from contralto.probe.few_shot import FewShot, few_shot
from contralto.probe.gaussian import GaussianProbe
from contralto.probe.kernel import KernelProbe
from contralto.probe.linear import LinearProbe
from contralto.probe.neighbours import knn, prototypes
from contralto.probe.sweep import ALL, Sweep, sweep
from contralto.probe.tip import TipAdapter

__all__ = [
    "ALL",
    "FewShot",
    "GaussianProbe",
    "KernelProbe",
    "LinearProbe",
    "Sweep",
    "TipAdapter",
    "few_shot",
    "knn",
    "prototypes",
    "sweep",
]
