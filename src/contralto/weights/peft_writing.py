"""Writes a LoRA in PEFT's layout, which `peft.py` reads.

The modules have transformers' names, if transformers has a class for the base's towers; else the native names, which
are those of `Clip.torch()`: PEFT loads the folder for that module.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from contralto.contract import Contract
from contralto.errors import WeightsError, one_line
from contralto.files import write_error_text, written_whole
from contralto.weights.adaptation import StoredAdaptation
from contralto.weights.adaptation_tensors import LOW_RANK, low_rank_names
from contralto.weights.checkpoint import StoredTensor
from contralto.weights.names import expected
from contralto.weights.peft import PEFT_CONFIG_FILE, PEFT_WEIGHTS_FILE, PREFIX, modules, transformers_names
from contralto.weights.tensorfile import write_tensors


def write(folder: Path, contract: Contract, stored: StoredAdaptation, mix: float) -> None:
    """Writes the pairs of a low-rank adaptation of the model of this contract; mix: factor of the change.

    Raises WeightsError if it changes whole tensors, or a module that transformers' model has not as such.
    """
    where = one_line(str(stored.folder), 200)
    matrices = low_rank_names(stored.tensors)
    if len(stored.tensors) != 2 * len(matrices):
        raise WeightsError(
            f"{where}: peft stores low-rank changes, and this one changes whole tensors: use another --to"
        )
    foreign = _names(contract, matrices, where)
    shapes, tensors = expected(contract), {}
    for matrix in matrices:
        axes = (1,) * (len(shapes[f"{matrix}.weight"]) - 2)  # of a convolution
        for half, factor in zip(LOW_RANK, (1.0, mix), strict=True):
            array = stored.array(matrix + half)
            scaled = array if factor == 1 else array * np.float32(factor)
            name = f"{PREFIX}{foreign[matrix]}.lora_{half[1]}.weight"
            tensors[name] = StoredTensor("F32", scaled.reshape(*scaled.shape, *axes))
    ranks = {foreign[matrix]: stored.tensors[f"{matrix}.A"].shape[0] for matrix in matrices}
    is_transformers = bool(transformers_names(contract))
    base = (contract.provenance.source if is_transformers else None) or contract.name
    text = json.dumps(_config(ranks, base), indent=2, sort_keys=True) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(folder / PEFT_CONFIG_FILE) as config, written_whole(folder / PEFT_WEIGHTS_FILE) as file:
            write_tensors(file, tensors, {"format": "pt"})
            config.write(text.encode())
    except OSError as error:
        raise WeightsError(write_error_text(folder, error)) from error


def _names(contract: Contract, matrices: list[str], where: str) -> dict[str, str]:
    """Native name -> name in the file. modules: the native names come last in it, transformers' before."""
    theirs = transformers_names(contract)
    names = {native: foreign for foreign, native in modules(contract).items() if not theirs or foreign != native}
    if odd := [one_line(name, 80) for name in matrices if name not in names]:
        raise WeightsError(f"{where}: transformers' model has no module of its own for {', '.join(odd[:4])}")
    return names


def _config(ranks: dict[str, int], base: str) -> dict[str, Any]:
    """lora_alpha is the rank throughout, so that PEFT multiplies B A by 1."""
    common = Counter(ranks.values()).most_common(1)[0][0]
    others = {module: rank for module, rank in sorted(ranks.items()) if rank != common}
    return {
        "auto_mapping": None,
        "base_model_name_or_path": base,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "lora_alpha": common,
        "lora_dropout": 0.0,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": common,
        "alpha_pattern": others,
        "rank_pattern": others,
        "target_modules": sorted(ranks),
        "task_type": None,
        "use_dora": False,
        "use_rslora": False,
    }
