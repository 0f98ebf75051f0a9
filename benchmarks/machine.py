"""What the figures depend on: the processor's instruction sets, and what a tower costs by its plain definition."""

from __future__ import annotations

import os
from pathlib import Path

from contralto.architecture import CausalText, ViT
from contralto.contract import Contract

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "asimddp", "bf16")


def flags() -> list[str]:
    """Those of the processor's instruction sets that decide how fast a tower is (Linux only)."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ["unknown"]
    present = next((line.split() for line in lines if line.startswith(("flags", "Features"))), [])
    return [flag for flag in FLAGS if flag in present]


def described() -> str:
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"instructions: {' '.join(flags())}; {os.cpu_count()} processors{load}"


def picture_operations(contract: Contract) -> float | None:
    """Operations (2 a multiply-add) of the plain tower for one picture: every position in every block. ViT only."""
    tower = contract.image.tower
    if not isinstance(tower, ViT):
        return None
    height, width = (side // tower.patch for side in contract.image.size)
    patches = height * width
    positions = patches + 1
    patching = patches * 3 * tower.patch**2 * tower.width
    block = positions * (4 * tower.width**2 + 2 * tower.width * tower.mlp) + 2 * positions**2 * tower.width
    return 2.0 * (patching + tower.layers * block + tower.width * contract.embedding)


def token_operations(contract: Contract) -> float | None:
    """Operations of the plain causal tower for one real token, without attention's own products (1% at 14 tokens)."""
    tower = contract.text.tower
    if not isinstance(tower, CausalText):
        return None
    return 2.0 * tower.layers * (4 * tower.width**2 + 2 * tower.width * tower.mlp)
