"""Reads and writes safetensors files: named arrays in one file, as views of a memory map.

Layout: length of the header (8 bytes, little-endian); a JSON object, name -> dtype, shape and [begin, end) in the rest
of the file; then the bytes. Every claim of a file is checked: the header's length, its JSON, every dtype, and that the
tensors fill the rest of the file exactly, without gap or overlap.
Format: https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import json
import math
import mmap
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from contralto.errors import WeightsError, one_line

Array = NDArray[Any]
Bytes = NDArray[np.uint8]

# Limit of a header in bytes. A ViT-L/14 needs 70 thousand; the format allows 100 million, which would take gigabytes
# to parse.
MAX_HEADER = 2**24
MAX_SIZE = 2**62  # limit of numbers in a header, and of a tensor in bytes; NumPy can count as far
MAX_DIMENSIONS = 32

# dtype in the file -> dtype of the view. NumPy has no bfloat16, so its views have the bits as uint16.
NUMPY_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2"),
    "I64": np.dtype("<i8"), "I32": np.dtype("<i4"), "I16": np.dtype("<i2"), "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"), "U32": np.dtype("<u4"), "U16": np.dtype("<u2"), "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}  # fmt: skip


@dataclass(frozen=True)
class TensorEntry:
    """A tensor in the file: dtype as in safetensors, shape, and byte offsets [begin, end) in the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


TensorEntries = dict[str, TensorEntry]


class TensorFile:
    """An open safetensors file. `tensors`: name -> TensorEntry; `metadata`: the header's free strings."""

    def __init__(self, path: str | Path) -> None:
        """Maps the file and reads its header. Raises WeightsError, which names the fault."""
        self.path = Path(path)
        self._bytes = map_file(self.path)
        where = one_line(str(path))
        header, start = _read_header(self._bytes, where)
        self.tensors, self.metadata = _check_header(header, start, len(self._bytes), where)

    def raw(self, name: str) -> Array:
        """The tensor as stored, a read-only view; bfloat16 as uint16 bits. Raises KeyError."""
        tensor = self.tensors[name]
        return np.ndarray(tensor.shape, NUMPY_DTYPES[tensor.dtype], buffer=self._bytes, offset=tensor.begin)

    def float32(self, name: str) -> NDArray[np.float32]:
        """The tensor's values as float32 (a view if stored so); integers are cast, not scaled. Raises KeyError."""
        raw = self.raw(name)
        if self.tensors[name].dtype == "BF16":
            return (raw.astype(np.uint32) << 16).view(np.float32)
        return raw.astype(np.float32, copy=False)


