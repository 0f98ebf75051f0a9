"""Errors. Every expected failure raises a ContraltoError; its message is one line: what, which file, why, what to do.

ContraltoError
|-- ContractError      a malformed, inconsistent or too new contract or preset
|-- ImageError         a picture that cannot be used          (.item, .reason, .lasting)
|-- TextError          a text that cannot be used             (.item, .reason, .lasting)
|-- WeightsError       a weight file that cannot be used
|-- DataError          a training or evaluation set that cannot be read
`-- MissingExtraError  an optional dependency that is not installed
"""

from __future__ import annotations


def one_line(text: str, limit: int = 300) -> str:
    """`text` for one line of a terminal: control characters are escaped, and the length is limited."""
    text = text[: limit + 1]  # one character more than the limit; the text may have megabytes
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


class ContraltoError(Exception):
    """The base class of all errors that Contralto raises on purpose."""


class ContractError(ContraltoError):
    """A contract, preset or configuration that breaks its rules."""


class ItemError(ContraltoError):
    """One item of many failed; the others are not affected.

    lasting: whether the failure depends only on the bytes of the item, so that it may be cached. It is False if another
    try may succeed: too little memory, a failure of a disk or network, or a missing reader for the format.
    """

    def __init__(self, item: str, reason: str, lasting: bool = True) -> None:
        super().__init__(f"{one_line(item, 200)}: {reason}")
        self.item, self.reason, self.lasting = item, reason, lasting

    def __reduce__(self) -> tuple[type[ItemError], tuple[str, str, bool]]:
        return type(self), (self.item, self.reason, self.lasting)


class ImageError(ItemError):
    """A picture that cannot be decoded or exceeds the limits."""


class TextError(ItemError):
    """A text that cannot be tokenized or is too long."""


class WeightsError(ContraltoError):
    """A weight file that is damaged, unsafe or does not fit its contract."""


class DataError(ContraltoError):
    """A data set that is missing, damaged or in another layout."""


class MissingExtraError(ContraltoError):
    """An optional dependency that is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'contralto[{extra}]'")
        self.what, self.extra = what, extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), (self.what, self.extra)
