"""Reads files of torch.save (a zip since PyTorch 1.6, a stream before) and TorchScript archives, without PyTorch.

A pickle describes each tensor as a view of a storage. The bytes of a storage are in another entry of the zip, or after
the pickles of a stream. Tensors are returned as views of the memory map.
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
from contralto.weights.checkpoint import StoredTensor
from contralto.weights.tensorfile import MAX_DIMENSIONS, MAX_SIZE, NUMPY_DTYPES, Bytes, is_addressable
from contralto.weights.unpickle import Constructor, IgnoredObject, PickleFault, ScriptModule, type_name, unpickle

# Keys under which training programs save the weights. The first that is present is used.
STATE_DICT_KEYS = (
    "state_dict", "model_state_dict", "model", "module", "state_dict_ema", "model_ema", "ema_state_dict", "ema",
)  # fmt: skip
LEGACY_MAGIC, LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001  # the start of a legacy file
MAX_MODULES, MAX_DEPTH, MAX_NAME_LENGTH = 100_000, 32, 1000  # modules of TorchScript may be cyclic


@dataclass(frozen=True)
class Storage:
    """A one-dimensional array of `count` numbers. key: the name of its bytes in the file."""

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class TensorView:
    """A tensor as a view of a storage. offset and strides: in numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_zip(data: Bytes, where: str) -> tuple[dict[str, StoredTensor], bool, dict[str, str]]:
    """(tensors, whether it is TorchScript, metadata as in Container) of a zip of PyTorch. Raises WeightsError."""
    archive = Archive(data, where)
    root = _root(archive, where)
    order = f"{root}byteorder"
    if order in archive.names and archive.content(order).tobytes() != b"little":
        raise WeightsError(f"{where} was written on a big-endian machine: save it again on another")
    scripted = f"{root}constants.pkl" in archive.names
    names = _scripted_global if scripted else _global
    value, _ = unpickle(archive.content(f"{root}data.pkl").data, 0, where, names, _storage)
    parts, taken = (dict(_flat(value, where)), {}) if scripted else _state_dict(value, where)
    storages = {part.storage.key: archive.content(f"{root}data/{part.storage.key}") for part in parts.values()}
    return {name: _view(part, storages, name, where) for name, part in parts.items()}, scripted, taken


def read_legacy(data: Bytes, where: str) -> tuple[dict[str, StoredTensor], dict[str, str]]:
    """(tensors, metadata as in Container) of a file of torch.save before 1.6. Raises WeightsError.

    Such a file has five pickles: a magic number, a version, the machine's sizes, the value, the keys of the storages.
    Then follow, for each key, the count of its numbers in 8 bytes and the numbers.
    """
    storages: dict[str, Storage] = {}

    def storage(given: Any) -> Storage:
        described = _storage(given)
        if storages.setdefault(described.key, described) != described:
            raise PickleFault(f"is damaged: its storage {one_line(described.key, 40)!r} has two dtypes or sizes")
        return described

    magic, place = unpickle(data.data, 0, where, _global, _storage)
    if type(magic) is not int or magic != LEGACY_MAGIC:
        raise WeightsError(f"{where} is a pickle, but not one of torch.save's: no weights are read from it")
    version, place = unpickle(data.data, place, where, _global, _storage)
    system, place = unpickle(data.data, place, where, _global, _storage)
    if version != LEGACY_VERSION or type(system) is not dict or system.get("little_endian") is not True:
        raise WeightsError(f"{where} was written by another version of torch.save, or on a big-endian machine")
    value, place = unpickle(data.data, place, where, _global, storage)
    keys, place = unpickle(data.data, place, where, _global, _storage)
    contents = _contents(data, place, keys, storages, where)
    parts, taken = _state_dict(value, where)
    return {name: _view(part, contents, name, where) for name, part in parts.items()}, taken


def _root(archive: Archive, where: str) -> str:
    """The folder that holds all entries, with a slash."""
    names = archive.names
    root = names[0].partition("/")[0] + "/" if names else ""
    if f"{root}data.pkl" in names and all(name.startswith(root) for name in names):
        return root
    what = "a NumPy archive (.npz)" if any(name.endswith(".npy") for name in names) else "a zip archive"
    raise WeightsError(f"{where} is {what}, but not one of PyTorch's: unpack it and name the weight file in it")


