"""Engines compute embeddings: one protocol, several runtimes, and the choice among them.

Read `base.py` (the protocol) and `choose.py` (`start` makes an engine, `report` describes it). Then the engines:
`torch_towers.py` and `eager.py` (PyTorch, the readable model), `compiled.py` (the same through torch.compile, for GPUs)
and `openvino.py` (the default, no torch). `onnx.py` and `graph/` write the graphs that OpenVINO runs; `forest.py` packs
texts so that shared prefixes are computed once. `quantise.py` makes a tower in int8, `measure.py` measures the speed
and error of each precision, `measurements_cache.py` caches both, and `auto.py` chooses a precision from them. `cpus.py`
and `machine.py` describe the processor; `peak.py` and `operations.py` tell benchmarks what is possible.
"""

from contralto.engine.base import Engine
from contralto.engine.choose import EngineReport, made_in, precision_of, recalibrate, report, start

__all__ = ["Engine", "EngineReport", "made_in", "precision_of", "recalibrate", "report", "start"]
