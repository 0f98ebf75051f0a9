"""Shows a model's contract (towers, preparation of pictures and texts, score rule, weights, licence) and its engine.

Earlier measurements of its speed on this machine are shown too. To measure, run contralto bench.
"""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from contralto.cli import options as shared
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import OK
from contralto.contract import Contract
from contralto.weights.registry import parameters

if TYPE_CHECKING:
    from contralto.encoder import Clip

LABELS_SHOWN = 8


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto info`."""
    parser.add_argument("name", nargs="?", metavar="MODEL", help="the same as --model")
    shared.add_model_options(parser)
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a table, or one JSON object: the contract with `engine` added."""
    args.model = args.name or args.model
    clip = shared.load_model(args, console)
    report = clip.engine_report(measure=False)
    if console.json:
        engine = report._asdict() | {"measured": [asdict(one) for one in report.measured]}
        adapted = clip.adaptation
        changed = (
            {} if adapted is None else {"adaptation": json.loads(adapted.description.to_json()) | {"mix": adapted.mix}}
        )
        console.record(json.loads(clip.contract.to_json()) | {"engine": engine} | changed)
        return OK
    table = (
        facts(clip.contract)
        | adaptation_facts(clip)
        | {"engine": f"{report.engine}, {report.precision}", "why": report.why}
    )
    for one in report.measured:
        figures = f"{one.per_second:.0f}/s, cosine {one.cosine:.5f}"
        table[f"{one.tower} {one.precision}"] = (
            figures if one.keeps_the_bound else f"{figures}, not accurate enough for auto"
        )
    if clip.engine == "openvino" and args.precision in ("auto", "int8"):
        table["to measure"] = f"contralto bench --model {shlex.quote(args.model)}"
    for name, value in table.items():
        console.line(f"{console.dim(f'{name:<12}')}  {printable(value)}")
    return OK


def adaptation_facts(clip: Clip) -> dict[str, str]:
    """The main facts of a model's adaptation as a table: name -> text; empty for a plain model."""
    if clip.adaptation is None:
        return {}
    described, base = clip.adaptation.description, clip.adaptation.base_contract
    labels, trained = described.labels or (), described.trained_on
    more = ", ..." if len(labels) > LABELS_SHOWN else ""
    rows = {
        "adaptation": f"{described.method}, mix {clip.adaptation.mix:g}",
        "base": f"{base.name} ({base.hash[:16]})",
        "classes": f"{len(labels)}: {', '.join(labels[:LABELS_SHOWN])}{more}" if labels else None,
        "fitted to": f"{trained.set}, {trained.items} items" if trained else None,
        "its licence": described.licence,
        "its origin": described.provenance,
    }
    return {name: value for name, value in rows.items() if value is not None}


def facts(contract: Contract) -> dict[str, str]:
    """The main facts of a contract as a table: name -> text."""
    image, text, score, weights = contract.image, contract.text, contract.score, contract.weights
    bias = "" if score.bias is None else f", bias {score.bias:g}"
    rows: dict[str, Any] = {
        "name": contract.name,
        "parameters": f"{parameters(contract):,}",
        "pictures": f"{image.tower.kind}, {image.size[1]} x {image.size[0]}, {image.resize} {image.interpolation}",
        "detector": _detector(contract),
        "texts": f"{text.tower.kind}, {text.tokenizer.kind}, at most {text.context} tokens, pooled by {text.pool}",
        "embedding": f"{contract.embedding} numbers",
        "score": f"{score.rule}, scale {score.scale:g}{bias}",
        "weights": f"{weights.file}, {weights.dtype}" if weights else None,
        "source": contract.provenance.source,
        "trained on": contract.provenance.trained_on,
        "from": contract.provenance.converted_from,
        "licence": contract.licence or "not stated",
        "hash": contract.hash,
    }
    return {name: value for name, value in rows.items() if value is not None}


def _detector(contract: Contract) -> str | None:
    """What the model detects by; None if it is no detector."""
    if contract.detector is None:
        return None
    objectness = " and how much it looks like a thing" if contract.detector.objectness else ""
    return f"{contract.detector.kind}: a box for each cell{objectness}; no embeddings of whole pictures"
