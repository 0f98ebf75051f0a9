"""Repair of a text before it is cut into tokens, as the contract's `text.clean` says.

| rule | repaired | what else | who was trained so |
|---|---|---|---|
| clip | yes | whitespace collapsed, lower case | every CLIP with OpenAI's tokenizer |
| whitespace | yes | whitespace collapsed | open_clip's models with a tokenizer of another make (CLIPA) |
| canonicalize | yes | "_" to space, ASCII punctuation dropped, lower case, whitespace collapsed | SigLIP in open_clip |
| siglip | no | lower case, ASCII punctuation dropped ("_" too), whitespace collapsed | SigLIP in transformers |
| lower | no | lower case | SigLIP 2 in transformers |
| none | no | | BERT's own (ALIGN), nano |

Repaired: broken encodings by ftfy, HTML unescaped twice, as alt texts are often escaped twice. The two rules of SigLIP
differ in "_" alone, and in texts that need repair; each is what its reference computes with.
"""

from __future__ import annotations

import html
import re
import string
from collections.abc import Sequence
from typing import Literal

from contralto.errors import TextError

Rule = Literal["clip", "whitespace", "canonicalize", "siglip", "lower", "none"]

# On these characters alone, repair and unescaping change nothing but line ends, which are whitespace anyway:
# printable ASCII without "&" (which starts an HTML entity), and the whitespace that repair leaves in place.
_PLAIN = re.compile(r"[\t\n\f\r -%'-~]*")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def clean(text: str, rule: Rule) -> str:
    """`text` as the tokenizer wants it, by the rules at the top of this file.

    Raises TextError for the one text that HTML cannot unescape: a character number of more than 4,300 digits.
    """
    if rule == "none":
        return text
    if rule == "lower":
        return text.lower()
    if rule == "siglip":
        return re.sub(r"\s+", " ", text.lower().translate(_PUNCTUATION)).strip()
    repaired = " ".join(text.split()) if _PLAIN.fullmatch(text) else repair(text)
    if rule == "canonicalize":
        return " ".join(repaired.replace("_", " ").translate(_PUNCTUATION).lower().split())
    return repaired.lower() if rule == "clip" else repaired


def are_plain(texts: Sequence[str]) -> bool:
    """Whether `words` of each, by the rule clip, are simply those of `text.lower().split()`. False if one is no str."""
    try:
        return _PLAIN.fullmatch("\n".join(texts)) is not None
    except TypeError:
        return False


def words(text: str, rule: Rule) -> list[str]:
    """The parts of `clean(text, rule)` between spaces; quicker with the plainest texts. Raises TextError as it does."""
    if rule == "clip" and _PLAIN.fullmatch(text):
        return text.lower().split()
    return clean(text, rule).split(" ")


def repair(text: str) -> str:
    """Repaired and whitespace collapsed, for any text: what `clean` does quicker with the plainest must equal it."""
    import ftfy  # ftfy takes 0.06 s to import, which most captions never need
    import regex  # type: ignore[import-untyped]

    try:
        text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    except ValueError as error:
        raise TextError(text[:60], "a character number in HTML has more than 4,300 digits") from error
    collapsed: str = regex.sub(r"\s+", " ", text)
    return collapsed.strip()
