"""Every foreseeable failure is a ContraltoError whose message is one line: what, which file, why, what to do.

ContraltoError
|-- ContractError      a contract or preset that is malformed, inconsistent or of a newer version
|-- ImageError         a picture that cannot be used          (.item, .reason)
|-- TextError          a text that cannot be used             (.item, .reason)
|-- WeightsError       a weight file that cannot be used
|-- DataError          a training or evaluation set that cannot be read
`-- MissingExtraError  an optional dependency that is not installed
"""

from __future__ import annotations


def one_line(text: str, limit: int = 300) -> str:
    """`text` with control characters escaped and its length bounded, fit for one line of a terminal."""
    text = text[: limit + 1]  # one more than is shown, of what may be megabytes
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


class ContraltoError(Exception):
    """Base of all errors that Contralto raises on purpose."""


class ContractError(ContraltoError):
    """A contract, preset or configuration that breaks its rules."""


class ItemError(ContraltoError):
    """One item of many failed; the others are not affected.

    lasting: whether the bytes of the item alone decide this, so that it may be remembered. It is False where another
    try may succeed: memory was short, a disk or a network failed, the reader of a format is not installed.
    """

    def __init__(self, item: str, reason: str, lasting: bool = True) -> None:
        super().__init__(f"{one_line(item, 200)}: {reason}")
        self.item, self.reason, self.lasting = item, reason, lasting

    def __reduce__(self) -> tuple[type[ItemError], tuple[str, str, bool]]:
        return type(self), (self.item, self.reason, self.lasting)


class ImageError(ItemError):
    """A picture that cannot be decoded or is outside the limits."""


class TextError(ItemError):
    """A text that cannot be turned into tokens, or is too long."""


class WeightsError(ContraltoError):
    """A weight file that is damaged, unsafe or does not fit its contract."""


class DataError(ContraltoError):
    """A data set that is missing, damaged or laid out differently."""


class MissingExtraError(ContraltoError):
    """An optional dependency is absent."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'contralto[{extra}]'")
        self.what, self.extra = what, extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), (self.what, self.extra)
