"""Shared by the commands: common options, readers of option values, and loading the model that the options name."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from contralto.engine_names import ENGINES, PRECISIONS
from contralto.errors import ContraltoError, DataError

if TYPE_CHECKING:
    from contralto.cli.console import Console
    from contralto.encoder import Clip

TEXTS_HELP = "@FILE: one per line (@@user is the text @user)"  # the syntax that `read_texts` accepts
OVERLONG_WAYS = ("error", "truncate", "sentences", "window", "compress", "learned")
TEMPLATES_HELP = "the name of a template set, a template with {} for the label, @FILE with one per line, or none"


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Adds --json, --quiet, --debug."""
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="print one JSON object per line")
    group.add_argument("--quiet", action="store_true", help="show no progress and no notes")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")


def add_model_options(parser: argparse.ArgumentParser, *, decode: str | None = None) -> None:
    """Adds the options that choose a model and how it runs; --decode only if its default is given here."""
    group = parser.add_argument_group("model")
    help = "name (see contralto models), folder or file of a model (default: nano)"
    group.add_argument("--model", metavar="M", default="nano", help=help)
    add_engine_options(group, decode=decode)


def add_engine_options(
    group: argparse.ArgumentParser | argparse._ArgumentGroup, *, decode: str | None = None, precision: str = "auto"
) -> None:
    """Adds the options for how a model runs, without the option that names the model."""
    group.add_argument("--engine", metavar="E", choices=ENGINES, default="auto", help=", ".join(ENGINES))
    help = f"{', '.join(PRECISIONS)} (default: {precision})"
    group.add_argument("--precision", metavar="P", choices=PRECISIONS, default=precision, help=help)
    group.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda or cuda:N")
    add_adaptation_options(group)
    add_foreign_options(group)
    if decode is not None:
        help = "exact decodes every pixel, as the reference does; scaled decodes large JPEGs at a smaller size, faster"
        group.add_argument("--decode", choices=("exact", "scaled"), default=decode, help=f"{help} (default: {decode})")


def add_adaptation_options(group: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Adds the options for a model that is the folder of an adaptation."""
    help = "the model that an adaptation was made for, if its folder does not name it or it moved"
    group.add_argument("--base", metavar="M", help=help)
    help = "how much of an adaptation counts, from 0 (its base) to 1 (default: 1)"
    group.add_argument("--mix", metavar="X", type=share, help=help)


def add_foreign_options(group: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Adds the options for facts that a file of another library may not state."""
    help = "architecture of a file that does not state it, for example ViT-B-32"
    group.add_argument("--architecture", metavar="A", help=help)
    help = "activation of a file that does not state it: gelu or quickgelu"
    group.add_argument("--activation", metavar="X", help=help)
    help = "resize the position embeddings for pictures of N x N pixels"
    group.add_argument("--image-size", metavar="N", type=positive_int, help=help)
    group.add_argument("--revision", metavar="R", help="branch, tag or commit of a model on the hub")


def load_model(args: argparse.Namespace, console: Console) -> Clip:
    """Loads the model that the options name, and shows the progress of a download. Raises ContraltoError."""
    import contralto

    names = ("base", "mix", "engine", "precision", "device", "decode", "architecture", "activation", "image_size")
    given: dict[str, Any] = {name: getattr(args, name, None) for name in (*names, "revision")}
    with console.download() as progress:
        return contralto.load(
            args.model, progress=progress, **{name: value for name, value in given.items() if value is not None}
        )


def positive_int(text: str) -> int:
    """The value of an argument that must be a whole number of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return value


def share(text: str) -> float:
    """The value of an argument that must be a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:  # also refuses NaN
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, got {text!r}")
    return value


def add_overlong_options(parser: argparse.ArgumentParser) -> None:
    """Adds --overlong and its short form --truncate, for commands whose texts are not class names."""
    group = parser.add_mutually_exclusive_group()
    add_overlong_option(group, default="error")  # first: the first default of a destination counts
    help = "cut texts that are too long, with a note: --overlong truncate"
    group.add_argument("--truncate", action="store_const", const="truncate", dest="overlong", help=help)


def add_overlong_option(group: argparse._ActionsContainer, *, default: str | None) -> None:
    """Adds --overlong alone."""
    help = f"what to do with texts longer than the model's context: {', '.join(OVERLONG_WAYS)} (default: error)"
    if default is None:
        help = "what to do with captions and prompts longer than the context (default: truncate captions)"
    group.add_argument("--overlong", metavar="HOW", choices=OVERLONG_WAYS, default=default, help=help)


def read_texts(values: list[str]) -> list[str]:
    """Each value as a text; `@FILE` gives the non-empty lines of a UTF-8 file. Raises ContraltoError.

    `@@user` gives the text `@user`.
    """
    texts: list[str] = []
    for value in values:
        if value.startswith("@@"):
            texts.append(value[1:])
        else:
            texts += _lines(value[1:]) if value.startswith("@") and len(value) > 1 else [value]
    return texts


def read_templates(value: str) -> str | tuple[str, ...] | None:
    """The name of a template set, one template, the templates in @FILE, or None for `none`. Raises ContraltoError.

    A value with `{}` is a template. `@@` at its start stands for one `@`, as in `read_texts`.
    """
    if value == "none":
        return None
    if value.startswith("@@") or not value.startswith("@"):
        text = value.removeprefix("@")
        return (text,) if "{}" in text else value
    from contralto.zeroshot import prompts

    return prompts.read(value[1:])


def _lines(path: str) -> list[str]:
    from contralto.files import text_of

    try:
        lines = [line.strip() for line in text_of(path, "text file").split("\n") if line.strip()]
    except DataError as error:
        if isinstance(error.__cause__, OSError):
            raise ContraltoError(f"{error} (to write a text that starts with @, double it: @@...)") from error
        raise
    if not lines:
        raise ContraltoError(f"text file {path} has no lines")
    return lines
