"""The finish: from a picture tower's grid to its embedding, forwards and, by hand, backwards. NumPy, float64, no torch.

Every picture tower is a trunk that ends in a grid, and a small finish. Engines compute the trunk (`Engine.grid`); here
is the rest, from the checkpoint's own tensors: one picture at a time, with gradients by hand. Read `layers.py` (layers
and their gradients) and `base.py` (what every finish offers), then one file per kind of tower: `class_token.py`,
`eva.py`, `query_pool.py` (SigLIP), `patch_mean.py`, `map_attention.py` (CLIP's ResNets), `map_mean.py`. `dense.py`
has the ways to read cells from a last attention layer, and `choose.py` chooses the finish for a checkpoint.

The plain twins are in tests/encoder/finish: autograd through contralto.model, central differences, and loops.
"""

from contralto.encoder.finish.base import Finish, LastAttention
from contralto.encoder.finish.choose import finish_of

__all__ = ["Finish", "LastAttention", "finish_of"]
