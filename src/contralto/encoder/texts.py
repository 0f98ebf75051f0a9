"""Texts to token ids for a Clip: failures are reported one by one, and truncation causes a warning."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contralto import arguments
from contralto.encoder.options import OnError
from contralto.errors import one_line
from contralto.inputs import Failure
from contralto.text.tokenizer import Tokenizer

NAMED = 5  # truncated texts that the warning names


def tokenize(
    tokenizer: Tokenizer, texts: list[Any], truncate: bool, on_error: OnError
) -> tuple[NDArray[np.int64], list[Failure]]:
    """(ids (N, context) of the usable texts, the failures). Raises TextError with on_error="raise".

    A UserWarning names truncated texts. Its stack level is that of the caller of the public method.
    """
    ids, cut, failed = tokenizer.tokenize_each(texts, arguments.flag(truncate, "truncate"))
    if failed and on_error == "raise":
        raise failed[0].error
    if cut:
        named = ", ".join(f"text {index} ({one_line(texts[index], 40)!r})" for index in cut[:NAMED])
        more = f" and {len(cut) - NAMED} more" if len(cut) > NAMED else ""
        warnings.warn(f"cut to {tokenizer.context} tokens: {named}{more}", UserWarning, stacklevel=3)
    return ids, [Failure.of(failure.index, texts[failure.index], failure.error) for failure in failed]


def too_long(tokenizer: Tokenizer, texts: list[Any]) -> list[int]:
    """Indices of the texts that are longer than the context. Raises TextError."""
    _, cut, failed = tokenizer.tokenize_each(texts, truncate=True)
    if failed:
        raise failed[0].error
    return cut
