"""What PyTorch writes: torch.save (a zip since 1.6, a stream before) and TorchScript archives, read without PyTorch.

All describe tensors in a pickle: each is a part of a storage, whose bytes lie elsewhere in the file, in the zip or
after the pickles. Tensors come out as views of the memory map.
Formats: torch/serialization.py and torch/csrc/jit/serialization of PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from contralto.errors import WeightsError, one_line
from contralto.weights.archive import Archive
from contralto.weights.checkpoint import Stored
from contralto.weights.tensorfile import DTYPES, MAX_DIMENSIONS, MAX_SIZE, Bytes, addressable
from contralto.weights.unpickle import Call, Fault, Inert, Module, unpickle

# Where training programs keep the weights among other things: the first that is there is taken.
NESTS = ("state_dict", "model_state_dict", "model", "module", "state_dict_ema", "model_ema", "ema_state_dict", "ema")
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001  # with which a legacy file begins
MOST_MODULES, MOST_DEPTH, MOST_NAME = 100_000, 32, 1000  # modules of TorchScript may hold each other in circles


@dataclass(frozen=True)
class Storage:
    """Numbers in a row: how many, of which dtype, and the key under which the file has their bytes."""

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class Part:
    """A tensor: numbers of a storage, from `offset` on. Strides are in numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def zipped(data: Bytes, where: str) -> tuple[dict[str, Stored], bool, dict[str, str]]:
    """The tensors in a zip of PyTorch's, whether it is TorchScript's, and what was taken. Raises WeightsError."""
    archive = Archive(data, where)
    root = _root(archive, where)
    order = f"{root}byteorder"
    if order in archive.names and archive.content(order).tobytes() != b"little":
        raise WeightsError(f"{where} was written on a big-endian machine: save it again on another")
    scripted = f"{root}constants.pkl" in archive.names
    names = _scripted_name if scripted else _name
    value, _ = unpickle(archive.content(f"{root}data.pkl").data, 0, where, names, _storage)
    parts, taken = (dict(_flat(value, where)), {}) if scripted else _state_dict(value, where)
    storages = {part.storage.key: archive.content(f"{root}data/{part.storage.key}") for part in parts.values()}
    return {name: _view(part, storages, name, where) for name, part in parts.items()}, scripted, taken


def legacy(data: Bytes, where: str) -> tuple[dict[str, Stored], dict[str, str]]:
    """The tensors in a file of torch.save before 1.6, and what was taken. Raises WeightsError.

    Five pickles follow each other: a magic number, a version, the machine's sizes, the value, the keys of the
    storages; then for each key the count of its numbers, in 8 bytes, and the numbers.
    """
    storages: dict[str, Storage] = {}

    def storage(given: Any) -> Storage:
        found = _storage(given)
        if storages.setdefault(found.key, found) != found:
            raise Fault(f"is damaged: its storage {one_line(found.key, 40)!r} has two dtypes or sizes")
        return found

    magic, place = unpickle(data.data, 0, where, _name, _storage)
    if type(magic) is not int or magic != MAGIC:
        raise WeightsError(f"{where} is a pickle, but not one of torch.save's: no weights are read from it")
    version, place = unpickle(data.data, place, where, _name, _storage)
    system, place = unpickle(data.data, place, where, _name, _storage)
    if version != VERSION or type(system) is not dict or system.get("little_endian") is not True:
        raise WeightsError(f"{where} was written by another version of torch.save, or on a big-endian machine")
    value, place = unpickle(data.data, place, where, _name, storage)
    keys, place = unpickle(data.data, place, where, _name, _storage)
    contents = _contents(data, place, keys, storages, where)
    parts, taken = _state_dict(value, where)
    return {name: _view(part, contents, name, where) for name, part in parts.items()}, taken


def _root(archive: Archive, where: str) -> str:
    """The folder in which everything lies, with a slash."""
    names = archive.names
    root = names[0].partition("/")[0] + "/" if names else ""
    if f"{root}data.pkl" in names and all(name.startswith(root) for name in names):
        return root
    what = "a NumPy archive (.npz)" if any(name.endswith(".npy") for name in names) else "a zip archive"
    raise WeightsError(f"{where} is {what}, but not one of PyTorch's: unpack it and name the weight file in it")


