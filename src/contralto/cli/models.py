"""The models that can be loaded by name, with their sizes and licences."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from contralto.cli import options as shared
from contralto.cli.console import Console
from contralto.cli.outcome import OK
from contralto.contract import FILE_NAME, Contract


def options(parser: argparse.ArgumentParser) -> None:
    """What `contralto models` takes."""
    shared.common(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a table or an object for each model."""
    from contralto.encoder.source import NAMES

    found = [summary(name, folder) for name, folder in sorted(NAMES.items()) if (folder / FILE_NAME).is_file()]
    if not found:
        console.note("no model is inside this installation")
    if not console.json and found:
        console.line(console.dim(f"{'name':<24} {'parameters':>10} {'pixels':>9} {'ImageNet':>8} {'size':>8}  licence"))
    for one in found:
        console.record(one) if console.json else console.line(_row(one))
    return OK


def summary(name: str, folder: Path) -> dict[str, Any]:
    """What is known of the native model in `folder`, without reading its weights. Raises ContractError."""
    contract = Contract.read(folder)
    weights = folder / contract.weights.file if contract.weights else None
    return {
        "name": name,
        "parameters": parameters(contract),
        "image_size": list(contract.image.size),
        "imagenet_top1": None,  # stated once it has been measured
        "bytes": weights.stat().st_size if weights and weights.is_file() else None,
        "licence": contract.licence,
        "hub_id": None,
    }


def parameters(contract: Contract) -> int:
    """How many numbers are trained: all tensors but the running figures of batch norm."""
    from contralto.weights.names import expected

    shapes = expected(contract)
    return sum(math.prod(shape) for name, shape in shapes.items() if not name.endswith(("running_mean", "running_var")))


def _row(one: dict[str, Any]) -> str:
    size = f"{one['bytes'] / 1e6:.1f} MB" if one["bytes"] else "-"
    top1 = f"{one['imagenet_top1']:.1%}" if one["imagenet_top1"] else "-"
    pixels = "x".join(map(str, one["image_size"]))
    millions = f"{one['parameters'] / 1e6:.1f} M"
    return f"{one['name']:<24} {millions:>10} {pixels:>9} {top1:>8} {size:>8}  {one['licence'] or 'not stated'}"
