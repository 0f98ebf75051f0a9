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
    from contralto.apply.detect.box import Box
    from contralto.apply.detect.run import detect
    from contralto.apply.explain import Explanation, explain
    from contralto.apply.views import Views, encode_views
    from contralto.contract import Contract
    from contralto.encoder import Clip, create, load, save
    from contralto.encoder.soups import soup
    from contralto.errors import ContraltoError
    from contralto.evaluation.run import evaluate
    from contralto.version import __version__

__all__ = [
    "Adaptation",
    "Box",
    "Clip",
    "Contract",
    "ContraltoError",
    "Explanation",
    "Views",
    "__version__",
    "adapt",
    "adaptation",
    "create",
    "detect",
    "encode_views",
    "evaluate",
    "explain",
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
    "Box": "contralto.apply.detect.box",
    "Explanation": "contralto.apply.explain",
    "Views": "contralto.apply.views",
    "adapt": "contralto.adaptation.run",
    "create": "contralto.encoder",
    "detect": "contralto.apply.detect.run",
    "encode_views": "contralto.apply.views",
    "evaluate": "contralto.evaluation.run",
    "explain": "contralto.apply.explain",
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
