"""Contralto: CLIP for Python. Pictures and texts in one embedding space.

    clip = contralto.load()
    clip.classify("cat.jpg", ["cat", "dog"])

Names are resolved on first use, so importing contralto is fast: it loads no runtime, no Pillow and no PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contralto import adaptation, metrics, probe
    from contralto.adaptation.result import Adaptation
    from contralto.adaptation.run import adapt
    from contralto.contract import Contract
    from contralto.encoder import Clip, create, load, save
    from contralto.encoder.soups import soup
    from contralto.errors import ContraltoError
    from contralto.evaluation.run import evaluate
    from contralto.version import __version__

__all__ = [
    "Adaptation",
    "Clip",
    "Contract",
    "ContraltoError",
    "__version__",
    "adapt",
    "adaptation",
    "create",
    "evaluate",
    "load",
    "metrics",
    "probe",
    "save",
    "soup",
]

_MODULE_OF = {
    "__version__": "contralto.version",
    "Clip": "contralto.encoder",
    "Contract": "contralto.contract",
    "ContraltoError": "contralto.errors",
    "Adaptation": "contralto.adaptation.result",
    "adapt": "contralto.adaptation.run",
    "create": "contralto.encoder",
    "evaluate": "contralto.evaluation.run",
    "load": "contralto.encoder",
    "save": "contralto.encoder",
    "soup": "contralto.encoder.soups",
}

_SUBMODULES = ("adaptation", "metrics", "probe")


def __getattr__(name: str) -> object:
    if name in _SUBMODULES:
        return import_module(f"contralto.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'contralto' has no attribute {name!r}")
    value: object = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value  # the next access skips this function
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
