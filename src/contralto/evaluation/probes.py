"""What can be fitted to a set's training split on frozen features, and what it gives on the split that is measured.

The paper's protocol (section 3.2): features before the projection, as they are; logistic regression whose strength is
chosen on validation, then refitted on training and validation together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from contralto import metrics, probe
from contralto.encoder.rows import Rows
from contralto.evaluation import embed
from contralto.evaluation.classes import Answers, labels_of, of_answers
from contralto.evaluation.embed import Pictures
from contralto.evaluation.outcome import Figure, Outcome
from contralto.evaluation.protocol import protocol, split_hash
from contralto.sets.items import DataSet

if TYPE_CHECKING:
    from contralto.evaluation.run import Session

PROBES: Final = ("linear", "knn", "few-shot")
HELD_OUT = 5  # a fifth of the training split is held out where there is no validation split
