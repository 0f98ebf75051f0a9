"""The native layout: a folder of `model.safetensors` and `contralto.json`.

Vectors are stored in float32; matrices (two dimensions and more) in the dtype that the contract names. In int8 a
matrix NAME has beside it NAME.scale, float32, one number a row of dimension 0: value = NAME * scale[row].
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto.contract import FILE_NAME, Contract, Weights
from contralto.errors import WeightsError
from contralto.files import write_error_text, written_whole
from contralto.weights.checkpoint import SCALE, Checkpoint, Stored, account, digest
from contralto.weights.names import expected
from contralto.weights.tensorfile import TensorFile, write_tensors

WEIGHTS_NAME = "model.safetensors"
STORED = ("F32", "F16", "BF16", "I8")
Dtype = Literal["float32", "float16", "bfloat16", "int8"]


def read(folder: str | Path) -> Checkpoint:
    """Opens a folder in the native layout: the contract, and the weight file memory-mapped and accounted for.

    Raises ContractError; WeightsError if the file is damaged or does not hold exactly the tensors of the contract.
    """
    contract = Contract.read(folder)
    if contract.weights is None:
        raise WeightsError(f"{Path(folder) / FILE_NAME} names no weight file: it describes a model without weights")
    file = TensorFile(Path(folder) / contract.weights.file)
    shapes = {name: tensor.shape for name, tensor in file.tensors.items()}
    wanted = expected(contract)
    quantised = {name for name in wanted if name in shapes and file.tensors[name].dtype == "I8" and shapes[name]}
    wanted |= {name + SCALE: shapes[name][:1] for name in quantised}
    account(shapes, wanted, str(file.path))
    for name, tensor in file.tensors.items():
        if tensor.dtype not in STORED or (tensor.dtype == "I8" and name not in quantised):
            raise WeightsError(f"{file.path}: tensor {name!r} is stored as {tensor.dtype}, which is no weight here")
        if name.removesuffix(SCALE) in quantised and name.endswith(SCALE) and tensor.dtype != "F32":
            raise WeightsError(f"{file.path}: scale {name!r} must be F32, got {tensor.dtype}")
    tensors = {name: Stored(tensor.dtype, file.raw(name)) for name, tensor in file.tensors.items()}
    return Checkpoint(contract, tensors, [file.path], native=file)


def write(
    folder: str | Path,
    contract: Contract,
    arrays: Mapping[str, ArrayLike],
    dtype: Dtype = "float32",
    *,
    exact: AbstractSet[str] = frozenset(),
) -> Contract:
    """Writes a folder in the native layout and returns the contract as written, its `weights` filled in.

    `arrays`: exactly the names and shapes of `expected(contract)`, finite numbers. `dtype`: how matrices are stored;
    those named in `exact` stay in float16 where dtype is int8. Each file is written whole or not at all, the
    contract last. Raises WeightsError.
    """
    given = {name: np.asarray(array) for name, array in arrays.items()}
    account({name: array.shape for name, array in given.items()}, expected(contract), "the given arrays")
    if unknown := sorted(exact - set(given)):
        raise WeightsError(f"exact names tensors that the model does not have: {', '.join(unknown)}")
    tensors: dict[str, Stored] = {}
    for name, array in given.items():
        kept: Dtype = "float16" if name in exact and dtype == "int8" else dtype
        tensors |= _stored(name, array.astype(np.float32), kept)
    return write_stored(folder, contract, tensors, dtype)


def write_stored(folder: str | Path, contract: Contract, tensors: Mapping[str, Stored], dtype: Dtype) -> Contract:
    """Writes tensors under their native names bit for bit as they are stored; else as `write`.

    dtype: what the contract is to say of them.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(folder / FILE_NAME) as description, written_whole(folder / WEIGHTS_NAME) as file:
            write_tensors(file, tensors, {"format": "contralto"})
            file.flush()
            contract = contract.replace(weights=Weights(WEIGHTS_NAME, digest([Path(file.name)]), dtype))
            description.write(contract.to_json().encode())
    except OSError as error:
        raise WeightsError(write_error_text(folder, error)) from error
    return contract


def _stored(name: str, array: NDArray[np.float32], dtype: Dtype) -> dict[str, Stored]:
    """One tensor as it goes into the file: itself, or its int8 rows and their scale."""
    if not np.isfinite(array).all():
        raise WeightsError(f"tensor {name!r} holds numbers that are not finite: it is not written")
    if dtype == "float32" or array.ndim < 2:
        return {name: Stored("F32", array)}
    if dtype == "float16":
        if np.abs(array).max(initial=0) > np.finfo(np.float16).max:
            raise WeightsError(f"tensor {name!r} holds numbers too large for float16: store it as float32")
        return {name: Stored("F16", array.astype(np.float16))}
    if dtype == "bfloat16":
        return {name: Stored("BF16", _bfloat16(array))}
    rows = array.reshape(len(array), -1)
    scale = (np.abs(rows).max(axis=1, initial=0) / 127).astype(np.float32)
    scale[scale == 0] = 1
    levels = np.rint(rows / scale[:, None]).clip(-127, 127).astype(np.int8)
    return {name: Stored("I8", levels.reshape(array.shape)), name + SCALE: Stored("F32", scale)}


def _bfloat16(array: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bits of the nearest bfloat16, ties to even: the upper half of a float32, rounded."""
    bits = array.view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return rounded.astype(np.uint16)
