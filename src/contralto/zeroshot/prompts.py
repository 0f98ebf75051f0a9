"""Prompt templates: texts in which `{}` stands for a class name, from named sets, lists or files."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable
from importlib import resources

from contralto.errors import ContraltoError, DataError, one_line
from contralto.files import text_of
from contralto.inputs import texts

PLACE = "{}"
PLAIN = (PLACE,)
FUNCTION = "a template is a string with {} for the class name, got a function: give [t('{}') for t in templates]"


def templates(chosen: str | Iterable[str] | None) -> tuple[str, ...]:
    """The templates that `chosen` stands for: the name of a set (see `names`), a list, or None for the bare class name.

    Each template must contain `{}` at least once. Articles stay as the template has them, whatever the label. Raises
    ContraltoError for an unknown name and for a template without `{}`. (open_clip's templates are functions; called
    with "{}", they give such a text.)
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
        raise ContraltoError(f"no set of templates is called {one_line(chosen, 80)!r} (available: {', '.join(close)})")
    file = resources.files("contralto.zeroshot") / "templates" / f"{chosen}.json"
    return tuple(json.loads(file.read_text(encoding="utf-8"))["templates"])


def names() -> list[str]:
    """Names of the included template sets, sorted: `imagenet`, `imagenet-7`, `photo`, `satellite`, `art`, `text`, and
    the paper's sets for other data sets, each under the name of its data set (`food101`, `eurosat`, ...)."""
    folder = resources.files("contralto.zeroshot") / "templates"
    return sorted(file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json"))


def read(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The templates in a UTF-8 file: a JSON list of strings, or one per line (empty lines are skipped).

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
    """Each template with the class name in place of `{}`; braces in the name stay unchanged."""
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
