"""Prompt templates: texts in which `{}` stands for a class name, in named sets or of the user's own."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable
from importlib import resources

from contralto.encoder.items import texts
from contralto.errors import ContraltoError, DataError, one_line
from contralto.files import text_of

PLACE = "{}"
PLAIN = (PLACE,)
FUNCTION = "a template is a string with {} for the class name, got a function: give [t('{}') for t in templates]"


def templates(chosen: str | Iterable[str] | None) -> tuple[str, ...]:
    """The templates of a set by its name (see `names`), a list of one's own, or None: the bare class name.

    Each template must hold `{}` at least once. Articles are as the template has them: none is ever chosen for a label.
    Raises ContraltoError for an unknown name and for a template without `{}`. (Functions, as open_clip has them, are
    templates once they are called with "{}".)
    """
    if chosen is None:
        return PLAIN
    if callable(chosen):
        raise ContraltoError(f"templates: {FUNCTION}")
    if not isinstance(chosen, str):
        return _checked(texts(chosen, "templates")[1], "templates")
    if PLACE in chosen:
        raise ContraltoError(f"templates: {one_line(chosen, 80)!r} is one template: give a list, [{chosen!r}]")
    if chosen not in names():
        close = difflib.get_close_matches(chosen, names(), n=3) or names()
        raise ContraltoError(f"no set of templates is called {one_line(chosen, 80)!r} (there are: {', '.join(close)})")
    file = resources.files("contralto.zeroshot") / "templates" / f"{chosen}.json"
    return tuple(json.loads(file.read_text(encoding="utf-8"))["templates"])


def names() -> list[str]:
    """Names of the sets that Contralto carries, sorted: `imagenet`, `imagenet-7`, `photo`, `satellite`, `art`, `text`,
    and those that the paper used for its other data sets, under the data set's name (`food101`, `eurosat`, ...)."""
    folder = resources.files("contralto.zeroshot") / "templates"
    return sorted(file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json"))


def read(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The templates in a UTF-8 file: a JSON list of strings, or one a line (empty lines are passed over).

    Raises DataError if the file cannot be read, ContraltoError if a line has no `{}`.
    """
    where = one_line(os.fspath(path), 200)
    text = text_of(path, "templates file")
    if not text.lstrip().startswith("["):
        return _checked((line.strip() for line in text.splitlines() if line.strip()), f"templates file {where}")
    try:
        return _checked(json.loads(text), f"templates file {where}")
    except (ValueError, RecursionError) as error:
        raise DataError(f"templates file {where} is not a JSON list: {error}") from error


def fill(templates: Iterable[str], name: str) -> list[str]:
    """Each template with the class name in place of `{}`; braces within the name stay as they are."""
    return [template.replace(PLACE, name) for template in templates]


def _checked(given: Iterable[str], where: str) -> tuple[str, ...]:
    checked = tuple(given)
    if not checked:
        raise ContraltoError(f"{where}: there is no template")
    for template in checked:
        if callable(template):
            raise ContraltoError(f"{where}: {FUNCTION}")
        if not isinstance(template, str):
            raise ContraltoError(f"{where}: a template is a string, got {type(template).__name__}")
        if PLACE not in template:
            raise ContraltoError(f"{where}: {one_line(template, 80)!r} has no {{}} for the class name")
    return checked
