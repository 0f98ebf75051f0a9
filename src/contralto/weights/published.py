"""A model of the registry or of any repository of the hub, from its name to a checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from contralto.architecture.codec import to_json
from contralto.contract import Contract
from contralto.errors import ContractError, ContraltoError
from contralto.weights import hub, registry, source
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.choices import NONE, Choices

HUB = ("hf:", "hf-hub:", "hf://", "https://huggingface.co/", "https://hf.co/")
PREPARATION = ("mean", "std", "resize", "interpolation", "resized")


def read(
    name: str,
    choices: Choices = NONE,
    *,
    revision: str | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Checkpoint:
    """name: of the registry ("ViT-B-32/openai", see `registry.find`), or a repository that holds a model of any layout:
    "hf:OWNER/NAME", also written "hf-hub:OWNER/NAME" or as its address.

    choices: what a repository leaves open; the registry leaves open nothing but image_size. revision: branch, tag or
    commit. progress: called with (bytes done, bytes in all). Raises ContraltoError.
    """
    if (hub_id := _repository(name)) is not None:
        folder = hub.fetch(hub_id, revision=revision, progress=progress)
        checkpoint = source.read(folder, choices)
        stated = checkpoint.contract
        found = dataclasses.replace(stated.provenance, source=stated.provenance.source or hub_id)
        name = hub_id if stated.name == folder.name else stated.name  # a snapshot's folder is called by its commit
        return checkpoint.replace(stated.replace(name=name, provenance=found))
    entry = registry.find(name)
    known = entry.contract()
    for choice, value in choices.given().items():
        stated_value = {"architecture": entry.architecture, "activation": entry.activation}.get(choice, value)
        if stated_value is not None and value != stated_value:
            raise ContraltoError(f"{choice}={value!r} cannot be set: {name} has {stated_value!r}")
    folder = hub.fetch(entry.hub_id, revision=revision, progress=progress)
    checkpoint = source.read(folder, Choices(image_size=choices.image_size))
    return checkpoint.replace(_settled(checkpoint.contract, known, entry))


def _repository(name: str) -> str | None:
    """OWNER/NAME of a repository, named as the field does it; None for a name without such a beginning."""
    beginning = max((one for one in HUB if name.lower().startswith(one)), key=len, default=None)
    return None if beginning is None else name[len(beginning) :].rstrip("/")


def _settled(found: Contract, known: Contract, entry: registry.Entry) -> Contract:
    """The contract of the files, with what the registry knows better, each difference told in the provenance.

    Raises ContractError if the files hold another architecture than the registry says.
    """
    differing: list[str] = []
    image, text = found.image, found.text
    for name in PREPARATION:
        if getattr(image, name) != getattr(known.image, name):
            differing.append(name)
    image = dataclasses.replace(image, **{name: getattr(known.image, name) for name in PREPARATION})
    towers: dict[str, Any] = {}
    for side, theirs, ours in (("image", image.tower, known.image.tower), ("text", text.tower, known.text.tower)):
        a, b = to_json(theirs), to_json(ours)
        fields = {field for field in a.keys() | b.keys() if a.get(field) != b.get(field)}
        if fields - {"activation"}:
            odd = ", ".join(sorted(fields))
            raise ContractError(f"{entry.hub_id} is not {entry.name}: its {side} tower has another {odd}")
        differing += [f"{side} activation"] if fields else []
        towers[side] = ours
    told = f"; by Contralto's registry, against the file: {', '.join(differing)}" if differing else ""
    return found.replace(
        name=entry.name,
        image=dataclasses.replace(image, tower=towers["image"]),
        text=dataclasses.replace(text, tower=towers["text"]),
        licence=entry.licence,
        provenance=dataclasses.replace(
            found.provenance,
            source=entry.hub_id,
            trained_on=entry.trained_on,
            converted_from=f"{found.provenance.converted_from or 'the hub'}{told}",
        ),
    )
