"""Which tensors a contract asks for. Read `model.py` (all of them), then `image.py`, `text.py` and `parts.py`."""

from contralto.weights.names.model import expected
from contralto.weights.names.parts import Shape, Shapes

__all__ = ["Shape", "Shapes", "expected"]
