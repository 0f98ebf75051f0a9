"""Repair of a text before it is cut into tokens, as the contract's `text.clean` says.

The rule "clip" is what every CLIP trained with OpenAI's tokenizer has seen: broken encodings repaired, HTML unescaped
twice (alt texts are often escaped twice), whitespace collapsed, lower case.
"""

from __future__ import annotations

import html
import re
from typing import Literal

from contralto.errors import TextError

Rule = Literal["clip", "none"]

# On these characters alone, repair and unescaping change nothing but line ends, which are whitespace anyway:
# printable ASCII without "&" (which starts an HTML entity), and the whitespace that repair leaves in place.
_PLAIN = re.compile(r"[\t\n\f\r -%'-~]*")


def clean(text: str, rule: Rule) -> str:
    """`text` as the tokenizer wants it. Rule "none" changes nothing; "clip" is described at the top of this file.

    Raises TextError for the one text that HTML cannot unescape: a character number of more than 4,300 digits.
    """
    if rule == "none":
        return text
    if _PLAIN.fullmatch(text):
        return " ".join(text.split()).lower()
    return repair(text)


def repair(text: str) -> str:
    """The rule "clip" to the letter, for any text: `clean` must equal it, only faster."""
    import ftfy  # ftfy takes 0.06 s to import, which most captions never need
    import regex  # type: ignore[import-untyped]

    try:
        text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    except ValueError as error:
        raise TextError(text[:60], "a character number in HTML has more than 4,300 digits") from error
    collapsed: str = regex.sub(r"\s+", " ", text)
    return collapsed.strip().lower()
