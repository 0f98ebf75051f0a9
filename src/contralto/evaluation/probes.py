"""What can be fitted to a set's training split on frozen features, and what it gives on the split that is measured.

The paper's protocol (section 3.2): features before the projection, as they are; logistic regression whose strength is
chosen on validation, then refitted on training and validation together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    pass

PROBES: Final = ("linear", "knn", "few-shot")
HELD_OUT = 5  # a fifth of the training split is held out where there is no validation split
