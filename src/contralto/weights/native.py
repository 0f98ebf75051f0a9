"""The native layout: a folder of `model.safetensors` and `contralto.json`.

Vectors are stored in float32; matrices (two dimensions and more) in the dtype that the contract names. In int8 a
matrix NAME has beside it NAME.scale, float32, one number a row of dimension 0: value = NAME * scale[row].
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto.contract import FILE_NAME, Contract, Weights
from contralto.errors import WeightsError
from contralto.files import written_whole
from contralto.weights.names import Shape, expected
from contralto.weights.tensorfile import Array, Tensor, TensorFile, write_tensors

__all__ = ["Checkpoint", "expected", "read", "write"]

WEIGHTS_NAME = "model.safetensors"
SCALE = ".scale"
STORED = ("F32", "F16", "BF16", "I8")
Dtype = Literal["float32", "float16", "bfloat16", "int8"]


class Checkpoint(Mapping[str, NDArray[np.float32]]):
    """A folder's contract and its weights: a mapping name -> float32 array of exactly the names in `expected`.

    Nothing is read from the disk before a tensor is asked for. Safe to share between threads.
    """

    def __init__(self, folder: Path, contract: Contract, file: TensorFile) -> None:
        self.folder, self.contract, self.file = folder, contract, file
        self._names = tuple(expected(contract))

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        return self.array(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def array(self, name: str) -> NDArray[np.float32]:
        """The tensor's values: a view of the file if it is stored in float32, else a new array. Raises KeyError."""
        values = self.file.float32(name)
        if self.file.tensors[name].dtype != "I8":
            return values
        scale = self.file.raw(name + SCALE)
        return values * scale.reshape(-1, *[1] * (values.ndim - 1))

    def raw(self, name: str) -> Array:
        """The tensor as stored, a read-only view (bfloat16 as uint16 bits, int8 without its scale). Raises KeyError."""
        return self.file.raw(name)

    def stored(self, name: str) -> Tensor:
        """How and where the tensor lies in the file. Raises KeyError."""
        return self.file.tensors[name]

    def verify(self) -> None:
        """Reads the whole file: its sha256 against the contract, and that every number is finite.

        `read` leaves this out, as it costs a pass over the file. Raises WeightsError.
        """
        weights = self.contract.weights
        digest = _sha256(self.file.path)
        if weights is None or digest != weights.sha256:
            raise WeightsError(f"{self.file.path} is not the file that {FILE_NAME} names: its sha256 is {digest}")
        for name in self:
            if not np.isfinite(self.array(name)).all():
                raise WeightsError(f"{self.file.path}: tensor {name!r} holds numbers that are not finite")


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
    _account(shapes, wanted, str(file.path))
    for name, tensor in file.tensors.items():
        if tensor.dtype not in STORED or (tensor.dtype == "I8" and name not in quantised):
            raise WeightsError(f"{file.path}: tensor {name!r} is stored as {tensor.dtype}, which is no weight here")
        if name.endswith(SCALE) and tensor.dtype != "F32":
            raise WeightsError(f"{file.path}: scale {name!r} must be F32, got {tensor.dtype}")
    return Checkpoint(Path(folder), contract, file)


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
    folder = Path(folder)
    given = {name: np.asarray(array) for name, array in arrays.items()}
    _account({name: array.shape for name, array in given.items()}, expected(contract), "the given arrays")
    if unknown := sorted(exact - set(given)):
        raise WeightsError(f"exact names tensors that the model does not have: {', '.join(unknown)}")
    tensors: dict[str, tuple[str, Array]] = {}
    for name, array in given.items():
        kept: Dtype = "float16" if name in exact and dtype == "int8" else dtype
        tensors |= _stored(name, array.astype(np.float32), kept)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(folder / FILE_NAME) as description, written_whole(folder / WEIGHTS_NAME) as file:
            write_tensors(file, tensors, {"format": "contralto"})
            file.flush()
            contract = contract.replace(weights=Weights(WEIGHTS_NAME, _sha256(Path(file.name)), dtype))
            description.write(contract.to_json().encode())
    except OSError as error:
        raise WeightsError(f"{folder} cannot be written: {error.strerror or error}") from error
    return contract


def _stored(name: str, array: NDArray[np.float32], dtype: Dtype) -> dict[str, tuple[str, Array]]:
    """One tensor as it goes into the file: itself, or its int8 rows and their scale."""
    if not np.isfinite(array).all():
        raise WeightsError(f"tensor {name!r} holds numbers that are not finite: it is not written")
    if dtype == "float32" or array.ndim < 2:
        return {name: ("F32", array)}
    if dtype == "float16":
        if np.abs(array).max(initial=0) > np.finfo(np.float16).max:
            raise WeightsError(f"tensor {name!r} holds numbers too large for float16: store it as float32")
        return {name: ("F16", array.astype(np.float16))}
    if dtype == "bfloat16":
        return {name: ("BF16", _bfloat16(array))}
    rows = array.reshape(len(array), -1)
    scale = (np.abs(rows).max(axis=1, initial=0) / 127).astype(np.float32)
    scale[scale == 0] = 1
    levels = np.rint(rows / scale[:, None]).clip(-127, 127).astype(np.int8)
    return {name: ("I8", levels.reshape(array.shape)), name + SCALE: ("F32", scale)}


def _bfloat16(array: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bits of the nearest bfloat16, ties to even: the upper half of a float32, rounded."""
    bits = array.view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return rounded.astype(np.uint16)


def _account(given: Mapping[str, Shape], wanted: Mapping[str, Shape], where: str) -> None:
    """All that is missing, too much or of another shape, as one error of one line."""
    faults = [f"missing {name}" for name in wanted if name not in given]
    faults += [f"unknown {name}" for name in given if name not in wanted]
    for name, shape in wanted.items():
        if name in given and given[name] != shape:
            faults.append(f"{name} has shape {given[name]}, not {shape}")
    if faults:
        more = f" and {len(faults) - 8} more" if len(faults) > 8 else ""
        raise WeightsError(f"{where} do not fit the contract: {'; '.join(faults[:8])}{more}")


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