def _contents(data: Bytes, place: int, keys: Any, storages: Mapping[str, Storage], where: str) -> dict[str, Bytes]:
    """The bytes of each storage of a legacy file; `place`: where the first begins."""
    found: dict[str, Bytes] = {}
    for key in keys if type(keys) is list else [None]:
        if type(key) is not str or key not in storages or key in found:
            raise WeightsError(f"{where} is damaged: its list of storages is not that of its tensors")
        storage = storages[key]
        begin, end = place + 8, place + 8 + storage.count * DTYPES[storage.dtype].itemsize
        if end > len(data):
            raise WeightsError(f"{where} is cut off: its tensors need {end} bytes, it has {len(data)}")
        if int.from_bytes(data[place:begin].tobytes(), "little") != storage.count:
            raise WeightsError(f"{where} is damaged: its storage {one_line(key, 40)!r} has two sizes")
        found[key], place = data[begin:end], end
    if len(found) < len(storages):
        raise WeightsError(f"{where} is damaged: its list of storages is not that of its tensors")
    return found


def _state_dict(value: Any, where: str) -> tuple[dict[str, Part], dict[str, str]]:
    """The tensors of what was saved; where they were in it, and what else could have been meant."""
    path: list[str] = []
    metadata: dict[str, str] = {}
    while type(value) is dict and (nests := [name for name in NESTS if type(value.get(name)) is dict]):
        path.append(nests[0])
        metadata = {"taken": ".".join(path)} | ({"passed over": ", ".join(nests[1:])} if nests[1:] else {})
        value = value[nests[0]]
        if len(path) > MOST_DEPTH:
            raise WeightsError(f"{where} is refused: its state dict is nested without end")
    if type(value) is not dict:
        raise WeightsError(f"{where} holds no state dict, but a value of type {_kind(value)}")
    parts = {name: one for name, one in value.items() if name != "_metadata"}
    if not any(type(one) is Part for one in parts.values()):
        held = ", ".join(one_line(name, 40) for name in list(parts)[:5]) or "nothing"
        raise WeightsError(f"{where} holds no state dict: there is {held}, and no tensor among it")
    for name, one in parts.items():
        if type(one) is not Part:
            raise WeightsError(f"{where}: {one_line(name, 100)!r} in its state dict is of type {_kind(one)}, no tensor")
    return parts, metadata


def _flat(root: Any, where: str) -> Iterator[tuple[str, Part]]:
    """The tensors of a TorchScript module under dotted names, as its state dict has them.

    Tensors that are plain attributes count too: only the archive's code, which is not read, tells them from buffers.
    """
    if type(root) is not Module:
        raise WeightsError(f"{where} is a TorchScript archive of something else than a module")
    seen = 0
    waiting = [("", root)]
    while waiting:
        prefix, module = waiting.pop()
        seen += 1 + len(module.attributes)
        if seen > MOST_MODULES or prefix.count(".") > MOST_DEPTH:
            raise WeightsError(f"{where} is refused: its modules are nested without end")
        for name, value in module.attributes.items():
            if type(value) not in (Module, Part):
                continue
            if not name or "." in name or len(prefix) + len(name) > MOST_NAME:
                raise WeightsError(f"{where} is damaged: {one_line(name, 80)!r} is no name of an attribute")
            if type(value) is Part:
                yield prefix + name, value
            else:
                waiting.append((f"{prefix}{name}.", value))


def _view(part: Part, storages: Mapping[str, Bytes], name: str, where: str) -> Stored:
    """The array, which lies within its storage and has no more numbers."""
    storage, dtype = part.storage, DTYPES[part.storage.dtype]
    content = storages[storage.key]
    if len(content) != storage.count * dtype.itemsize:
        fault = f"its storage has {len(content)} bytes, which are not {storage.count} numbers of {storage.dtype}"
        raise WeightsError(f"{where} is cut off or damaged: tensor {one_line(name, 100)!r}: {fault}")
    size = math.prod(part.shape)
    strides = [stride if side > 1 else 1 for side, stride in zip(part.shape, part.strides, strict=True)]
    last = part.offset + sum((side - 1) * stride for side, stride in zip(part.shape, strides, strict=True))
    if (size and last >= storage.count) or size > storage.count:
        raise WeightsError(f"{where} is damaged: tensor {one_line(name, 100)!r} reaches beyond its storage")
    if not size:
        return Stored(storage.dtype, np.empty(part.shape, dtype))
    steps = [stride * dtype.itemsize for stride in strides]
    return Stored(storage.dtype, np.ndarray(part.shape, dtype, content, part.offset * dtype.itemsize, steps))


def _kind(value: Any) -> str:
    return "tensor" if type(value) is Part else type(value).__name__.lower()


