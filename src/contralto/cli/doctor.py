"""Proves that a model is whole and gives what it should: its contract, then one line for each check."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from contralto.cli import options as shared
from contralto.cli.console import Console, shown
from contralto.cli.info import facts
from contralto.cli.outcome import FAILED, OK
from contralto.errors import ContraltoError

if TYPE_CHECKING:
    from contralto.encoder.doctor import Check


def options(parser: argparse.ArgumentParser) -> None:
    """What `contralto doctor` takes."""
    parser.add_argument("name", nargs="?", metavar="MODEL", help="instead of --model")
    shared.model(parser)
    shared.common(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints {"check", "ok", "detail"} for each check, or a table. 1 if any failed, or the model cannot be loaded."""
    from contralto.encoder.doctor import CHECKS, Check, examine

    args.model = args.name or args.model
    if args.precision == "auto":
        args.precision = "fp32"  # the reference's own: what is proven is exactness
    try:
        clip = shared.load(args, console)
    except ContraltoError as error:
        if not console.json:
            raise
        _tell(console, Check("load", False, str(error)))
        return FAILED
    if not console.json:
        for name, value in facts(clip.contract).items():
            console.line(f"{console.dim(f'{name:<12}')}  {shown(value)}")
        console.line()
    found = []
    with console.progress("checking", len(CHECKS)) as advance:
        for check in examine(clip):
            found.append(check)
            advance()
    for check in found:
        _tell(console, check)
    return OK if all(check.ok for check in found) else FAILED


def _tell(console: Console, check: Check) -> None:
    if console.json:
        console.record({"check": check.name, "ok": check.ok, "detail": check.detail})
    else:
        mark = "ok    " if check.ok else console.bold("FAILED")
        console.line(f"{mark}  {check.name:<10}  {shown(check.detail)}")
