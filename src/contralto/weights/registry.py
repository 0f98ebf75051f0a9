"""The published models that can be loaded by name: where they are, under which terms, and what their files get wrong.

`registry.json` holds the facts, one line a model: the repository of the hub, zero-shot top-1 on ImageNet as published
(the project's own re-runs for OpenAI and open_clip, model cards for others; null where nobody has said), the licence
(null where none is stated), the data. `activation` and `image` are what the weights were trained with, whatever the
configuration beside them says: configurations have lost QuickGELU before (open_clip, issues 771 and 915).
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from contralto.architecture import ViT
from contralto.architecture.towers import Activation
from contralto.contract import Contract, preset
from contralto.errors import ContraltoError, one_line
from contralto.weights.names import expected


@dataclass(frozen=True)
class Entry:
    """One published model; `name` is ARCHITECTURE/TAG, the architecture a preset."""

    name: str
    hub_id: str
    imagenet_top1: float | None
    licence: str | None
    trained_on: str | None
    activation: Activation | None = None
    image: Mapping[str, Any] = field(default_factory=dict)

    @property
    def architecture(self) -> str:
        """Name of the preset."""
        return self.name.partition("/")[0]

    def contract(self) -> Contract:
        """The model without its weights: the preset, with what is known of these weights. Raises ContractError."""
        stated = preset(self.architecture)
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in self.image.items()}
        image, text = dataclasses.replace(stated.image, **given), stated.text
        if self.activation is not None:
            text = dataclasses.replace(text, tower=dataclasses.replace(text.tower, activation=self.activation))
            if isinstance(image.tower, ViT):
                image = dataclasses.replace(image, tower=dataclasses.replace(image.tower, activation=self.activation))
        return stated.replace(name=self.name, image=image, text=text, licence=self.licence)

    def parameters(self) -> int:
        """How many numbers are trained: all tensors but the running figures of batch norm."""
        return parameters(self.contract())

    def bytes(self) -> int:
        """Size of the weights in float32, which most are published in; computed, not asked of the hub."""
        return 4 * sum(math.prod(shape) for shape in expected(self.contract()).values())


@functools.cache
def entries() -> dict[str, Entry]:
    """Name -> entry, in the order of the file: families together, small to large."""
    text = (resources.files("contralto.weights") / "registry.json").read_bytes()
    return {value["name"]: Entry(**value) for value in json.loads(text)}


def find(name: str) -> Entry:
    """The entry of that name. Raises ContraltoError, which names the closest ones."""
    known = entries()
    if name in known:
        return known[name]
    shown = one_line(name, 200)
    if tags := [other for other in known if other.startswith(f"{name}/")]:
        raise ContraltoError(f"'{shown}' is an architecture; its weights are called {', '.join(tags)}")
    close = difflib.get_close_matches(name, ["nano", *known], n=3, cutoff=0.5) or ["nano"]
    raise ContraltoError(f"no model, folder or file is called '{shown}': is it {', '.join(close)}? (contralto models)")


def parameters(contract: Contract) -> int:
    """How many numbers of a model are trained: all tensors but the running figures of batch norm."""
    shapes = expected(contract)
    return sum(math.prod(shape) for name, shape in shapes.items() if not name.endswith(("running_mean", "running_var")))
