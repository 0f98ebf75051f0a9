"""The commands in groups, the usage lines of each command, and the parser for its arguments."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from contralto.cli.exit_codes import UsageError

HYPHEN_HELP = "After -- every argument is a name, even if it starts with a hyphen: ... -- -odd-name.jpg"


class Command(NamedTuple):
    """A one-line description, and one or several forms of usage (what follows the name)."""

    description: str
    forms: tuple[str, ...]


def _command(description: str, *forms: str) -> Command:
    return Command(description, forms)


GROUPS = {
    "describe pictures": {
        "demo": _command(
            "show CLIP at work on photographs, on a page for the browser", "[FOLDER] [--out DIR] [options]"
        ),
        "classify": _command("find the labels that fit each picture best", "PICTURE... --labels LABEL... [options]"),
        "detect": _command(
            "find where in each picture things are, with boxes",
            "PICTURE... --labels LABEL... [options]",
            "PICTURE... --like PICTURE [options]",
        ),
        "explain": _command(
            "show which places and which words speak for a text", "PICTURE... --text TEXT... [options]"
        ),
        "similarity": _command(
            "print the cosine similarity of each picture and each text", "PICTURE... --text TEXT... [options]"
        ),
    },
    "find pictures": {
        "search": _command(
            "find pictures in a folder by words, by a picture, or by both",
            "FOLDER QUERY [--not TEXT]... [options]",
            "FOLDER [QUERY] --image PICTURE [options]",
        ),
        "embed": _command(
            "turn pictures and texts into embeddings (unit vectors)",
            "[PICTURE...] [--text TEXT...] [--out FILE] [options]",
        ),
    },
    "measure": {
        "evaluate": _command(
            "measure a model on data sets: zero-shot, retrieval, probes", "MODEL SET... [options]", "--list"
        ),
        "compare": _command("compare two models on the same data sets, with paired tests", "DIR DIR [options]"),
        "score": _command(
            "score how well texts describe pictures: CLIPScore, RefCLIPScore",
            "PICTURE... --text TEXT... [--references TEXT...] [options]",
            "--pairs FILE [options]",
        ),
    },
    "make a model": {
        "adapt": _command(
            "make a model better at your own pictures, and measure whether it is", "DATA --out DIR [options]"
        ),
        "train": _command("train a model with a recipe", "RECIPE [--out DIR] [options]"),
        "convert": _command(
            "save a model in another layout: native, open_clip or transformers", "SOURCE FOLDER --to LAYOUT [options]"
        ),
    },
    "inspect models": {
        "models": _command("list the models that can be loaded by name", "[NAME] [options]"),
        "info": _command("show a model's contract and the engine that runs it", "[MODEL] [options]"),
        "doctor": _command("check that a model is complete and computes correct embeddings", "[MODEL] [options]"),
        "bench": _command("measure speed on this machine and recommend settings", "[PICTURE...] [options]"),
    },
}
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}


class Parser(argparse.ArgumentParser):
    """Parses the arguments of one command. Wrong usage raises UsageError; argparse would print and exit."""

    @classmethod
    def of(cls, name: str, description: str | None) -> Parser:
        """The parser of a command, before the command adds its options."""
        prog, forms = f"contralto {name}", COMMANDS[name].forms
        usage = "\n       ".join(f"{prog} {form}" for form in forms)
        epilog = HYPHEN_HELP if any("..." in form for form in forms) else None
        return cls(prog, usage, description, epilog, allow_abbrev=False)

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parses options and positional arguments in any order; after --, every argument is positional. Call once.

        In argparse, an option that takes a list does not end at --: the arguments after -- go to the list. So a second
        parser, which has no options, parses the positional arguments.
        """
        end = arguments.index("--") if "--" in arguments else len(arguments)
        positional = Parser(self.prog, add_help=False, prefix_chars="\0")
        for action in self._get_positional_actions():
            self._actions.remove(action)  # its help text stays
            positional._add_action(action)
        self.add_argument("words", nargs="*", help=argparse.SUPPRESS)
        args = self.parse_intermixed_args([*arguments[:end]])
        words = [*args.words, *arguments[end + 1 :]]
        del args.words
        return positional.parse_args(words, args)

    def error(self, message: str) -> NoReturn:
        hint = ""
        if message.startswith("the following arguments are required") and "--" not in message:
            hint = "; write it before the options, or after --"
        elif message.startswith("unrecognized arguments") and any(map(os.path.lexists, message.split()[2:])):
            hint = "; write a name that starts with - after --"
        raise UsageError(self.prog, message + hint)
