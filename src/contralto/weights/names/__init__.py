"""Names and shapes of the tensors of a contract.

Read `model.py`, then `image.py`, `fastvit.py`, `text.py` and `parts.py`.
"""

from contralto.weights.names.model import expected
from contralto.weights.names.parts import Shape, Shapes

__all__ = ["Shape", "Shapes", "expected"]
