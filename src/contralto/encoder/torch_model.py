"""Create a model in PyTorch, save it in the native layout, and get a PyTorch module back from a checkpoint."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from contralto import arguments
from contralto.contract import Contract, Score
from contralto.engine.graph.whole_tower import write_graphs
from contralto.errors import ContractError, MissingExtraError, WeightsError
from contralto.files import copy_files
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.native import Dtype, write

if TYPE_CHECKING:
    from torch import nn

    from contralto.model.clip import CLIP

NANO = Path(__file__).parent.parent / "nano"


def create(preset: str | Contract, *, seed: int = 0) -> tuple[CLIP, Contract]:
    """A PyTorch model with random weights, in eval mode, and its contract. The same seed gives the same weights.

    preset: a name from `contralto.contract.presets()` ("ViT-B-32", "nano", "tiny"), or a contract. Raises ContractError
    for an unknown name, MissingExtraError without the extra `torch`.
    """
    if not isinstance(preset, str | Contract):
        raise ContractError(f"preset must be the name of one or a Contract, got {arguments.shown(preset)}")
    arguments.whole(seed, "seed", 0)
    _require_torch("contralto.create")
    from contralto.model import clip

    return clip.create(preset, seed=seed)


def save(folder: str | os.PathLike[str], model: nn.Module, contract: Contract, *, dtype: Dtype = "float32") -> Contract:
    """Writes a model in the native layout, graphs included; `contralto.load(folder)` reads it.

    Returns the contract as written, with `weights` filled in and the learned `score`. dtype: the dtype of stored
    matrices. A tokenizer file that the contract names must be in the folder already, unless it is nano's. Raises
    WeightsError if the model does not match the contract, or if the folder cannot be written.
    """
    target = Path(arguments.path(folder, "folder"))
    if not hasattr(model, "state_dict") or isinstance(model, type):
        raise WeightsError(f"model must be a PyTorch module, got {arguments.shown(model)}")
    if not isinstance(contract, Contract):
        raise ContractError(f"contract must be a Contract, got {arguments.shown(contract)}")
    arguments.one_of(dtype, "dtype", get_args(Dtype))
    arrays = {name: tensor.detach().float().cpu().numpy() for name, tensor in model.state_dict().items()}
    _place_vocabulary(contract, target)
    learned = _learned(contract.score, float(arrays["logit_scale"])) if "logit_scale" in arrays else contract.score
    if "logit_bias" in arrays:
        learned = dataclasses.replace(learned, bias=float(arrays["logit_bias"]))
    written = write(target, contract.replace(score=learned), arrays, dtype)
    write_graphs(target)
    return written


def module(checkpoint: Checkpoint) -> CLIP:
    """The PyTorch model with the checkpoint's weights in float32, in eval mode. Raises MissingExtraError."""
    _require_torch("Clip.torch")
    import torch

    from contralto.model.clip import CLIP

    with torch.device("meta"):
        clip = CLIP(checkpoint.contract)
    state = {name: torch.tensor(array) for name, array in checkpoint.items()}
    clip.load_state_dict(state, strict=True, assign=True)
    return clip.eval()


def _require_torch(what: str) -> None:
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError(what, "torch") from error


def _learned(score: Score, logit_scale: float) -> Score:
    """The score with the scale of the weights; a scale that differs only by rounding stays as stated."""
    scale = math.exp(logit_scale)
    return score if math.isclose(scale, score.scale, rel_tol=1e-5) else dataclasses.replace(score, scale=scale)


def _place_vocabulary(contract: Contract, folder: Path) -> None:
    """Copies nano's tokenizer file to the folder if it is needed. Raises WeightsError if another one is missing."""
    stated = contract.text.tokenizer
    if stated.file is None or (folder / stated.file).is_file():
        return
    ours = NANO / stated.file
    if not ours.is_file() or hashlib.sha256(ours.read_bytes()).hexdigest() != stated.sha256:
        raise WeightsError(f"{folder / stated.file} is missing: copy the tokenizer's file there before saving")
    folder.mkdir(parents=True, exist_ok=True)
    copy_files([ours], folder)
