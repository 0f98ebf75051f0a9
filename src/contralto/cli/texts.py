"""What becomes of texts that are too long: cut and named where --truncate asks for it, else told with that way out."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

from contralto.cli.console import Console
from contralto.errors import TextError


@contextlib.contextmanager
def lengths_told(console: Console, *, truncate: bool) -> Iterator[None]:
    """Within it texts are encoded. Those that are cut come as notes; the error of one that is too long is `advised`."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        except TextError as error:
            raise TextError(error.item, advised(error.reason, truncate=truncate)) from error
    for warning in caught:
        console.note(str(warning.message))


def advised(reason: str, *, truncate: bool) -> str:
    """The reason why a text could not be used, with the option that would help."""
    from contralto.text.tokenizer import SHORTEN

    return f"{reason}, or cut it with --truncate" if reason.endswith(SHORTEN) and not truncate else reason
