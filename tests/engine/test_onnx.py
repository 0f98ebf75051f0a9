"""The protocol-buffer bytes of ONNX models."""

from __future__ import annotations

import numpy as np

from contralto.engine.onnx import _varint


def test_integers_are_written_as_protocol_buffers_are() -> None:
    """300 is AC 02, -1 is ten bytes: the examples of the format's own documentation."""
    assert _varint(300) == b"\xac\x02"
    assert _varint(-1) == b"\xff" * 9 + b"\x01"
    assert np.array([_varint(n)[0] for n in range(128)]).tolist() == list(range(128))