def _name(path: str) -> Any:
    """What a name in a pickle stands for; all but a few are refused, whether or not they would be called."""
    if path in UNREAD:
        raise Fault(f"is refused: it holds {UNREAD[path]}, which is not read")
    if path not in NAMES:
        known = "only tensors and plain data are read: save the model's state_dict(), or safetensors"
        raise Fault(f"is refused: its pickle names {one_line(path, 100)}, which would run code; {known}")
    return NAMES[path]


def _scripted_name(path: str) -> Any:
    """As `_name`, with the classes of an archive's own code, which is not read."""
    return Call(lambda: Module({})) if path.startswith("__torch__.") else _name(path)


def _storage(given: Any) -> Storage:
    """A persistent id: ("storage", class, key, device, count), in legacy files with None or a view after it."""
    if type(given) is not tuple or not 5 <= len(given) <= 6 or type(given[0]) is not str or given[0] != "storage":
        raise Fault("is damaged: its pickle refers to something else than a storage")
    _, kind, key, _, count, *view = given
    if view not in ([], [None]):
        raise Fault("is refused: it has views of storages, as PyTorch before 0.4 wrote them")
    if type(kind) is not _Kind or type(key) is not str or type(count) is not int or not 0 <= count <= MAX_SIZE:
        raise Fault("is damaged: its pickle describes a storage wrongly")
    return Storage(kind.dtype, key, count)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Part:
    sound = type(storage) is Storage and type(shape) is tuple and type(strides) is tuple
    if not sound or len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise Fault("is damaged: its pickle describes a tensor wrongly")
    numbers = (offset, *shape, *strides)
    if not all(type(number) is int and 0 <= number <= MAX_SIZE for number in numbers) or not addressable(shape):
        raise Fault("is damaged: its pickle describes a tensor with a negative or an endless side")
    return Part(storage, offset, shape, strides)


def _same(value: Any, *_: Any) -> Any:
    return value


@dataclass(frozen=True)
class _Kind:
    """A class of storages."""

    dtype: str


INERT = Inert()

STORAGES = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}  # fmt: skip

# Harmless things that stand beside the weights in training checkpoints. None is made; `INERT` stands for each.
SETTINGS = (
    "argparse.Namespace", "numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
    "_codecs.encode", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath", "pathlib.PureWindowsPath",
    "torch.device", "torch.Size", "collections.Counter", "builtins.set", "builtins.frozenset", "builtins.slice",
    "builtins.complex",
)  # fmt: skip

NAMES: dict[str, Any] = {
    "torch._utils._rebuild_tensor_v2": Call(_tensor),
    "torch._utils._rebuild_tensor": Call(_tensor),
    "torch._utils._rebuild_parameter": Call(_same),
    "collections.OrderedDict": Call(lambda: {}),
    "collections.defaultdict": Call(lambda *_: {}),
    "builtins.dict": INERT, "builtins.list": INERT, "builtins.int": INERT, "builtins.float": INERT,  # of a defaultdict
    "torch.jit._pickle.restore_type_tag": Call(_same),
    "torch.jit._pickle.build_intlist": Call(_same), "torch.jit._pickle.build_doublelist": Call(_same),
    "torch.jit._pickle.build_boollist": Call(_same), "torch.jit._pickle.build_tensorlist": Call(_same),
}  # fmt: skip
NAMES |= {f"{module}.{name}": _Kind(dtype) for name, dtype in STORAGES.items() for module in ("torch", "torch.cuda")}
NAMES |= {name: Call(lambda *_: INERT) for name in SETTINGS}
NAMES |= {name.replace("builtins", "__builtin__"): value for name, value in NAMES.items()}  # as protocol 2 has them
NAMES |= {f"torch.{name}": INERT for name in ("float64", "float32", "float16", "bfloat16", "int64", "int32", "strided")}

UNREAD = {
    "torch._utils._rebuild_sparse_tensor": "a sparse tensor",
    "torch._utils._rebuild_sparse_csr_tensor": "a sparse tensor",
    "torch._utils._rebuild_qtensor": "a quantised tensor",
    "torch._utils._rebuild_meta_tensor_no_storage": "a tensor without numbers (of the device meta)",
    "torch._utils._rebuild_tensor_v3": "a tensor of an unusual dtype",
    "torch.ComplexFloatStorage": "a tensor of complex numbers",
    "torch.ComplexDoubleStorage": "a tensor of complex numbers",
}