def write_tensors(file: BinaryIO, tensors: Mapping[str, tuple[str, Array]], metadata: Mapping[str, str]) -> None:
    """Writes name -> (dtype, array) as safetensors. Wider dtypes come first, so every tensor is aligned."""
    order = sorted(tensors, key=lambda name: (-NUMPY_DTYPES[tensors[name][0]].itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    offset = 0
    for name in order:
        dtype, array = tensors[name]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in order:
        file.write(np.ascontiguousarray(tensors[name][1]).reshape(-1).view(np.uint8).data)


def map_file(path: Path) -> Bytes:
    """The bytes of a file as a read-only memory map. Raises WeightsError if it is absent, empty or no regular file."""
    where = one_line(str(path))
    try:
        kind = os.stat(path)  # before opening: open() would wait for a writer to a pipe
        if stat.S_ISDIR(kind.st_mode):
            raise WeightsError(f"{where} is a folder: name the weight file in it")
        if not stat.S_ISREG(kind.st_mode):
            raise WeightsError(f"{where} is no regular file, but a device or a pipe")
        if not kind.st_size:
            raise WeightsError(f"{where} is empty: download or copy it again")
        return np.memmap(path, np.uint8, "r").view(np.ndarray)
    except (OSError, ValueError) as error:  # ValueError: an invalid file name
        raise WeightsError(f"{where}: {getattr(error, 'strerror', None) or error}") from error


def release(arrays: Iterable[Array]) -> None:
    """Frees the memory of arrays that are views of a memory map. The next access reads them from the file again.

    Other arrays are ignored; on a system without MADV_DONTNEED, no array is freed.
    """
    if not hasattr(mmap, "MADV_DONTNEED"):
        return
    spans: dict[int, list[tuple[int, int]]] = {}
    maps: dict[int, mmap.mmap] = {}
    for array in arrays:
        if (file_map := _map_of(array)) is not None:
            maps[id(file_map)] = file_map
            begin = array.__array_interface__["data"][0]
            spans.setdefault(id(file_map), []).append((begin, begin + array.nbytes))
    for key, map_spans in spans.items():
        first = np.frombuffer(maps[key], np.uint8).__array_interface__["data"][0]
        for begin, end in _joined(map_spans):
            page = (begin - first) // mmap.PAGESIZE * mmap.PAGESIZE
            maps[key].madvise(mmap.MADV_DONTNEED, page, end - first - page)


def _map_of(array: Array) -> mmap.mmap | None:
    """The read-only memory map that holds a view's numbers; None for other arrays."""
    source: Any = array
    while isinstance(source, np.ndarray | memoryview):
        source = source.base if isinstance(source, np.ndarray) else source.obj
    return source if isinstance(source, mmap.mmap) and not array.flags.writeable else None


def _joined(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The spans [begin, end), merged where less than a page lies between them."""
    begin, end = min(spans)
    for low, high in sorted(spans):
        if low - end >= mmap.PAGESIZE:
            yield begin, end
            begin = low
        end = max(end, high)
    yield begin, end


def parse_object(text: bytes, what: str) -> dict[str, Any]:
    """Parses a JSON object (UTF-8) without duplicate keys. Raises WeightsError; its message begins with `what`."""
    try:
        value = json.loads(text.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{what} is not JSON ({one_line(str(error), 100)})") from error
    if not isinstance(value, dict):
        raise WeightsError(f"{what} is not a JSON object")
    return value


def _read_header(data: Bytes, where: str) -> tuple[dict[str, Any], int]:
    length, size = int.from_bytes(data[:8].tobytes(), "little"), len(data)
    if size < 8 or length > size - 8:
        raise WeightsError(f"{where} is damaged or no safetensors file: its header does not fit in its {size} bytes")
    if length > MAX_HEADER:
        raise WeightsError(f"{where}: a header of {length} bytes is refused (limit {MAX_HEADER})")
    return parse_object(data[8 : 8 + length].tobytes(), f"{where} is damaged: its header"), 8 + length


def _check_header(header: dict[str, Any], start: int, size: int, where: str) -> tuple[TensorEntries, dict[str, str]]:
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise WeightsError(f"{where} is damaged: its metadata are not strings")
    tensors = {name: _tensor(entry, start, f"{where}: tensor {one_line(name, 99)!r}") for name, entry in header.items()}
    end = start
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != end:
            fault = "overlaps another" if tensor.begin < end else "follows a gap"
            raise WeightsError(f"{where}: tensor {one_line(name, 100)!r} {fault}")
        end = tensor.end
    if end != size:
        fault = "is cut off" if end > size else "has bytes that belong to no tensor"
        raise WeightsError(f"{where} {fault}: the header describes {end} bytes, the file has {size}")
    return tensors, metadata


def _tensor(entry: Any, start: int, where: str) -> TensorEntry:
    """One entry of the header, checked for consistency."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise WeightsError(f"{where} needs exactly dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if isinstance(dtype, str) and dtype.startswith(("F8_", "F6_")):
        raise WeightsError(f"{where} is stored as {one_line(dtype, 40)}: floats below 16 bits are not read")
    if not isinstance(dtype, str) or dtype not in NUMPY_DTYPES:
        raise WeightsError(f"{where} has the unknown dtype {one_line(repr(dtype), 40)}")
    if not (_counts(shape) and _counts(offsets) and len(offsets) == 2 and len(shape) <= MAX_DIMENSIONS):
        raise WeightsError(f"{where} has a malformed shape or offsets")
    if not is_addressable(shape):
        raise WeightsError(f"{where} has a shape larger than can be addressed")
    if offsets[1] - offsets[0] != math.prod(shape) * NUMPY_DTYPES[dtype].itemsize:
        raise WeightsError(f"{where}: {offsets[1] - offsets[0]} bytes do not hold shape {shape} of {dtype}")
    return TensorEntry(dtype, tuple(shape), start + offsets[0], start + offsets[1])


def is_addressable(shape: Iterable[int]) -> bool:
    """Whether NumPy can make an array of that shape and any dtype. NumPy counts a dimension of 0 as 1 here."""
    return math.prod(max(length, 1) for length in shape) * 8 <= MAX_SIZE


def _counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value <= MAX_SIZE for value in values)


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value:
            raise ValueError("a key occurs twice in one object")
        value[key] = item
    return value
