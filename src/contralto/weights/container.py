"""Reads a weight file as named arrays: safetensors, torch.save, TorchScript, or the index of several shards.

The first bytes of a file decide its format, never its name. Arrays are read-only views of a memory map: only headers
are read, nothing is unpacked, no byte is executed. The layouts know what the tensors mean.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from contralto.errors import WeightsError, one_line
from contralto.weights import pytorch
from contralto.weights.checkpoint import StoredTensor
from contralto.weights.tensorfile import Bytes, TensorFile, map_file, parse_object

WRAPPER_PREFIXES = ("module.", "_orig_mod.")  # added by parallel and by compiled modules
MAX_INDEX = 2**24  # bytes of an index; a thousand shards need a hundredth of it

# Files without weights, by their first bytes: what each is, and what to do.
NOT_WEIGHTS = (
    (rb"version https://git-lfs\.", "is a Git LFS pointer, not the file it stands for: run git lfs pull"),
    (rb"\s*<(!doctype|html|head|\?xml|!--)", "is a web page, not weights: download it again"),
    (rb".{257}ustar", "is a tar archive: unpack it and name the weight file in it"),
    (rb"\x1f\x8b|\xfd7zXZ|BZh\d|\x28\xb5\x2f\xfd|7z\xbc\xaf|Rar!", "is compressed: unpack it first"),
    (rb"PK\x05\x06", "is an empty zip archive"),
    (rb"\x93NUMPY", "is a single NumPy array, not a model"),
    (rb"\x89HDF", "is an HDF5 file of Keras or TensorFlow, which is not read here"),
    (rb"GGUF", "is a GGUF file, which is not read here"),
)


@dataclass(frozen=True)
class Container:
    """tensors: under the names of the file, without the prefixes of wrappers; views, a few of them not contiguous.

    files: all files that were read, first the given one. metadata: the strings of a safetensors header; for a training
    checkpoint "chosen" (the entry that holds the weights) and "not chosen" (other entries that could be the weights).
    """

    tensors: Mapping[str, StoredTensor]
    files: tuple[Path, ...]
    kind: Literal["safetensors", "torch", "torchscript"]
    metadata: Mapping[str, str] = field(default_factory=dict)


def read(path: str | Path) -> Container:
    """Reads a weight file, or the index (JSON) of several shards in the same folder.

    Takes milliseconds and almost no memory, as no numbers are read (`Checkpoint.verify` checks that they are finite).
    Raises WeightsError, one line that names the file and the fault.
    """
    path = Path(path)
    data = map_file(path)
    container = _index(path, data) if _is_json(data) else _single(path, data)
    if not container.tensors:
        raise WeightsError(f"{one_line(str(path))} holds no tensors")
    return Container(_unwrapped(container.tensors), container.files, container.kind, container.metadata)


def _single(path: Path, data: Bytes) -> Container:
    """A file that holds tensors."""
    where, head = one_line(str(path)), data[:512].tobytes()
    if head[8:9] == b"{" and b"\0" in head[:8]:  # safetensors: a plausible length of 8 bytes, then JSON
        file = TensorFile(path)
        stored = {name: StoredTensor(tensor.dtype, file.raw(name)) for name, tensor in file.tensors.items()}
        return Container(stored, (path,), "safetensors", file.metadata)
    if head.startswith(b"PK\x03\x04"):
        tensors, is_script, metadata = pytorch.read_zip(data, where)
        return Container(tensors, (path,), "torchscript" if is_script else "torch", metadata)
    for beginning, what in NOT_WEIGHTS:
        if re.match(beginning, head, re.IGNORECASE | re.DOTALL):
            raise WeightsError(f"{where} {what}")
    if re.match(rb"\x80[\2-\5]", head):
        tensors, metadata = pytorch.read_legacy(data, where)
        return Container(tensors, (path,), "torch", metadata)
    raise WeightsError(f"{where} is cut off, or of no kind that holds weights: neither safetensors nor PyTorch's")


def _is_json(data: Bytes) -> bool:
    head = data[:9].tobytes().lstrip()
    return head.startswith(b"{") and b"\0" not in head


def _index(path: Path, data: Bytes) -> Container:
    """An index as transformers writes it: weight_map, tensor -> shard. The shards must hold exactly these tensors."""
    where = one_line(str(path))
    if len(data) > MAX_INDEX:
        raise WeightsError(f"{where}: an index of {len(data)} bytes is refused (limit {MAX_INDEX})")
    names = parse_object(data.tobytes(), where).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise WeightsError(f"{where} is JSON, but no index of weights: it has no weight_map")
    held: dict[str, set[str]] = {}
    for name, shard in names.items():
        if not isinstance(shard, str) or not _is_plain(shard):
            raise WeightsError(f"{where} is refused: its shard {one_line(str(shard)[:99], 80)!r} is no plain file name")
        held.setdefault(shard, set()).add(name)
    tensors: dict[str, StoredTensor] = {}
    for shard, wanted in held.items():
        single = _shard(path.parent / shard, where)
        if odd := sorted(wanted ^ single.tensors.keys()):
            listed = ", ".join(one_line(name, 60) for name in odd[:4]) + (" ..." if len(odd) > 4 else "")
            raise WeightsError(f"{where} and its shard {one_line(shard, 80)} do not agree on {listed}")
        tensors |= single.tensors
    return Container({name: tensors[name] for name in names}, (path, *(path.parent / s for s in held)), single.kind)


def _shard(path: Path, where: str) -> Container:
    if not os.path.exists(path):  # unlike Path.exists, this takes a name of any length
        raise WeightsError(f"{where} needs {one_line(path.name, 80)}, which is not next to it: download it too")
    data = map_file(path)
    if _is_json(data):
        raise WeightsError(f"{where} is refused: its shard {one_line(path.name, 80)} is JSON, not weights")
    return _single(path, data)


def _is_plain(name: str) -> bool:
    """Whether the name is a file in the same folder, on any system."""
    short = len(name.encode("utf-8", "surrogatepass")) <= 255  # limit of file systems
    return short and name not in ("", ".", "..") and not re.search(r"[/\\:\0]", name)


def _unwrapped(tensors: Mapping[str, StoredTensor]) -> Mapping[str, StoredTensor]:
    """The tensors without the prefixes that all names share."""
    while prefix := next((p for p in WRAPPER_PREFIXES if all(name.startswith(p) for name in tensors)), None):
        tensors = {name.removeprefix(prefix): stored for name, stored in tensors.items()}
    return tensors
