"""The weights of a base model with an adaptation, and its adapter behind the towers.

`changed` replaces the touched tensors of a checkpoint in memory; the others stay views of the base's file, so every
engine runs the result like any model. What leaves the towers as they
are leaves the checkpoint and its contract as they are too. tests/encoder/test_adapted.py merges by hand as the twin.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contralto.architecture import ImageTower, ViT
from contralto.contract import Contract, Weights
from contralto.encoder.featurizer import headless
from contralto.errors import WeightsError, one_line
from contralto.weights.adaptation import (
    WEIGHT_METHODS,
    StoredAdaptation,
)
from contralto.weights.adaptation_tensors import LOW_RANK, PICTURE_PROMPTS
from contralto.weights.checkpoint import SCALE, Checkpoint, StoredTensor
from contralto.weights.names import Shape, expected

CONTRACT_DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "I8": "int8"}


def changed(checkpoint: Checkpoint, stored: StoredAdaptation, mix: float) -> Checkpoint:
    """The base's checkpoint with the adaptation mixed in: 0 gives the base's own tensors, 1 the whole change.

    A changed tensor is in float32, whatever it is stored in; int8 is multiplied out. A method that changes neither
    weights nor embeddings returns the checkpoint as it is; so do prompts of pictures at a mix of 0. The contract of the
    others has a hash of its own: see `_contract`. Raises WeightsError if the adaptation does not fit the towers, and
    for prompts of pictures at a mix between 0 and 1.
    """
    described = stored.description
    _check_widths(checkpoint, stored)
    if stored.keeps_towers:
        return checkpoint
    if stored.prompts_pictures:
        return _prompted(checkpoint, stored, mix)
    tensors = dict(checkpoint.tensors)
    if described.method in WEIGHT_METHODS:
        shapes = expected(checkpoint.contract)
        touched = sorted({_target(name) for name in stored.tensors})
        _check_targets(touched, stored, shapes)
        for name in touched if mix else ():
            tensors[name] = StoredTensor("F32", _sum(checkpoint.array(name), _change(stored, name, shapes[name]), mix))
            tensors.pop(name + SCALE, None) if checkpoint.stored(name).dtype == "I8" else None
    return Checkpoint(_contract(checkpoint.contract, stored, mix, tensors), tensors, checkpoint.files)


def _prompted(checkpoint: Checkpoint, stored: StoredAdaptation, mix: float) -> Checkpoint:
    """The base with the vectors as a part of its picture tower; at a mix of 0 the base itself."""
    base, vectors = checkpoint.contract, stored.tensors[PICTURE_PROMPTS]
    tower, (depth, count, width) = base.image.tower, vectors.shape
    _refuse(_unfit_prompts(tower, depth, width), stored)
    assert isinstance(tower, ViT)
    if not mix:
        return checkpoint
    if mix != 1:
        where = one_line(str(stored.folder), 200)
        raise WeightsError(f"mix must be 0 or 1 for {where}: its picture tower has the prompts or not, got {mix:g}")
    tensors = {**checkpoint.tensors, PICTURE_PROMPTS: vectors}
    image = dataclasses.replace(base.image, tower=dataclasses.replace(tower, prompts=count, prompt_depth=depth))
    return Checkpoint(_contract(base, stored, mix, tensors).replace(image=image), tensors, checkpoint.files)


def _unfit_prompts(tower: ImageTower, depth: int, width: int) -> list[str]:
    """Why the tower cannot take vectors of that width before so many layers."""
    if not isinstance(tower, ViT):
        return [f"the base's picture tower ({tower.kind}) takes no prompts"]
    if tower.prompts:
        return ["the base's picture tower has prompts already"]
    if width != tower.width or depth > tower.layers:
        return [f"{PICTURE_PROMPTS} has {depth} layers of width {width}, the base {tower.layers} of {tower.width}"]
    return []


def _target(name: str) -> str:
    """The tensor that a tensor of the file changes: M.weight for M.A and M.B, else that of its own name."""
    return f"{name[:-2]}.weight" if name.endswith(LOW_RANK) else name


def _change(stored: StoredAdaptation, name: str, shape: Shape) -> NDArray[np.float32]:
    """What is added to the tensor of that name: B A, computed in float64, or the stored sum itself."""
    if name in stored.tensors:
        return stored.array(name)
    a, b = (stored.array(name.removesuffix(".weight") + half).astype(np.float64) for half in LOW_RANK)
    product: NDArray[np.float32] = (b @ a).astype(np.float32).reshape(shape)
    return product


def _sum(before: NDArray[np.float32], change: NDArray[np.float32], mix: float) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):
        total: NDArray[np.float32] = before + np.float32(mix) * change
    if not np.isfinite(total).all():
        raise WeightsError("the adaptation makes weights that are not finite: it is damaged, or of another base")
    return total


def _check_targets(touched: list[str], stored: StoredAdaptation, shapes: Mapping[str, Shape]) -> None:
    faults = []
    for name in touched:
        if name not in shapes:
            faults.append(f"the base has no {one_line(name, 80)}")
            continue
        if name in stored.tensors:
            shape: Shape = stored.tensors[name].shape
        else:
            a, b = (stored.tensors[name.removesuffix(".weight") + half].shape for half in LOW_RANK)
            shape = (b[0], a[1], *shapes[name][2:]) if set(shapes[name][2:]) <= {1} else (b[0], a[1])
        if shape != shapes[name]:
            faults.append(f"{name} is {shapes[name]} in the base, not {shape}")
    _refuse(faults, stored)


def _check_widths(checkpoint: Checkpoint, stored: StoredAdaptation) -> None:
    """Rows of embeddings must be as wide as the base's, and a probe's weights as what it reads."""
    width, tensors = checkpoint.contract.embedding, stored.tensors
    wanted = {"text": width, "image.adapter.A": width, "text.adapter.A": width, "pooler.query": width}
    if stored.description.method == "probe":
        reads_features = stored.description.settings["input"] == "features"
        wanted["mean"] = headless(checkpoint).contract.embedding if reads_features else width
    elif stored.description.method == "gaussian":
        wanted["weight"] = width
    faults = []
    for name, size in wanted.items():
        # rows (K, d), but an adapter's A is (d, h)
        axis = 0 if name.endswith(".A") else -1
        if name in tensors and tensors[name].shape[axis] != size:
            faults.append(f"{name} {tensors[name].shape} is for {tensors[name].shape[axis]} numbers, not {size}")
    _refuse(faults, stored)


def _refuse(faults: list[str], stored: StoredAdaptation) -> None:
    if faults:
        more = f" and {len(faults) - 4} more" if len(faults) > 4 else ""
        where = one_line(str(stored.folder), 200)
        raise WeightsError(f"{where} does not fit its base: {'; '.join(faults[:4])}{more}")


def _contract(base: Contract, stored: StoredAdaptation, mix: float, tensors: Mapping[str, StoredTensor]) -> Contract:
    """The base's contract under another name, with a sha256 over all that decides the embeddings: the base's hash, the
    sha256 of the adaptation's tensors, the mix, and the ratio of an adapter. So every cache keys rightly."""
    described = stored.description
    decisive = [base.hash, described.method, described.sha256, mix, described.settings.get("ratio")]
    sha256 = hashlib.sha256(json.dumps(decisive).encode()).hexdigest()
    sizes = dict.fromkeys(CONTRACT_DTYPES, 0)
    for one in tensors.values():
        sizes[one.dtype] += one.array.size
    dtype: Any = CONTRACT_DTYPES[max(sizes, key=lambda kind: sizes[kind])]
    licences = [one for one in (base.licence, described.licence) if one]
    change = f"{described.method} (sha256 {described.sha256[:16]}), mix {mix:g}, on {base.name} ({base.hash[:16]})"
    history = "; ".join(part for part in (base.provenance.converted_from, change) if part)
    return base.replace(
        name=f"{base.name}+{described.method}",
        weights=Weights(base.weights.file if base.weights else "model.safetensors", sha256, dtype),
        provenance=dataclasses.replace(base.provenance, converted_from=history),
        licence=" AND ".join(dict.fromkeys(licences)) if base.licence else None,
    )
