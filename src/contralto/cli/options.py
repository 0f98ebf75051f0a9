"""What commands share: their common options, the values that options take, and the model that they name."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from contralto.errors import ContraltoError, one_line

if TYPE_CHECKING:
    from contralto.cli.console import Console
    from contralto.encoder import Clip

ENGINES = ("auto", "eager", "openvino", "compiled")
LINES = "@FILE: one a line (@@user is the text @user)"  # how `lines` reads a value
TEMPLATES = "a set's name, a template in which {} is the label, @FILE with one a line, or none"
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")


def common(parser: argparse.ArgumentParser) -> None:
    """--json, --quiet, --debug."""
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="print one JSON object a line")
    group.add_argument("--quiet", action="store_true", help="no progress and no notes")
    group.add_argument("--debug", action="store_true", help="print the traceback of an error")


def model(parser: argparse.ArgumentParser, *, decode: str | None = None) -> None:
    """The options that choose a model and how it is run; --decode, with this default, if one is given."""
    group = parser.add_argument_group("model")
    group.add_argument("--model", metavar="M", default="nano", help="a name (see contralto models), a folder or a file")
    running(group, decode=decode)


def running(
    group: argparse.ArgumentParser | argparse._ArgumentGroup, *, decode: str | None = None, precision: str = "auto"
) -> None:
    """The options for how a model is run, without the one that names it."""
    group.add_argument("--engine", metavar="E", choices=ENGINES, default="auto", help=", ".join(ENGINES))
    help = f"{', '.join(PRECISIONS)} (default: {precision})"
    group.add_argument("--precision", metavar="P", choices=PRECISIONS, default=precision, help=help)
    group.add_argument("--device", metavar="D", default="auto", help="where it is computed: auto, cpu, cuda, cuda:N")
    foreign(group)
    if decode is not None:
        help = "exact: every pixel, as in the reference; scaled: large JPEGs are decoded smaller, faster"
        group.add_argument("--decode", choices=("exact", "scaled"), default=decode, help=f"{help} (default: {decode})")


def foreign(group: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """The options for what a foreign file leaves open."""
    group.add_argument("--architecture", metavar="A", help="of a file that does not state its own, such as ViT-B-32")
    group.add_argument("--activation", metavar="X", help="of a file that does not state its own: gelu or quickgelu")
    group.add_argument("--image-size", metavar="N", type=positive, help="resize the grid of positions to N x N pixels")
    group.add_argument("--revision", metavar="R", help="of a model on the hub: a branch, tag or commit")


def load(args: argparse.Namespace, console: Console) -> Clip:
    """The model that the options name; a download shows its progress. Raises ContraltoError."""
    import contralto

    names = ("engine", "precision", "device", "decode", "architecture", "activation", "image_size", "revision")
    given: dict[str, Any] = {name: getattr(args, name, None) for name in names}
    with console.download() as progress:
        return contralto.load(
            args.model, progress=progress, **{name: value for name, value in given.items() if value is not None}
        )


def positive(text: str) -> int:
    """An argument that is a whole number of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return value


def truncate(parser: argparse.ArgumentParser) -> None:
    """--truncate, for the commands whose texts are not names."""
    parser.add_argument("--truncate", action="store_true", help="cut texts that are too long, and name them")


def lines(values: list[str]) -> list[str]:
    """Each value, or for @FILE the lines of a UTF-8 file that are not empty; @@ at the beginning stands for an @ of the
    text itself. Raises ContraltoError."""
    found: list[str] = []
    for value in values:
        if value.startswith("@@"):
            found.append(value[1:])
        else:
            found += _lines_of(value[1:]) if value.startswith("@") and len(value) > 1 else [value]
    return found


def templates(value: str) -> str | tuple[str, ...] | None:
    """The name of a set, a template of one's own, those in @FILE, or None for `none`. Raises ContraltoError.

    What holds `{}` is a template; @@ at its beginning stands for an @, as in `lines`.
    """
    if value == "none":
        return None
    if value.startswith("@@") or not value.startswith("@"):
        text = value.removeprefix("@")
        return (text,) if "{}" in text else value
    from contralto.zeroshot import prompts

    return prompts.read(value[1:])


def _lines_of(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            found = [line.strip() for line in file if line.strip()]
    except OSError as error:
        reason = f"{one_line(path, 200)}: {error.strerror or error}"
        raise ContraltoError(f"{reason} (a text that begins with @ is written with two: @@...)") from error
    except UnicodeDecodeError as error:
        raise ContraltoError(f"{path} is not UTF-8 text") from error
    if not found:
        raise ContraltoError(f"{path} holds no lines")
    return found
