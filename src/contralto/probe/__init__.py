"""Probes: what labelled rows of features let a simple classifier tell. NumPy alone.

To read: `objective.py` (what logistic regression minimises), `lbfgs.py` (how), `linear.py` (LinearProbe), `sweep.py`
(which strength), `few_shot.py` (k examples a class), `neighbours.py` (k-NN, prototypes), `checks.py` (what is refused).
"""

from contralto.probe.few_shot import FewShot, few_shot
from contralto.probe.linear import LinearProbe
from contralto.probe.neighbours import knn, prototypes
from contralto.probe.sweep import ALL, Sweep, sweep

__all__ = ["ALL", "FewShot", "LinearProbe", "Sweep", "few_shot", "knn", "prototypes", "sweep"]
