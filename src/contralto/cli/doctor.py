"""Checks that a model is complete and computes correct embeddings: prints its contract, then one line per check."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from contralto.cli import options as shared
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import FAILED, OK
from contralto.cli.info import adaptation_facts, facts
from contralto.errors import ContraltoError

if TYPE_CHECKING:
    from contralto.encoder.doctor import Check


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto doctor`."""
    parser.add_argument("name", nargs="?", metavar="MODEL", help="the same as --model")
    shared.add_model_options(parser)
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints {"check", "ok", "detail"} for each check, or a table.

    Returns 1 if a check failed or the model cannot be loaded.
    """
    from contralto.encoder.doctor import CHECKS, Check, examine

    args.model = args.name or args.model
    if args.precision == "auto":
        args.precision = "fp32"  # the precision of the readable model, because the checks test exactness
    try:
        clip = shared.load_model(args, console)
    except ContraltoError as error:
        if not console.json:
            raise
        _show(console, Check("load", False, str(error)))
        return FAILED
    if not console.json:
        for name, value in (facts(clip.contract) | adaptation_facts(clip)).items():
            console.line(f"{console.dim(f'{name:<12}')}  {printable(value)}")
        console.line()
    checks = []
    with console.progress("checking", len(CHECKS)) as advance:
        for check in examine(clip):
            checks.append(check)
            advance()
    for check in checks:
        _show(console, check)
    return OK if all(check.ok for check in checks) else FAILED


def _show(console: Console, check: Check) -> None:
    if console.json:
        console.record({"check": check.name, "ok": check.ok, "detail": check.detail})
    else:
        mark = "ok    " if check.ok else console.bold("FAILED")
        console.line(f"{mark}  {check.name:<10}  {printable(check.detail)}")
