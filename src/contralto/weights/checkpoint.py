"""A model's weights under their native names, whatever file and layout they come from."""

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
MEGABYTE, PART = 2**20, 2**23  # bytes; of a file, read at once
SLOW = 2**30  # bytes from which on a sha256 takes a second and more


class Stored(NamedTuple):
    """A tensor as a file holds it: dtype as safetensors calls it, and its elements (bfloat16 as uint16 bits)."""

    dtype: str
    array: Array

    @property
    def shape(self) -> Shape:
        return self.array.shape


class Checkpoint(Mapping[str, NDArray[np.float32]]):
    """A contract and its weights: a mapping name -> float32 array of exactly the names in `expected`.

    Nothing is read from the disk before a tensor is asked for. Safe to share between threads.
    """

    def __init__(
        self,
        contract: Contract,
        tensors: Mapping[str, Stored],
        files: Sequence[Path],
        *,
        native: TensorFile | None = None,
    ) -> None:
        """tensors: exactly the names and shapes of `expected(contract)`, and for each tensor in int8 its scale.
        files: those that hold the weights; the tokenizer's lies beside the first. native: the file, if it holds the
        tensors under the names and at the places that a graph file beside it can point to."""
        self.contract, self.files, self.native = contract, tuple(files), native
        self.tensors = {name: _contiguous(stored) for name, stored in tensors.items()}  # as runtimes need them
        self._names = tuple(expected(contract))

    @property
    def folder(self) -> Path:
        """Where the weights lie, and what else belongs to them."""
        return self.files[0].parent

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        return self.array(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def array(self, name: str) -> NDArray[np.float32]:
        """The tensor's values: a view of the file if it is stored in float32, else a new array. Raises KeyError."""
        stored = self.tensors[name]
        if stored.dtype == "BF16":
            return (stored.array.astype(np.uint32) << 16).view(np.float32)
        values = stored.array.astype(np.float32, copy=False)
        if stored.dtype != "I8":
            return values
        scale = self.tensors[name + SCALE].array
        return values * scale.reshape(-1, *[1] * (values.ndim - 1))

    def raw(self, name: str) -> Array:
        """The tensor as stored, read-only (bfloat16 as uint16 bits, int8 without its scale). Raises KeyError."""
        return self.tensors[name].array

    def stored(self, name: str) -> Stored:
        """How the tensor is stored. Raises KeyError."""
        return self.tensors[name]

    def release(self, tower: str) -> None:
        """Gives back the memory of a tower's tensors, "image" or "text", that are mapped: a runtime has packed them,
        and whoever touches them again reads them from the file again."""
        release(stored.array for name, stored in self.tensors.items() if name.startswith(f"{tower}."))

    def replace(self, contract: Contract) -> Checkpoint:
        """The same weights under another contract of the same towers."""
        return Checkpoint(contract, self.tensors, self.files, native=self.native)

    def verify(self) -> None:
        """Reads everything: the sha256 of the files against the contract, and that every number is finite.

        Loading leaves this out, as it costs a pass over the files. Raises WeightsError.
        """
        found, weights = digest(self.files), self.contract.weights
        if weights is None or found != weights.sha256:
            raise WeightsError(f"{self.files[0]} is not the file that the contract names: its sha256 is {found}")
        for name in self:
            if not np.isfinite(self.array(name)).all():
                raise WeightsError(f"{self.files[0]}: tensor {name!r} holds numbers that are not finite")


def _contiguous(stored: Stored) -> Stored:
    return stored if stored.array.flags.c_contiguous else Stored(stored.dtype, stored.array.copy())


def digest(files: Sequence[Path]) -> str:
    """sha256 (hex) of the file; of several files that of their digests, a line each, in order. Raises OSError."""
    return combined([sha256(path) for path in files])


def sha256(path: Path) -> str:
    """Of one file (hex). How far it is, is told for a file that takes seconds. Raises OSError."""
    found, done = hashlib.sha256(), 0
    stage = f"reading {one_line(path.name, 80)} for its sha256"
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        while True:
            if size >= SLOW:
                progress.tell(stage, min(done, size) // MEGABYTE, size // MEGABYTE, f"{size / 1e9:.1f} GB")
            if not (part := file.read(PART)):
                return found.hexdigest()
            found.update(part)
            done += len(part)


def combined(digests: Sequence[str]) -> str:
    """One sha256 for files whose own are `digests`, in order: that of the only one, or of all of them, a line each."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(f"{one}\n" for one in digests).encode()).hexdigest()


def account(given: Mapping[str, Shape], wanted: Mapping[str, Shape], where: str) -> None:
    """All that is missing, too much or of another shape, as one WeightsError of one line."""
    faults = [f"missing {name}" for name in wanted if name not in given]
    faults += [f"unknown {name}" for name in given if name not in wanted]
    for name, shape in wanted.items():
        if name in given and given[name] != shape:
            faults.append(f"{name} has shape {given[name]}, not {shape}")
    if faults:
        more = f" and {len(faults) - 8} more" if len(faults) > 8 else ""
        raise WeightsError(f"{where} do not fit the contract: {'; '.join(faults[:8])}{more}")
