"""Cleans a text before it is split into tokens, by the rule of the contract's `text.clean`.

| rule | repaired | further steps | trained with it |
|---|---|---|---|
| clip | yes | whitespace collapsed, lower case | every CLIP with OpenAI's tokenizer |
| whitespace | yes | whitespace collapsed | open_clip's models with another tokenizer (CLIPA) |
| canonicalize | yes | "_" to space, ASCII punctuation dropped, lower case, whitespace collapsed | SigLIP in open_clip |
| siglip | no | lower case, ASCII punctuation dropped ("_" too), whitespace collapsed | SigLIP in transformers |
| lower | no | lower case | SigLIP 2 in transformers |
| none | no | | BERT's own (ALIGN), nano |

Repaired: ftfy fixes broken encodings; HTML is unescaped twice, as alt texts are often escaped twice. The two rules of
SigLIP differ in "_" and in texts that need repair; each matches the code of its library.

Plain texts take a fast path. The plain twin is `repair`; tests/text/test_clean.py checks that both give the same
result.
"""

from __future__ import annotations

import html
import re
import string
from collections.abc import Sequence
from typing import Literal, assert_never

from contralto.errors import TextError

Rule = Literal["clip", "whitespace", "canonicalize", "siglip", "lower", "none"]

# Repair and unescaping change nothing in these characters except line ends, which are whitespace: printable ASCII
# without "&" (it starts an HTML entity), and whitespace that repair keeps.
_PLAIN = re.compile(r"[\t\n\f\r -%'-~]*")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def clean(text: str, rule: Rule) -> str:
    """Cleans `text` for the tokenizer, by the rules in the module's docstring.

    Raises TextError if `text` has an HTML character number of more than 4,300 digits, which cannot be unescaped.
    """
    match rule:
        case "clip":
            return _repaired(text).lower()
        case "whitespace":
            return _repaired(text)
        case "canonicalize":
            return " ".join(_repaired(text).replace("_", " ").translate(_PUNCTUATION).lower().split())
        case "siglip":
            return re.sub(r"\s+", " ", text.lower().translate(_PUNCTUATION)).strip()
        case "lower":
            return text.lower()
        case "none":
            return text
        case _ as unknown:
            assert_never(unknown)


def are_plain(texts: Sequence[str]) -> bool:
    """Whether `text.lower().split()` gives the words of each text by the rule "clip". False if one is not a str."""
    try:
        return _PLAIN.fullmatch("\n".join(texts)) is not None
    except TypeError:
        return False


def words(text: str, rule: Rule) -> list[str]:
    """The parts of `clean(text, rule)` between spaces, faster for plain texts. Raises TextError like `clean`."""
    if rule == "clip" and _PLAIN.fullmatch(text):
        return text.lower().split()
    return clean(text, rule).split(" ")


def _repaired(text: str) -> str:
    return " ".join(text.split()) if _PLAIN.fullmatch(text) else repair(text)


def repair(text: str) -> str:
    """Repairs any text and collapses whitespace. For plain texts `clean` has a faster path with the same result."""
    import ftfy  # importing ftfy takes 0.06 s, and most captions do not need it
    import regex  # type: ignore[import-untyped]

    try:
        text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    except ValueError as error:
        raise TextError(text[:60], "a character number in HTML has more than 4,300 digits") from error
    collapsed: str = regex.sub(r"\s+", " ", text)
    return collapsed.strip()
