"""Lists the models that can be loaded by name: size, published accuracy, licence, and which are on this machine.

Accuracy is the published zero-shot top-1 on ImageNet. The size of weights that are not on this machine is computed for
float32.
"""

from __future__ import annotations

import argparse
import re
from typing import Any

from contralto.cli import options as shared
from contralto.cli.console import Console
from contralto.cli.exit_codes import FAILED, OK
from contralto.contract import FILE_NAME, Contract

UNITS = {"": 1, "B": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto models`."""
    parser.add_argument("part", nargs="?", default="", metavar="NAME", help="only names that contain this")
    parser.add_argument(
        "--min-accuracy", metavar="PERCENT", type=float, help="minimum top-1 accuracy on ImageNet, for example 70"
    )
    parser.add_argument("--max-size", metavar="SIZE", type=size, help="maximum size of the weights, for example 400MB")
    parser.add_argument("--licence", metavar="L", help="only models with this licence, for example mit")
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a table, or a JSON object per model. Returns 1 if no model passes the filters."""
    models = [one for one in summaries() if _passes(one, args)]
    if not models:
        console.error("contralto: no model passes the filters; contralto models lists all models")
        return FAILED
    if not console.json:
        width = max(len(one["name"]) for one in models)
        head = f"{'name':<{width}} {'parameters':>10} {'pixels':>7} {'ImageNet':>8} {'size':>8}  licence"
        console.line(console.dim(head))
    for one in models:
        here = one.pop("here")
        console.record(one) if console.json else console.line(_row(one, width, here))
    return OK


def summaries() -> list[dict[str, Any]]:
    """The facts of each model, nano first. No weights are read or downloaded."""
    from contralto.encoder.torch_model import NANO
    from contralto.weights import hub, registry

    rows = []
    if (NANO / FILE_NAME).is_file():
        contract = Contract.read(NANO)
        size_here = (NANO / contract.weights.file).stat().st_size if contract.weights else None
        rows.append(_summary("nano", contract, None, size_here, None) | {"here": True})
    for name, entry in registry.entries().items():
        one = _summary(name, entry.contract(), entry.imagenet_top1, entry.bytes(), entry.hub_id)
        rows.append(one | {"here": hub.is_downloaded(entry.hub_id)})
    return rows


def size(text: str) -> int:
    """Bytes for "400MB", "1.5 GB" or a plain number."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?B?)", text.strip(), re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(f"must be a size such as 400MB, got {text!r}")
    return int(float(match[1]) * UNITS[match[2].upper()[:1]])


def _summary(
    name: str, contract: Contract, top1: float | None, bytes: int | None, hub_id: str | None
) -> dict[str, Any]:
    from contralto.weights.registry import parameters

    return {
        "name": name,
        "parameters": parameters(contract),
        "image_size": list(contract.image.size),
        "imagenet_top1": top1,
        "bytes": bytes,
        "licence": contract.licence,
        "hub_id": hub_id,
    }


def _passes(one: dict[str, Any], args: argparse.Namespace) -> bool:
    """Whether a model passes the filters. A model with an unknown value does not pass a filter on that value."""
    from contralto.weights.registry import simplified

    if simplified(args.part) not in simplified(one["name"]):
        return False
    if args.min_accuracy is not None and (one["imagenet_top1"] or 0) * 100 < args.min_accuracy:
        return False
    if args.max_size is not None and (one["bytes"] is None or one["bytes"] > args.max_size):
        return False
    return args.licence is None or (one["licence"] or "").lower() == args.licence.lower()


def _row(one: dict[str, Any], width: int, here: bool) -> str:
    count = one["bytes"] or 0
    size_shown = f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"
    top1 = f"{one['imagenet_top1']:.1%}" if one["imagenet_top1"] else "-"
    pixels = "x".join(map(str, one["image_size"]))
    millions = f"{one['parameters'] / 1e6:.1f} M"
    terms = one["licence"] or "not stated"
    mark = "  (here)" if here else ""
    return f"{one['name']:<{width}} {millions:>10} {pixels:>7} {top1:>8} {size_shown:>8}  {terms}{mark}"
