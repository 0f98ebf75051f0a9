"""The fastest matrix products of a runtime on this machine: the limit for the other figures."""

from __future__ import annotations

import statistics
import time
from typing import Any

from contenders import processors, versions


class OpenVINO:
    def __init__(self) -> None:
        from contralto.engine import peak

        self._peak, self.about = peak, versions("openvino")

    def peaks(self) -> dict[str, float]:
        return self._peak.peaks()


class Torch:
    """float32 and bfloat16. Its products of int8 are for weights in 8 bits, not for activations too."""

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(processors())
        self._torch, self.about = torch, versions("torch")

    def peaks(self) -> dict[str, float]:
        torch = self._torch
        kinds = {"fp32": torch.float32, "bf16": torch.bfloat16}
        return {name: max(self._rate(kind, n) for n in (1024, 2048)) for name, kind in kinds.items()}

    def _rate(self, kind: Any, n: int) -> float:
        one, other = (self._torch.randn(n, n).to(kind) for _ in range(2))
        seconds = []
        for _ in range(6):
            begin = time.perf_counter()
            one @ other
            seconds.append(time.perf_counter() - begin)
        return 2 * n**3 / statistics.median(seconds[1:])


def make(runtime: str) -> OpenVINO | Torch:
    return OpenVINO() if runtime == "openvino" else Torch()
