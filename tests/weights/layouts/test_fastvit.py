"""timm's names of FastViT: all of them, with their shapes, and a round trip bit for bit."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from contralto.contract import Contract, preset
from contralto.errors import WeightsError
from contralto.weights.checkpoint import StoredTensor
from contralto.weights.layouts.conversion import Part, export_tensors, foreign_shapes, import_tensors
from contralto.weights.layouts.fastvit import parts
from contralto.weights.names import Shape, expected


def layout(contract: Contract) -> tuple[list[Part], dict[str, Shape]]:
    shapes = {name: shape for name, shape in expected(contract).items() if name.startswith("image.")}
    return parts(contract.image.tower, ""), shapes  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "count", "digest"),  # timm 1.0.31's fastvit_mci0 to mci4, without num_batches_tracked
    [
        ("MobileCLIP2-S0", 670, "786328eac18e7de7"),
        ("MobileCLIP-S1", 1228, "4c7b6b3068b8f39f"),
        ("MobileCLIP-S2", 1344, "844b8c39b4fcfa77"),
        ("MobileCLIP2-S2", 1344, "844b8c39b4fcfa77"),
        ("MobileCLIP2-S3", 1313, "74a75d2b20966988"),
        ("MobileCLIP2-S4", 1345, "dd1329d1d757c2a0"),
    ],
)
def test_names_and_shapes_are_timms(name: str, count: int, digest: str) -> None:
    lines = sorted(f"{foreign} {shape}" for foreign, shape in foreign_shapes(*layout(preset(name))).items())
    assert len(lines) == count
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] == digest


@pytest.mark.parametrize("name", ["MobileCLIP2-S0", "MobileCLIP2-S3"])
def test_round_trip(name: str) -> None:
    rules, shapes = layout(preset(name))
    random = np.random.default_rng(0)
    foreign = {
        part: StoredTensor("F16", random.integers(0, 30_000, shape).astype(np.uint16).view(np.float16))
        for part, shape in foreign_shapes(rules, shapes).items()
    }
    native = import_tensors(foreign, rules, shapes, "file")
    assert {name: stored.shape for name, stored in native.items()} == shapes
    back = export_tensors(native, rules, "file")
    assert back.keys() == foreign.keys()
    for part, stored in foreign.items():
        assert back[part].dtype == "F16"
        assert np.array_equal(back[part].array.view(np.uint16), stored.array.view(np.uint16))


def test_folded_files_are_refused() -> None:
    """A model folded for inference has other tensors and is refused."""
    rules, shapes = layout(preset("MobileCLIP2-S0"))
    folded = {"stem.0.reparam_conv.weight": StoredTensor("F32", np.zeros((64, 3, 3, 3), np.float32))}
    with pytest.raises(WeightsError, match=r"missing stem\.0\.conv_kxk"):
        import_tensors(folded, rules, shapes, "file")
