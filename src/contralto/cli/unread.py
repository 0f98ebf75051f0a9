"""A note on texts that the model cannot read: it answers them like any other, and the answers mean nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from contralto.cli.console import Console, shown

if TYPE_CHECKING:
    from contralto.encoder import Clip

NAMED = 5  # texts


def note_unread(console: Console, clip: Clip, texts: Iterable[str]) -> None:
    """One note on the texts that hold no word which the model knows, and one on words that it does not know."""
    several = list(dict.fromkeys(texts))
    found = clip.unread(several)
    blind = [several[one.index] for one in found if not one.rest]
    if blind:
        console.note(f"{clip.contract.name} knows no word of {_listed(blind)}: what it answers means nothing")
    words = dict.fromkeys(word for one in found if one.rest for word in one.words)
    if words:
        console.note(f"{clip.contract.name} does not know {_listed(words)}: it reads the other words alone")


def _listed(texts: Iterable[str]) -> str:
    several = [f"'{shown(text)}'" for text in texts]
    more = f" and {len(several) - NAMED} more" if len(several) > NAMED else ""
    return ", ".join(several[:NAMED]) + more
