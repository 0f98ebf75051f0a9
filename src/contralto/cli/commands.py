"""The commands, in groups by what one wants; the usage of each, as it can be typed; and how its words are read."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from contralto.cli.outcome import Usage

ODD_NAMES = "Whatever follows -- is a name, also if it begins with a hyphen: ... -- -odd-name.jpg"


class Command(NamedTuple):
    """What it is for, in a line, and what follows its name: one form or several."""

    what: str
    forms: tuple[str, ...]


def _command(what: str, *forms: str) -> Command:
    return Command(what, forms)


GROUPS = {
    "look at pictures": {
        "demo": _command("see CLIP work on photographs, in a page for the browser", "[FOLDER] [--out DIR] [options]"),
        "classify": _command("the labels that fit pictures best", "PICTURE... --labels LABEL... [options]"),
        "similarity": _command("the cosine of each picture with each text", "PICTURE... --text TEXT... [options]"),
    },
    "find pictures": {
        "search": _command(
            "find the pictures of a folder by words, by a picture, or both",
            "FOLDER QUERY [--not TEXT]... [options]",
            "FOLDER [QUERY] --image PICTURE [options]",
        ),
        "embed": _command("pictures and texts as unit rows", "[PICTURE...] [--text TEXT...] [--out FILE] [options]"),
    },
    "measure": {
        "evaluate": _command(
            "measure a model on sets: zero-shot, retrieval, probes, with intervals", "MODEL SET... [options]", "--list"
        ),
        "compare": _command("two models measured on the same sets, with paired tests", "DIR DIR [options]"),
        "score": _command(
            "how well texts describe pictures: CLIPScore and RefCLIPScore",
            "PICTURE... --text TEXT... [--references TEXT...] [options]",
            "--pairs FILE [options]",
        ),
    },
    "make a model": {
        "train": _command("train a model by a recipe", "RECIPE [--out DIR] [options]"),
        "convert": _command(
            "write a model in another layout: native, open_clip or transformers", "SOURCE FOLDER --to LAYOUT [options]"
        ),
    },
    "about models": {
        "models": _command("the models that can be loaded", "[NAME] [options]"),
        "info": _command("a model's contract: what it is made of and how it is to be used", "[MODEL] [options]"),
        "doctor": _command("prove that a model is whole and gives what it should", "[MODEL] [options]"),
        "bench": _command("what a model makes on this machine, and what to use it with", "[PICTURE...] [options]"),
    },
}
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}


class Parser(argparse.ArgumentParser):
    """Reads one command's arguments. Wrong usage is raised as an exception instead of several lines on stderr."""

    @classmethod
    def of(cls, name: str, description: str | None) -> Parser:
        """The parser of a command, without its options."""
        prog, forms = f"contralto {name}", COMMANDS[name].forms
        usage = "\n       ".join(f"{prog} {form}" for form in forms)
        epilog = ODD_NAMES if any("..." in form for form in forms) else None
        return cls(prog, usage, description, epilog, allow_abbrev=False)

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Options and words may be mixed; whatever follows -- is a word, never an option. To be called once.

        An option that takes a list ends at -- too, which argparse would not let it do: there, what follows has to look
        like words, and goes to the list. So the words are read apart, by a parser that knows no options.
        """
        end = arguments.index("--") if "--" in arguments else len(arguments)
        words = Parser(self.prog, add_help=False, prefix_chars="\0")
        for action in self._get_positional_actions():
            self._actions.remove(action)  # its help stays
            words._add_action(action)
        self.add_argument("words", nargs="*", help=argparse.SUPPRESS)
        found = self.parse_intermixed_args([*arguments[:end]])
        given = [*found.words, *arguments[end + 1 :]]
        del found.words
        return words.parse_args(given, found)

    def error(self, message: str) -> NoReturn:
        hint = ""
        if message.startswith("the following arguments are required") and "--" not in message:
            hint = "; it stands before the options, or after --"
        elif message.startswith("unrecognized arguments") and any(map(os.path.lexists, message.split()[2:])):
            hint = "; a name that begins with - stands after --"
        raise Usage(self.prog, message + hint)
