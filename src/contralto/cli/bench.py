"""What a model makes on this machine, how far that is from what the machine could make, and what to use it with.

Each precision is measured, then batches, and the preparation of pictures and texts. With pictures of your own, int8 is
fitted to them instead of to drawn ones, from then on.
"""

from __future__ import annotations

import argparse

from contralto.cli import options as shared
from contralto.cli import pictures
from contralto.cli.console import Console
from contralto.cli.outcome import FAILED, OK, PARTLY
from contralto.encoder.bench import Throughput, throughputs
from contralto.engine.machine import instructions

MOST = 64  # pictures that int8 is fitted to


def options(parser: argparse.ArgumentParser) -> None:
    """What `contralto bench` takes."""
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help="fit int8 to these, or to those of a folder")
    shared.model(parser)
    shared.common(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a line a figure, as it is found."""
    clip = shared.load(args, console)
    files, unusable = pictures.named(args.pictures)
    for lost in unusable:
        console.failed(lost.path, lost.reason)
    if unusable and not files:
        return FAILED
    if files or (args.engine in ("auto", "openvino") and args.precision in ("auto", "int8")):
        clip.calibrate([file.path for file in files[:MOST]] or None)
    if not console.json:
        console.line(f"{clip.contract.name}; processor: {' '.join(instructions()) or 'unknown'}")
        console.line(console.dim(f"{'':52}{'of the peak':>30}"))
    for one in throughputs(clip):
        fraction = one.fraction
        if console.json:
            rounded = {"value": round(one.value, 2), "unit": one.unit, "peak": one.peak and round(one.peak, 2)}
            peers = {name: round(value, 2) for name, value in one.peers.items()}
            console.record({"what": one.what, **rounded, "fraction": fraction and round(fraction, 3), "peers": peers})
        else:
            console.line(_line(one, fraction))
        console.flush()
    return PARTLY if unusable else OK


def _line(one: Throughput, fraction: float | None) -> str:
    share = f"{fraction:.0%}" if fraction else ""
    peers = "; ".join(f"{name}: {value:.1f}, ratio {one.value / value:.1f}" for name, value in one.peers.items())
    return f"{one.what:52}{one.value:12.1f} {one.unit:12}{share:>5}   {peers}".rstrip()