def _contents(data: Bytes, place: int, keys: Any, storages: Mapping[str, Storage], where: str) -> dict[str, Bytes]:
    """The bytes of each storage of a legacy file. place: offset of the first."""
    contents: dict[str, Bytes] = {}
    for key in keys if type(keys) is list else [None]:
        if type(key) is not str or key not in storages or key in contents:
            raise WeightsError(f"{where} is damaged: its list of storages is not that of its tensors")
        storage = storages[key]
        begin, end = place + 8, place + 8 + storage.count * NUMPY_DTYPES[storage.dtype].itemsize
        if end > len(data):
            raise WeightsError(f"{where} is cut off: its tensors need {end} bytes, it has {len(data)}")
        if int.from_bytes(data[place:begin].tobytes(), "little") != storage.count:
            raise WeightsError(f"{where} is damaged: its storage {one_line(key, 40)!r} has two sizes")
        contents[key], place = data[begin:end], end
    if len(contents) < len(storages):
        raise WeightsError(f"{where} is damaged: its list of storages is not that of its tensors")
    return contents


def _state_dict(value: Any, where: str) -> tuple[dict[str, TensorView], dict[str, str]]:
    """The tensors of a saved value, and metadata: the chosen entry, and others that could be the weights."""
    path: list[str] = []
    metadata: dict[str, str] = {}
    while type(value) is dict and (nests := [name for name in STATE_DICT_KEYS if type(value.get(name)) is dict]):
        path.append(nests[0])
        metadata = {"chosen": ".".join(path)} | ({"not chosen": ", ".join(nests[1:])} if nests[1:] else {})
        value = value[nests[0]]
        if len(path) > MAX_DEPTH:
            raise WeightsError(f"{where} is refused: its state dict is nested without end")
    if type(value) is not dict:
        raise WeightsError(f"{where} holds no state dict, but a value of type {_type_name(value)}")
    parts = {name: one for name, one in value.items() if name != "_metadata"}
    if not any(type(one) is TensorView for one in parts.values()):
        held = ", ".join(one_line(name, 40) for name in list(parts)[:5]) or "nothing"
        raise WeightsError(f"{where} holds no state dict: there is {held}, and no tensor among it")
    for name, one in parts.items():
        if type(one) is not TensorView:
            raise WeightsError(
                f"{where}: {one_line(name, 100)!r} in its state dict is of type {_type_name(one)}, no tensor"
            )
    return parts, metadata


def _flat(root: Any, where: str) -> Iterator[tuple[str, TensorView]]:
    """The tensors of a TorchScript module under dotted names, as in its state dict.

    Tensors that are plain attributes are included, since only the archive's code, which is not read, tells them from
    buffers.
    """
    if type(root) is not ScriptModule:
        raise WeightsError(f"{where} is a TorchScript archive of something else than a module")
    seen = 0
    waiting = [("", root)]
    while waiting:
        prefix, module = waiting.pop()
        seen += 1 + len(module.attributes)
        if seen > MAX_MODULES or prefix.count(".") > MAX_DEPTH:
            raise WeightsError(f"{where} is refused: its modules are nested without end")
        for name, value in module.attributes.items():
            if type(value) not in (ScriptModule, TensorView):
                continue
            if not name or "." in name or len(prefix) + len(name) > MAX_NAME_LENGTH:
                raise WeightsError(f"{where} is damaged: {one_line(name, 80)!r} is no name of an attribute")
            if type(value) is TensorView:
                yield prefix + name, value
            else:
                waiting.append((f"{prefix}{name}.", value))


def _view(part: TensorView, storages: Mapping[str, Bytes], name: str, where: str) -> StoredTensor:
    """The array of a tensor. It must lie within its storage and have no more numbers."""
    storage, dtype = part.storage, NUMPY_DTYPES[part.storage.dtype]
    content = storages[storage.key]
    if len(content) != storage.count * dtype.itemsize:
        fault = f"its storage has {len(content)} bytes, which are not {storage.count} numbers of {storage.dtype}"
        raise WeightsError(f"{where} is cut off or damaged: tensor {one_line(name, 100)!r}: {fault}")
    size = math.prod(part.shape)
    strides = [stride if length > 1 else 1 for length, stride in zip(part.shape, part.strides, strict=True)]
    last = part.offset + sum((length - 1) * stride for length, stride in zip(part.shape, strides, strict=True))
    if (size and last >= storage.count) or size > storage.count:
        raise WeightsError(f"{where} is damaged: tensor {one_line(name, 100)!r} reaches beyond its storage")
    if not size:
        return StoredTensor(storage.dtype, np.empty(part.shape, dtype))
    steps = [stride * dtype.itemsize for stride in strides]
    return StoredTensor(storage.dtype, np.ndarray(part.shape, dtype, content, part.offset * dtype.itemsize, steps))


def _type_name(value: Any) -> str:
    return "tensor" if type(value) is TensorView else type_name(value)


