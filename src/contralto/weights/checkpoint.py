"""A contract and its weights under native names, from any file and layout; also sha256 and checks of tensors."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contralto import progress
from contralto.contract import Contract
from contralto.errors import WeightsError, one_line
from contralto.weights.names import Shape, expected
from contralto.weights.tensorfile import Array, TensorFile, release

SCALE = ".scale"
MEGABYTE, READ_BYTES = 2**20, 2**23  # READ_BYTES: chunk for hashing a file
PROGRESS_BYTES = 2**30  # from this size on, a sha256 takes more than a second and reports progress


class StoredTensor(NamedTuple):
    """A tensor as stored in a file: its dtype in safetensors ("BF16"), and its elements (bfloat16 as uint16 bits)."""

    dtype: str
    array: Array

    @property
    def shape(self) -> Shape:
        return self.array.shape

    def float32(self) -> NDArray[np.float32]:
        """The values: a view if they are stored so, else a new array; integers are cast, not scaled."""
        if self.dtype == "BF16":
            return (self.array.astype(np.uint32) << 16).view(np.float32)
        return self.array.astype(np.float32, copy=False)


class Checkpoint(Mapping[str, NDArray[np.float32]]):
    """A contract and its weights: a mapping name -> float32 array of exactly the names in `expected`.

    A tensor is read from disk on first access. Safe to share between threads.
    """

    def __init__(
        self,
        contract: Contract,
        tensors: Mapping[str, StoredTensor],
        files: Sequence[Path],
        *,
        native: TensorFile | None = None,
    ) -> None:
        """tensors: exactly the names and shapes of `expected(contract)`, and the scale of each int8 tensor.
        files: the weight files; the tokenizer's file is in the folder of the first. native: the weight file, if a graph
        file next to it can refer to its tensors by name and offset."""
        self.contract, self.files, self.native = contract, tuple(files), native
        self.tensors = {
            name: _contiguous(stored) for name, stored in tensors.items()
        }  # runtimes need contiguous arrays
        self._names = tuple(expected(contract))

    @property
    def folder(self) -> Path:
        """The folder of the weights and of the files that belong to them."""
        return self.files[0].parent

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        return self.array(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def array(self, name: str) -> NDArray[np.float32]:
        """The tensor's values: a view of the file if stored in float32, else a new array. Raises KeyError."""
        stored = self.tensors[name]
        values = stored.float32()
        if stored.dtype != "I8":
            return values
        scale = self.tensors[name + SCALE].array
        return values * scale.reshape(-1, *[1] * (values.ndim - 1))

    def raw(self, name: str) -> Array:
        """The tensor as stored, read-only (bfloat16 as uint16 bits, int8 without its scale). Raises KeyError."""
        return self.tensors[name].array

    def stored(self, name: str) -> StoredTensor:
        """How the tensor is stored. Raises KeyError."""
        return self.tensors[name]

    def release(self, tower: str) -> None:
        """Frees the memory of a tower's mapped tensors; tower: "image" or "text". Call it after a runtime has made
        its own copy. The next access reads them from the file again."""
        release(stored.array for name, stored in self.tensors.items() if name.startswith(f"{tower}."))

    def replace(self, contract: Contract) -> Checkpoint:
        """The same weights under another contract of the same towers."""
        return Checkpoint(contract, self.tensors, self.files, native=self.native)

    def verify(self) -> None:
        """Checks the sha256 of the files against the contract, and that every number is finite.

        Loading skips this, as it reads all files. Raises WeightsError.
        """
        actual, weights = digest(self.files), self.contract.weights
        if weights is None or actual != weights.sha256:
            raise WeightsError(f"{self.files[0]} is not the file that the contract names: its sha256 is {actual}")
        for name in self:
            if not np.isfinite(self.array(name)).all():
                raise WeightsError(f"{self.files[0]}: tensor {name!r} holds numbers that are not finite")


def _contiguous(stored: StoredTensor) -> StoredTensor:
    return stored if stored.array.flags.c_contiguous else StoredTensor(stored.dtype, stored.array.copy())


def digest(files: Sequence[Path]) -> str:
    """sha256 (hex) of a file. For several files: sha256 of their digests, one per line, in order. Raises OSError."""
    return combined_digest([sha256(path) for path in files])


def sha256(path: Path) -> str:
    """sha256 (hex) of one file. A large file reports progress. Raises OSError."""
    hasher, done = hashlib.sha256(), 0
    stage = f"reading {one_line(path.name, 80)} for its sha256"
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        while True:
            if size >= PROGRESS_BYTES:
                progress.log_progress(stage, min(done, size) // MEGABYTE, size // MEGABYTE, f"{size / 1e9:.1f} GB")
            if not (chunk := file.read(READ_BYTES)):
                return hasher.hexdigest()
            hasher.update(chunk)
            done += len(chunk)


def combined_digest(digests: Sequence[str]) -> str:
    """One sha256 for files with these digests.

    It is the digest of a single file, or the sha256 of all digests, in order, one per line.
    """
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(f"{one}\n" for one in digests).encode()).hexdigest()


def check_tensors(given: Mapping[str, Shape], wanted: Mapping[str, Shape], where: str) -> None:
    """Raises one WeightsError that lists missing and unknown names and wrong shapes."""
    faults = [f"missing {name}" for name in wanted if name not in given]
    faults += [f"unknown {name}" for name in given if name not in wanted]
    for name, shape in wanted.items():
        if name in given and given[name] != shape:
            faults.append(f"{name} has shape {given[name]}, not {shape}")
    if faults:
        more = f" and {len(faults) - 8} more" if len(faults) > 8 else ""
        raise WeightsError(f"{where} do not fit the contract: {'; '.join(faults[:8])}{more}")
