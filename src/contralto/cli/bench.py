"""Measures the speed of a model on this machine, compares it with the machine's peak, and recommends settings.

The measurement covers each precision, batch sizes, and the preparation of pictures and texts. If you give pictures of
your own, int8 is calibrated with them instead of drawn pictures, also for later runs.
"""

from __future__ import annotations

import argparse

from contralto.cli import options as shared
from contralto.cli import picture_inputs
from contralto.cli.console import Console
from contralto.cli.exit_codes import FAILED, OK, PARTLY
from contralto.encoder.bench import Throughput, throughputs
from contralto.engine.machine import instructions

MAX_CALIBRATION_PICTURES = 64


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto bench`."""
    parser.add_argument(
        "pictures", nargs="*", metavar="PICTURE", help="pictures or folders for the calibration of int8"
    )
    shared.add_model_options(parser)
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints one line per figure, as soon as it is measured."""
    clip = shared.load_model(args, console)
    files, unusable = picture_inputs.list_pictures(args.pictures)
    for failure in unusable:
        console.failure(failure.path, failure.reason)
    if unusable and not files:
        return FAILED
    if files or (args.engine in ("auto", "openvino") and args.precision in ("auto", "int8")):
        clip.calibrate([file.path for file in files[:MAX_CALIBRATION_PICTURES]] or None)
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
