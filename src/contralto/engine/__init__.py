"""What computes embeddings: one protocol, several runtimes behind it, and the choice among them.

Read `base.py` (the protocol), `choose.py` (`start`), `torch_towers.py` and `eager.py` (PyTorch, the reference),
`compiled.py` (the same through torch.compile, for GPUs), `openvino.py` (the default, no torch), then `onnx.py` and
`graph/`, which write the graphs that the latter runs. `forest.py` packs texts so that what they share is computed once,
`quantise.py` makes a tower in int8, `measure.py` and `remembered.py` find out what a machine makes and keep it, and
`chosen.py` decides by that what a call is computed in.
"""

from contralto.engine.base import Engine
from contralto.engine.choose import Report, made_in, refit, report, start

__all__ = ["Engine", "Report", "made_in", "refit", "report", "start"]
