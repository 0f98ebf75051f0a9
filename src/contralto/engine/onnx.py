"""Writes ONNX models without the onnx package: a graph of nodes, and its protocol-buffer bytes.

Tensors of a weight file are external data: a file name, an offset and a length. So the model of a whole tower has some
tens of kilobytes. Only the parts of ONNX that the towers need are here.
Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

# The first operator set with Gelu, and the oldest version of the file format that may contain it.
OPSET, IR_VERSION = 20, 9

# TensorProto.DataType
FLOAT, UINT8, INT8, INT64, FLOAT16, BFLOAT16 = 1, 2, 3, 7, 10, 16

Attribute = int | float | str | Sequence[int]


class Graph:
    """A graph under construction. Each method that adds a value returns its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes: list[bytes] = []
        self._initialisers: dict[str, bytes] = {}
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []

    def input(self, name: str, dtype: int, shape: Sequence[int | str]) -> str:
        """Adds an input of the graph. A string in the shape is a dimension that may vary."""
        self._inputs.append(_value_info(name, dtype, shape))
        return name

    def output(self, value: str, name: str, dtype: int, shape: Sequence[int | str]) -> None:
        """Makes `value` an output of the graph, under `name`."""
        self._nodes.append(_node("Identity", [value], name, {}))
        self._outputs.append(_value_info(name, dtype, shape))

    def node(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """Applies an ONNX operator to values. Returns the name of its single result."""
        name = f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(_node(operator, inputs, name, attributes))
        return name

    def constant(self, value: ArrayLike) -> str:
        """Adds a small constant to the model: integers as int64, other numbers as float32."""
        array = np.asarray(value)
        dtype, array = (INT64, array.astype("<i8")) if array.dtype.kind == "i" else (FLOAT, array.astype("<f4"))
        content = _dims(array.shape) + _varint_field(2, dtype) + _bytes_field(9, array.tobytes())
        digest = array.tobytes().hex() if array.nbytes <= 32 else hashlib.sha256(array.tobytes()).hexdigest()
        name = f"constant_{dtype}_{'x'.join(map(str, array.shape))}_{digest}"
        self._initialisers[name] = content + _text_field(8, name)
        return name

    def zero_point(self, value: int) -> str:
        """A uint8 constant, as QuantizeLinear and DequantizeLinear take it for the zero point."""
        name = f"zero_point_{value}"
        self._initialisers[name] = _varint_field(2, UINT8) + _bytes_field(9, bytes([value])) + _text_field(8, name)
        return name

    def external(self, name: str, dtype: int, shape: Sequence[int], file: str, begin: int, end: int) -> str:
        """Adds a tensor whose bytes are [begin, end) of a file in the model's folder."""
        content = _dims(shape) + _varint_field(2, dtype) + _text_field(8, name)
        for key, value in (("location", file), ("offset", str(begin)), ("length", str(end - begin))):
            content += _bytes_field(13, _text_field(1, key) + _text_field(2, value))
        self._initialisers[name] = content + _varint_field(14, 1)
        return name

    def model(self) -> bytes:
        """The bytes of the finished model. They are the same for the same graph."""
        graph = [_bytes_field(1, node) for node in self._nodes] + [_text_field(2, self.name)]
        graph += [_bytes_field(5, tensor) for tensor in self._initialisers.values()]
        graph += [_bytes_field(11, value) for value in self._inputs]
        graph += [_bytes_field(12, value) for value in self._outputs]
        header = _varint_field(1, IR_VERSION) + _text_field(2, "contralto")
        return header + _bytes_field(7, b"".join(graph)) + _bytes_field(8, _varint_field(2, OPSET))


def _node(operator: str, inputs: Sequence[str], output: str, attributes: dict[str, Attribute]) -> bytes:
    content = b"".join(_text_field(1, name) for name in inputs) + _text_field(2, output)
    content += _text_field(3, output) + _text_field(4, operator)
    return content + b"".join(_bytes_field(5, _attribute(name, value)) for name, value in attributes.items())


def _attribute(name: str, value: Attribute) -> bytes:
    """AttributeProto; field 20 is the type."""
    content = _text_field(1, name)
    if isinstance(value, int):
        return content + _varint_field(3, value) + _varint_field(20, 2)
    if isinstance(value, float):
        return content + _key(2, 5) + struct.pack("<f", value) + _varint_field(20, 1)
    if isinstance(value, str):
        return content + _text_field(4, value) + _varint_field(20, 3)
    return content + b"".join(_varint_field(8, v) for v in value) + _varint_field(20, 7)


def _value_info(name: str, dtype: int, shape: Sequence[int | str]) -> bytes:
    dims = [_text_field(2, d) if isinstance(d, str) else _varint_field(1, d) for d in shape]
    dimensions = b"".join(_bytes_field(1, d) for d in dims)
    tensor = _varint_field(1, dtype) + _bytes_field(2, dimensions)
    return _text_field(1, name) + _bytes_field(2, _bytes_field(1, tensor))


def _dims(shape: Sequence[int]) -> bytes:
    return b"".join(_varint_field(1, d) for d in shape)


def _text_field(field: int, text: str) -> bytes:
    return _bytes_field(field, text.encode())


def _bytes_field(field: int, content: bytes) -> bytes:
    return _key(field, 2) + _varint(len(content)) + content


def _varint_field(field: int, value: int) -> bytes:
    return _key(field, 0) + _varint(value)


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _varint(value: int) -> bytes:
    """Seven bits per byte, lowest first; negative numbers as 64-bit two's complement."""
    value &= (1 << 64) - 1
    content = bytearray()
    while value > 127:
        content.append(value & 127 | 128)
        value >>= 7
    content.append(value)
    return bytes(content)
