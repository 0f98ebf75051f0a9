"""The published models that can be loaded by name: repository, licence, and corrections to their configurations.

`registry.json` has one line per model: the hub repository, the published zero-shot top-1 on ImageNet (from re-runs of
the open_clip project for OpenAI and open_clip, from model cards for others; null if unpublished), the licence (null if
none is stated), the training data. `activation` and `image` are the settings that the weights were trained with, and
override the configuration in the repository: some configurations have lost QuickGELU (open_clip, issues 771 and 915).
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from contralto.architecture.towers import Activation
from contralto.contract import Contract, preset
from contralto.errors import ContraltoError, one_line
from contralto.filenames import explain_missing
from contralto.weights.choices import QUICKGELU_SUFFIX
from contralto.weights.names import expected

OPENAI_NAME = re.compile(r"ViT-[A-Z]/[0-9]+(@[0-9]+px)?", re.IGNORECASE)  # names in OpenAI's code
REPOSITORY_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
PATH_LIKE = re.compile(r"^[./\\]|^[A-Za-z]:|/.*/|\\|\.(pt|pth|bin|safetensors|onnx|json|ckpt)$")


@dataclass(frozen=True)
class RegistryEntry:
    """One published model. name: ARCHITECTURE/TAG, with the name of a preset as architecture.

    also: other repositories on the hub with the same weights.
    """

    name: str
    hub_id: str
    imagenet_top1: float | None
    licence: str | None
    trained_on: str | None
    activation: Activation | None = None
    image: Mapping[str, Any] = field(default_factory=dict)
    also: Sequence[str] = ()

    @property
    def architecture(self) -> str:
        """Name of the preset."""
        return self.name.partition("/")[0]

    def contract(self) -> Contract:
        """The contract without weights: the preset with the registry's corrections. Raises ContractError."""
        stated = preset(self.architecture)
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in self.image.items()}
        image = dataclasses.replace(stated.image, **given)
        stated = stated.replace(name=self.name, image=image, licence=self.licence)
        return stated if self.activation is None else stated.with_activation(self.activation)

    def parameters(self) -> int:
        """Number of trained parameters: all tensors but the running statistics of batch norm."""
        return parameters(self.contract())

    def bytes(self) -> int:
        """Size of the weights in float32, the usual published dtype; computed from the contract."""
        return 4 * sum(math.prod(shape) for shape in expected(self.contract()).values())


@functools.cache
def entries() -> dict[str, RegistryEntry]:
    """Name -> entry, in the order of the file: families together, small to large."""
    text = (resources.files("contralto.weights") / "registry.json").read_bytes()
    return {value["name"]: RegistryEntry(**value) for value in json.loads(text)}


def find(name: str) -> RegistryEntry:
    """The model of that name, in any common spelling.

    Case and separators do not matter: "ViT-B-32/openai", "vit_b_32 openai", "ViT-B-32::openai" and open_clip's
    "ViT-B-32-quickgelu::openai" are one model. So are its hub repository, with or without the owner, and OpenAI's
    "ViT-B/32". Raises ContraltoError, which suggests similar names.
    """
    if (entry := entries().get(name)) is not None:
        return entry
    key, known = simplified(name), _known()
    wanted = f"{key}-openai" if OPENAI_NAME.fullmatch(name.strip()) else key
    if (entry := known.get(wanted)) is not None:
        return entry
    entry = known.get(wanted.replace(QUICKGELU_SUFFIX, ""))
    if entry is not None and entry.activation == "quickgelu":
        return entry
    raise ContraltoError(_unknown(name, key))


def simplified(name: str) -> str:
    """A normal form to compare spellings: lower case, one hyphen between parts, "336" for "336px"."""
    return re.sub(r"(?<=[0-9])px\b", "", re.sub(r"[\s,:/@_-]+", "-", name.lower())).strip("-")


def _known() -> dict[str, RegistryEntry]:
    """Simplified name -> entry. An architecture alone is no name, as most have several weights."""
    several = list(entries().values())
    entry_by_name = {simplified(entry.name): entry for entry in several}
    architectures = {simplified(entry.architecture) for entry in several}
    for entry in several:
        for hub_id in (entry.hub_id, *entry.also):
            for known in (hub_id, hub_id.partition("/")[2]):
                if simplified(known) not in architectures:
                    entry_by_name.setdefault(simplified(known), entry)
    return entry_by_name


def _unknown(name: str, key: str) -> str:
    """The error message for an unknown name, in one line, with similar names."""
    shown = one_line(name, 200)
    if reason := explain_missing(name):
        return f"'{shown}' {reason}"
    several = entries().values()
    plain, quick = key.replace(QUICKGELU_SUFFIX, ""), QUICKGELU_SUFFIX in key
    own = [one for one in several if simplified(one.architecture) == plain]
    if tags := [one.name for one in own if not quick or one.activation == "quickgelu"]:
        return f"'{shown}' is an architecture; its weights are called {', '.join(tags)}"
    if PATH_LIKE.search(name):
        return f"there is no folder or file '{shown}'"
    architectures = {simplified(one.architecture) for one in several}
    if REPOSITORY_NAME.fullmatch(name) and simplified(name.partition("/")[0]) not in architectures:
        return f"no model, folder or file is called '{shown}': hf:{shown} downloads it, if it is on the hub"
    names = {simplified(one): one for one in ("nano", *entries())}
    close = difflib.get_close_matches(key, names, n=3, cutoff=0.5) or [one for one in names if key and key in one][:3]
    likely = ", ".join(names[one] for one in close or ["nano"])
    return f"no model, folder or file is called '{shown}': is it {likely}? (contralto models)"


def parameters(contract: Contract) -> int:
    """Number of trained parameters of a model: all tensors but the running statistics of batch norm."""
    shapes = expected(contract)
    return sum(math.prod(shape) for name, shape in shapes.items() if not name.endswith(("running_mean", "running_var")))