def _global(path: str) -> Any:
    """The stand-in for a global name in a pickle. All names but a few are refused, even if nothing calls them."""
    if path in UNREAD_GLOBALS:
        raise PickleFault(f"is refused: it holds {UNREAD_GLOBALS[path]}, which is not read")
    if path not in GLOBALS:
        known = "only tensors and plain data are read: save the model's state_dict(), or safetensors"
        raise PickleFault(f"is refused: its pickle names {one_line(path, 100)}, which would run code; {known}")
    return GLOBALS[path]


def _scripted_global(path: str) -> Any:
    """Like `_global`, but also accepts the classes of an archive's own code, which is not read."""
    return Constructor(lambda: ScriptModule({})) if path.startswith("__torch__.") else _global(path)


def _storage(given: Any) -> Storage:
    """A persistent id: ("storage", class, key, device, count). Legacy files append None or a view."""
    if type(given) is not tuple or not 5 <= len(given) <= 6 or type(given[0]) is not str or given[0] != "storage":
        raise PickleFault("is damaged: its pickle refers to something else than a storage")
    _, kind, key, _, count, *view = given
    if view not in ([], [None]):
        raise PickleFault("is refused: it has views of storages, as PyTorch before 0.4 wrote them")
    if type(kind) is not _StorageClass or type(key) is not str or type(count) is not int or not 0 <= count <= MAX_SIZE:
        raise PickleFault("is damaged: its pickle describes a storage wrongly")
    return Storage(kind.dtype, key, count)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> TensorView:
    sound = type(storage) is Storage and type(shape) is tuple and type(strides) is tuple
    if not sound or len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise PickleFault("is damaged: its pickle describes a tensor wrongly")
    numbers = (offset, *shape, *strides)
    if not all(type(number) is int and 0 <= number <= MAX_SIZE for number in numbers) or not is_addressable(shape):
        raise PickleFault("is damaged: its pickle describes a tensor with a negative or an endless side")
    return TensorView(storage, offset, shape, strides)


def _same(value: Any, *_: Any) -> Any:
    return value


@dataclass(frozen=True)
class _StorageClass:
    """A storage class of PyTorch, such as FloatStorage."""

    dtype: str


IGNORED = IgnoredObject()

STORAGES = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}  # fmt: skip

# Harmless types in training checkpoints. None is constructed; `IGNORED` replaces each object.
SETTINGS = (
    "argparse.Namespace", "numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
    "_codecs.encode", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath", "pathlib.PureWindowsPath",
    "torch.device", "torch.Size", "collections.Counter", "builtins.set", "builtins.frozenset", "builtins.slice",
    "builtins.complex",
)  # fmt: skip

GLOBALS: dict[str, Any] = {
    "torch._utils._rebuild_tensor_v2": Constructor(_tensor),
    "torch._utils._rebuild_tensor": Constructor(_tensor),
    "torch._utils._rebuild_parameter": Constructor(_same),
    "collections.OrderedDict": Constructor(lambda: {}),
    "collections.defaultdict": Constructor(lambda *_: {}),
    "builtins.dict": IGNORED, "builtins.list": IGNORED,  # arguments of a defaultdict
    "builtins.int": IGNORED, "builtins.float": IGNORED,
    "torch.jit._pickle.restore_type_tag": Constructor(_same),
    "torch.jit._pickle.build_intlist": Constructor(_same), "torch.jit._pickle.build_doublelist": Constructor(_same),
    "torch.jit._pickle.build_boollist": Constructor(_same), "torch.jit._pickle.build_tensorlist": Constructor(_same),
}  # fmt: skip
GLOBALS |= {
    f"{module}.{name}": _StorageClass(dtype) for name, dtype in STORAGES.items() for module in ("torch", "torch.cuda")
}
GLOBALS |= {name: Constructor(lambda *_: IGNORED) for name in SETTINGS}
GLOBALS |= {
    name.replace("builtins", "__builtin__"): value for name, value in GLOBALS.items()
}  # the names of protocol 2
GLOBALS |= {
    f"torch.{name}": IGNORED for name in ("float64", "float32", "float16", "bfloat16", "int64", "int32", "strided")
}

UNREAD_GLOBALS = {
    "torch._utils._rebuild_sparse_tensor": "a sparse tensor",
    "torch._utils._rebuild_sparse_csr_tensor": "a sparse tensor",
    "torch._utils._rebuild_qtensor": "a quantised tensor",
    "torch._utils._rebuild_meta_tensor_no_storage": "a tensor without numbers (of the device meta)",
    "torch._utils._rebuild_tensor_v3": "a tensor of an unusual dtype",
    "torch.ComplexFloatStorage": "a tensor of complex numbers",
    "torch.ComplexDoubleStorage": "a tensor of complex numbers",
}
