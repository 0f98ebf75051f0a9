"""The native layout: a folder of `model.safetensors` and `contralto.json`.

Vectors are stored in float32, matrices (two or more dimensions) in the dtype that the contract names. An int8 matrix
NAME comes with NAME.scale, float32, one number for each row (dimension 0): value = NAME * scale[row].
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
from contralto.weights.checkpoint import SCALE, Checkpoint, StoredTensor, check_tensors, digest
from contralto.weights.names import expected
from contralto.weights.tensorfile import TensorFile, write_tensors

WEIGHTS_NAME = "model.safetensors"
NATIVE_DTYPES = ("F32", "F16", "BF16", "I8")
Dtype = Literal["float32", "float16", "bfloat16", "int8"]


def read(folder: str | Path) -> Checkpoint:
    """Opens a folder in the native layout: reads the contract, maps the weight file and checks names and shapes.

    Raises ContractError; WeightsError if the file is damaged or does not hold exactly the contract's tensors.
    """
    contract = Contract.read(folder)
    if contract.weights is None:
        raise WeightsError(f"{Path(folder) / FILE_NAME} names no weight file: it describes a model without weights")
    file = TensorFile(Path(folder) / contract.weights.file)
    shapes = {name: tensor.shape for name, tensor in file.tensors.items()}
    wanted = expected(contract)
    quantised = {name for name in wanted if name in shapes and file.tensors[name].dtype == "I8" and shapes[name]}
    wanted |= {name + SCALE: shapes[name][:1] for name in quantised}
    check_tensors(shapes, wanted, str(file.path))
    for name, tensor in file.tensors.items():
        if tensor.dtype not in NATIVE_DTYPES or (tensor.dtype == "I8" and name not in quantised):
            raise WeightsError(f"{file.path}: tensor {name!r} is stored as {tensor.dtype}, which is no weight here")
        if name.removesuffix(SCALE) in quantised and name.endswith(SCALE) and tensor.dtype != "F32":
            raise WeightsError(f"{file.path}: scale {name!r} must be F32, got {tensor.dtype}")
    tensors = {name: StoredTensor(tensor.dtype, file.raw(name)) for name, tensor in file.tensors.items()}
    return Checkpoint(contract, tensors, [file.path], native=file)


def write(
    folder: str | Path,
    contract: Contract,
    arrays: Mapping[str, ArrayLike],
    dtype: Dtype = "float32",
    *,
    exact: AbstractSet[str] = frozenset(),
) -> Contract:
    """Writes a folder in the native layout and returns the contract with its `weights` filled in.

    arrays: exactly the names and shapes of `expected(contract)`, finite numbers. dtype: the dtype of stored matrices.
    exact: matrices that stay in float16 if dtype is int8. Each file is written whole or not at all, the contract
    last. Raises WeightsError.
    """
    given = {name: np.asarray(array) for name, array in arrays.items()}
    check_tensors({name: array.shape for name, array in given.items()}, expected(contract), "the given arrays")
    if unknown := sorted(exact - set(given)):
        raise WeightsError(f"exact names tensors that the model does not have: {', '.join(unknown)}")
    tensors: dict[str, StoredTensor] = {}
    for name, array in given.items():
        stored_dtype: Dtype = "float16" if name in exact and dtype == "int8" else dtype
        tensors |= _stored(name, array.astype(np.float32), stored_dtype)
    return write_stored(folder, contract, tensors, dtype)


def write_stored(folder: str | Path, contract: Contract, tensors: Mapping[str, StoredTensor], dtype: Dtype) -> Contract:
    """Like `write`, for tensors that are already stored tensors: they are written bit for bit.

    dtype: the dtype that the contract will state.
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


def _stored(name: str, array: NDArray[np.float32], dtype: Dtype) -> dict[str, StoredTensor]:
    """One tensor as stored in the file; for int8 its codes and their scale."""
    if not np.isfinite(array).all():
        raise WeightsError(f"tensor {name!r} holds numbers that are not finite: it is not written")
    if dtype == "float32" or array.ndim < 2:
        return {name: StoredTensor("F32", array)}
    if dtype == "float16":
        if np.abs(array).max(initial=0) > np.finfo(np.float16).max:
            raise WeightsError(f"tensor {name!r} holds numbers too large for float16: store it as float32")
        return {name: StoredTensor("F16", array.astype(np.float16))}
    if dtype == "bfloat16":
        return {name: StoredTensor("BF16", _bfloat16(array))}
    rows = array.reshape(len(array), -1)
    scale = (np.abs(rows).max(axis=1, initial=0) / 127).astype(np.float32)
    scale[scale == 0] = 1
    codes = np.rint(rows / scale[:, None]).clip(-127, 127).astype(np.int8)
    return {name: StoredTensor("I8", codes.reshape(array.shape)), name + SCALE: StoredTensor("F32", scale)}


def _bfloat16(array: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bits of the nearest bfloat16, ties to even: the upper half of a float32, rounded."""
    bits = array.view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return rounded.astype(np.uint16)
