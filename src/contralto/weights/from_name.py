"""Reads a published model by name: a model of the registry, or any repository of the Hugging Face hub."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from contralto.architecture.codec import to_json
from contralto.contract import Contract
from contralto.errors import ContractError, ContraltoError
from contralto.weights import from_path, hub, registry
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.choices import NO_CHOICES, Choices

HUB_PREFIXES = ("hf:", "hf-hub:", "hf://", "https://huggingface.co/", "https://hf.co/")
PREPARATION = ("mean", "std", "resize", "interpolation", "resized")


def read(
    name: str,
    choices: Choices = NO_CHOICES,
    *,
    revision: str | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Checkpoint:
    """Downloads a model if needed and reads it.

    name: in the registry ("ViT-B-32/openai", see `registry.find`), or a repository with a model in any layout:
    "hf:OWNER/NAME", "hf-hub:OWNER/NAME" or its URL. choices: for points that a repository leaves open; a model of the
    registry leaves only image_size open. revision: branch, tag or commit. progress: called with (bytes done, total
    bytes). Raises ContraltoError.
    """
    if (hub_id := _repository(name)) is not None:
        folder = hub.fetch(hub_id, revision=revision, progress=progress)
        checkpoint = from_path.read(folder, choices)
        stated = checkpoint.contract
        provenance = dataclasses.replace(stated.provenance, source=stated.provenance.source or hub_id)
        # A snapshot's folder is named after its commit, which is no name for a model.
        name = hub_id if stated.name == folder.name else stated.name
        return checkpoint.replace(stated.replace(name=name, provenance=provenance))
    entry = registry.find(name)
    known = entry.contract()
    for choice, value in choices.given().items():
        stated_value = {"architecture": entry.architecture, "activation": entry.activation}.get(choice, value)
        if stated_value is not None and value != stated_value:
            raise ContraltoError(f"{choice}={value!r} cannot be set: {name} has {stated_value!r}")
    folder = hub.fetch(entry.hub_id, revision=revision, progress=progress)
    checkpoint = from_path.read(folder, Choices(image_size=choices.image_size))
    return checkpoint.replace(_settled(checkpoint.contract, known, entry))


def _repository(name: str) -> str | None:
    """OWNER/NAME of a repository; None for a name without one of HUB_PREFIXES."""
    beginning = max((one for one in HUB_PREFIXES if name.lower().startswith(one)), key=len, default=None)
    return None if beginning is None else name[len(beginning) :].rstrip("/")


def _settled(stated: Contract, known: Contract, entry: registry.RegistryEntry) -> Contract:
    """The contract of the files, corrected by the registry. The provenance lists each difference.

    Raises ContractError if the files hold another architecture than the registry states.
    """
    differing: list[str] = []
    image, text = stated.image, stated.text
    for name in PREPARATION:
        if getattr(image, name) != getattr(known.image, name):
            differing.append(name)
    image = dataclasses.replace(image, **{name: getattr(known.image, name) for name in PREPARATION})
    towers: dict[str, Any] = {}
    for tower, theirs, ours in (("image", image.tower, known.image.tower), ("text", text.tower, known.text.tower)):
        a, b = to_json(theirs), to_json(ours)
        fields = {field for field in a.keys() | b.keys() if a.get(field) != b.get(field)}
        if fields - {"activation"}:
            odd = ", ".join(sorted(fields))
            raise ContractError(f"{entry.hub_id} is not {entry.name}: its {tower} tower has another {odd}")
        differing += [f"{tower} activation"] if fields else []
        towers[tower] = ours
    corrections = f"; by Contralto's registry, against the file: {', '.join(differing)}" if differing else ""
    return stated.replace(
        name=entry.name,
        image=dataclasses.replace(image, tower=towers["image"]),
        text=dataclasses.replace(text, tower=towers["text"]),
        licence=entry.licence,
        provenance=dataclasses.replace(
            stated.provenance,
            source=entry.hub_id,
            trained_on=entry.trained_on,
            converted_from=f"{stated.provenance.converted_from or 'the hub'}{corrections}",
        ),
    )
