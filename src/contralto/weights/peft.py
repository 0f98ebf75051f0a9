"""Reads a LoRA in PEFT's layout: adapter_config.json and adapter_model.safetensors.

What PEFT multiplies B A by is multiplied into B here. Features that this cannot express, such as DoRA, biases and
modules that are stored whole, are refused by their names. Layout: https://huggingface.co/docs/peft, developer guide
"checkpoint"; PEFT 0.21. `peft_writing.py` writes it.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from contralto.contract import FILE_NAME, Contract
from contralto.errors import WeightsError, one_line
from contralto.weights.adaptation import AdaptationBase, AdaptationDescription, StoredAdaptation
from contralto.weights.adaptation_tensors import check_stored
from contralto.weights.checkpoint import StoredTensor, digest
from contralto.weights.layouts import transformers as layout
from contralto.weights.layouts.conversion import FLOAT_DTYPES
from contralto.weights.module_pattern import compiled
from contralto.weights.names import expected
from contralto.weights.tensorfile import TensorFile, parse_object

PEFT_CONFIG_FILE: Final = "adapter_config.json"
PEFT_WEIGHTS_FILE: Final = "adapter_model.safetensors"
PICKLE_FILE: Final = "adapter_model.bin"
MODEL_FILES: Final = (FILE_NAME, "config.json", "open_clip_config.json")  # next to them, an adapter is not the model
PREFIX: Final = "base_model.model."
WRAPPERS: Final = ("clip.", "model.", "base_model.")  # modules that hold the model, in programs of users
MAX_CONFIG: Final = 2**22  # bytes
MAX_PATTERNS: Final = 4000

# Fields that do not change what a saved adapter computes. Any other field must be absent or off.
HARMLESS: Final = frozenset(
    {
        *("auto_mapping", "base_model_name_or_path", "revision", "inference_mode", "lora_dropout", "task_type"),
        *("peft_version", "layers_pattern", "layers_to_transform", "exclude_modules", "loftq_config", "megatron_core"),
        *("corda_config", "eva_config", "lora_ga_config", "qalora_group_size", "runtime_config", "fan_in_fan_out"),
    }
)
OFF: Final[tuple[object, ...]] = (None, False, "none", [], {})
READ: Final = frozenset(
    {"peft_type", "r", "lora_alpha", "target_modules", "rank_pattern", "alpha_pattern", "use_rslora",
     "init_lora_weights"}
)  # fmt: skip
STARTS: Final = (None, True, False, "gaussian", "eva", "orthogonal")  # the others change the base's weights too


def is_peft(path: str | os.PathLike[str]) -> bool:
    """Whether the path is a folder with an adapter of PEFT, and without a model."""
    name = os.fsdecode(path)
    holds_model = any(os.path.isfile(os.path.join(name, file)) for file in MODEL_FILES)
    return os.path.isfile(os.path.join(name, PEFT_CONFIG_FILE)) and not holds_model


def base_name(folder: Path) -> str | None:
    """The base that the configuration names: a path, or a repository on the hub. Raises WeightsError."""
    name = _config(folder).get("base_model_name_or_path")
    return name if isinstance(name, str) and name and "\0" not in name else None


def read(folder: Path, contract: Contract) -> StoredAdaptation:
    """The adapter in `folder` for the model of this contract, in native names, all factors inside B.

    fan_in_fan_out needs no care: it says how the base stores a matrix, not how A and B are stored. Raises WeightsError
    for what is not a plain LoRA of the model's linear maps and 1 x 1 convolutions.
    """
    config = _config(folder)
    where = one_line(str(folder / PEFT_CONFIG_FILE))
    _check(config, where)
    path = folder / PEFT_WEIGHTS_FILE
    if not path.is_file() and (folder / PICKLE_FILE).is_file():
        raise WeightsError(f"{one_line(str(folder))}: {PICKLE_FILE} is a pickle, which is not read: save safetensors")
    file = TensorFile(path)
    pairs = _pairs(file, modules(contract))
    tensors: dict[str, StoredTensor] = {}
    for module, (native, halves) in pairs.items():
        a, b = (_matrix(file, halves.get(half), half, module) for half in "AB")
        scaling = _scaling(config, module, len(a), where)
        for half, array in (("A", a), ("B", b * np.float32(scaling))):
            if f"{native}.{half}" in tensors:
                raise WeightsError(f"{one_line(str(path))}: {native} is changed twice, by {one_line(module, 80)}")
            tensors[f"{native}.{half}"] = StoredTensor("F32", array)
    check_stored("lora", None, tensors, one_line(str(path)))
    digests = [digest([path]), hashlib.sha256((folder / PEFT_CONFIG_FILE).read_bytes()).hexdigest()]
    description = AdaptationDescription(
        method="lora",
        base=AdaptationBase(contract.name, contract.hash, base_name(folder)),
        file=PEFT_WEIGHTS_FILE,
        sha256=hashlib.sha256("\n".join(digests).encode()).hexdigest(),
        provenance=f"PEFT, {folder.absolute().name}",
    )
    return StoredAdaptation(description, tensors, folder)


def modules(contract: Contract) -> dict[str, str]:
    """Name of a module -> its native name, for all linear maps and 1 x 1 convolutions.

    Names of transformers, where it has a class for the towers, and the native names themselves: those of `Clip.torch`.
    """
    linear = [
        name.removesuffix(".weight")
        for name, shape in expected(contract).items()
        if name.endswith(".weight") and len(shape) in (2, 4) and set(shape[2:]) <= {1} and name != "text.tokens.weight"
    ]
    return {foreign: native for native, foreign in transformers_names(contract).items() if native in linear} | {
        name: name for name in linear
    }


def transformers_names(contract: Contract) -> dict[str, str]:
    """Native name of a module -> its name in transformers; empty if transformers has no class for the towers."""
    try:
        parts = layout.parts(contract)
    except WeightsError:
        return {}
    whole = [part for part in parts if part.form == "same" and part.foreign.endswith(".weight")]
    return {part.native[0].removesuffix(".weight"): part.foreign.removesuffix(".weight") for part in whole}


def _config(folder: Path) -> dict[str, Any]:
    path = folder / PEFT_CONFIG_FILE
    where = one_line(str(path))
    try:
        if (size := path.stat().st_size) > MAX_CONFIG:
            raise WeightsError(f"{where}: {size} bytes are refused (limit {MAX_CONFIG})")
        return parse_object(path.read_bytes(), where)
    except OSError as error:
        raise WeightsError(f"{where}: {error.strerror or error}") from error


def _check(config: Mapping[str, Any], where: str) -> None:
    """Raises WeightsError unless the configuration describes a plain LoRA."""

    def refuse(name: str, why: str) -> WeightsError:
        return WeightsError(f"{where}: {one_line(name, 60)} = {one_line(repr(config.get(name)), 60)} {why}")

    if config.get("peft_type") != "LORA":
        raise refuse("peft_type", "is not read: only LORA is")
    for name, value in config.items():
        if name not in HARMLESS | READ and value not in OFF:
            raise refuse(name, "is not read: it has no place in W + B A")
    if config.get("init_lora_weights") not in STARTS:
        raise refuse("init_lora_weights", "is not read: it changes the base too; let PEFT convert it when saving")
    if type(config.get("use_rslora", False)) is not bool:
        raise refuse("use_rslora", "is neither true nor false")
    if not _is_rank(config.get("r")):
        raise refuse("r", "is no rank")
    if not _is_alpha(config.get("lora_alpha")):
        raise refuse("lora_alpha", "is no finite number")
    for name, is_valid in (("rank_pattern", _is_rank), ("alpha_pattern", _is_alpha)):
        stated = config.get(name) or {}
        if not isinstance(stated, dict) or len(stated) > MAX_PATTERNS or not all(map(is_valid, stated.values())):
            raise refuse(name, "is no object of numbers")
    targets = config.get("target_modules")
    names = targets if isinstance(targets, list) else [targets]
    if len(names) > MAX_PATTERNS or not all(isinstance(name, str) for name in names):
        raise refuse("target_modules", "is neither a list of names nor a pattern")


def _is_rank(value: object) -> bool:
    return type(value) is int and 0 < value < 2**31


def _is_alpha(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9  # also refuses NaN


def _pairs(file: TensorFile, known: Mapping[str, str]) -> dict[str, tuple[str, dict[str, str]]]:
    """Module, without PEFT's prefix -> its native name, and the tensor's name of each half."""
    where = one_line(str(file.path))
    pairs: dict[str, tuple[str, dict[str, str]]] = {}
    for name in file.tensors:
        match = re.fullmatch(r"(.+)\.lora_([AB])\.weight", name, re.DOTALL)
        if match is None:
            what = "DoRA" if "lora_magnitude_vector" in name else "no half of a pair lora_A, lora_B of a linear map"
            raise WeightsError(f"{where}: {one_line(name, 100)!r} is {what}, which is not read")
        module = match[1].removeprefix(PREFIX)
        native = _native(module, known)
        if native is None:
            raise WeightsError(f"{where}: the base has no linear map {one_line(module, 100)!r}: is it the right base?")
        pairs.setdefault(module, (native, {}))[1][match[2]] = name
    return pairs


def _native(module: str, known: Mapping[str, str]) -> str | None:
    """The native name of a module, which may lie in wrappers."""
    while module not in known:
        wrapper = next((one for one in WRAPPERS if module.startswith(one)), None)
        if wrapper is None:
            return None
        module = module.removeprefix(wrapper)
    return known[module]


def _matrix(file: TensorFile, name: str | None, half: str, module: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A (r, in) or B (out, r) in float32; a 1 x 1 convolution has two axes more."""
    where = f"{one_line(str(file.path))}: {one_line(module, 100)}"
    if name is None:
        raise WeightsError(f"{where} lacks lora_{half}")
    stored = StoredTensor(file.tensors[name].dtype, file.raw(name))
    if stored.dtype not in FLOAT_DTYPES:
        raise WeightsError(f"{where}: lora_{half} is stored as {stored.dtype}, which is no weight here")
    if len(stored.shape) not in (2, 4) or set(stored.shape[2:]) > {1} or not stored.array.size:
        raise WeightsError(f"{where}: lora_{half} {stored.shape} is of no linear map or 1 x 1 convolution")
    return stored.float32().reshape(stored.shape[:2])


def _scaling(config: Mapping[str, Any], module: str, rank: int, where: str) -> float:
    """What PEFT multiplies B A of the module by."""
    if not _is_target(config["target_modules"], module):
        raise WeightsError(f"{where}: target_modules does not name {one_line(module, 100)}, which the weights hold")
    stated = _by_pattern(config.get("rank_pattern") or {}, module, config["r"])
    if stated != rank:
        raise WeightsError(f"{where}: {one_line(module, 100)} has rank {rank}, the configuration states {stated}")
    alpha = _by_pattern(config.get("alpha_pattern") or {}, module, config["lora_alpha"])
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _is_target(targets: str | list[str], module: str) -> bool:
    if isinstance(targets, str):
        return targets == "all-linear" or compiled(targets)(module)
    return any(module == one or module.endswith(f".{one}") for one in targets)


def _by_pattern(patterns: Mapping[str, float], module: str, otherwise: float) -> float:
    """The value of the first pattern that fits the end of the module's name at a dot."""
    fitting = (value for pattern, value in patterns.items() if compiled(rf"(.*\.)?({pattern})$")(module))
    return next(fitting, otherwise)
