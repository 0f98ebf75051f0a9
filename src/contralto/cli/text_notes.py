"""Notes about texts that the model cannot use as given: too long, cut, or with unknown words."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from contralto.cli.console import Console, printable
from contralto.errors import TextError

if TYPE_CHECKING:
    from contralto.encoder import Clip

MAX_QUOTED_TEXTS = 5


@contextlib.contextmanager
def length_notes(console: Console) -> Iterator[None]:
    """Encode texts inside this block. Texts that do not fit become a note; their error names the options that help."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        except TextError as error:
            raise TextError(error.item, with_length_hint(error.reason)) from error
    for warning in caught:
        console.note(str(warning.message))


def with_length_hint(reason: str) -> str:
    """The reason why a text failed; if it is too long, with the options that help."""
    from contralto.text.tokenizer import SHORTEN

    hint = ", cut it with --truncate, or read all of it with --overlong sentences"
    return f"{reason}{hint}" if reason.endswith(SHORTEN) else reason


def note_unknown_words(console: Console, clip: Clip, texts: Iterable[str]) -> None:
    """Writes one note on texts without any known word, and one note on unknown words in other texts.

    The model returns an embedding for such texts too, but the embedding has no meaning.
    """
    unique = list(dict.fromkeys(texts))
    unread = clip.unread(unique)
    unreadable = [unique[one.index] for one in unread if not one.rest]
    if unreadable:
        console.note(f"{clip.contract.name} knows no word of {_quoted(unreadable)}: the results have no meaning")
    words = dict.fromkeys(word for one in unread if one.rest for word in one.words)
    if words:
        console.note(f"{clip.contract.name} does not know {_quoted(words)}: it uses only the other words")


def _quoted(texts: Iterable[str]) -> str:
    quoted = [f"'{printable(text)}'" for text in texts]
    more = f" and {len(quoted) - MAX_QUOTED_TEXTS} more" if len(quoted) > MAX_QUOTED_TEXTS else ""
    return ", ".join(quoted[:MAX_QUOTED_TEXTS]) + more
