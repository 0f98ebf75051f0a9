"""One embedding for a text that is longer than the context, from the embeddings of its parts (`text/parts.py`).

| way | the embedding of an over-long text |
|---|---|
| truncate | that of its beginning: the first tokens, and the end token (`encoder/texts.py`) |
| sentences | the sum of its parts of whole sentences, each times its content tokens, made unit |
| window | sum softmax(10 r.m) r, made unit: r are the embeddings of overlapping windows, m is their mean, made unit |
| compress | that of the sentences nearest to the whole: as many as fit, in their old order |
| learned | what the model's own pooler makes of its parts of whole sentences (`encoder/pooler.py`) |

A text that fits has its ordinary embedding in every way. All parts of all texts of a call go to the engine together
with the texts that fit, equal parts once; compress needs a second, shorter call.

tests/encoder/test_overlong.py recomputes each way from the definitions, one text at a time.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from contralto import arguments
from contralto.embeddings import Embeddings, unit
from contralto.encoder.options import Encoded, OnError
from contralto.errors import ContraltoError
from contralto.inputs import Failure
from contralto.text.parts import TextPart, sentence_parts, sentences, window_parts
from contralto.text.tokenizer import Tokenizer

Ids = NDArray[np.int64]

WAYS: Final = ("error", "truncate", "sentences", "window", "compress")
LEARNED: Final = "learned"  # only for a model with a pooler
WHOLE: Final = ("error", "truncate")  # the ways that need no parts
SHARPNESS: Final = 10.0  # of the softmax over windows
TOLD: Final = {
    "sentences": "the mean of its parts of whole sentences",
    "window": "pooled over overlapping windows",
    "compress": "encoded by its sentences nearest to the whole",
    "learned": "pooled over its parts by the model's pooler",
}


class Pooler(Protocol):
    """Pools the parts of one text: their unit embeddings (P, d) and content tokens int64 (P,), in the order of the text
    -> a unit embedding (d,).
    """

    def __call__(self, rows: Embeddings, tokens: NDArray[np.int64], /) -> Embeddings: ...


def way(overlong: object, truncate: object, pooler: Pooler | None, model: str) -> str:
    """The way that the two arguments of `Clip.encode_text` ask for.

    Raises ContraltoError if they contradict each other, or for "learned" without a pooler; model: its name.
    """
    arguments.one_of(overlong, "overlong", (*WAYS, LEARNED))
    if arguments.flag(truncate, "truncate"):
        if overlong not in WHOLE:
            raise ContraltoError(f"truncate=True means overlong='truncate', but overlong={overlong!r} is given too")
        return "truncate"
    if overlong == LEARNED and pooler is None:
        advice = "train one with contralto adapt CAPTIONS --method long, or take overlong='sentences'"
        raise ContraltoError(f"{model} has no pooler, which overlong='learned' needs: {advice}")
    return str(overlong)


def encode(
    tokenizer: Tokenizer,
    run: Callable[[Ids], Embeddings],
    texts: Sequence[Any],
    way: str,
    on_error: OnError,
    pooler: Pooler | None = None,
) -> Encoded:
    """(unit embeddings (N, d) of the usable texts in order, the failures). way: one that needs parts.

    run: ids (M, context) -> unit embeddings (M, d). A UserWarning says how many texts did not fit and what was done;
    its stack level is that of the caller of the public method. Raises TextError with on_error="raise".
    """
    ids, too_long, failed = tokenizer.tokenize_each(list(texts), truncate=True)
    if failed and on_error == "raise":
        raise failed[0].error
    failures = [Failure.of(failure.index, texts[failure.index], failure.error) for failure in failed]
    usable = np.delete(np.arange(len(texts)), [failure.index for failure in failures])
    is_long = np.isin(usable, too_long)
    parted = [_Parted(texts[index], way, tokenizer) for index in too_long]
    short, row_of = _run(tokenizer, run, [piece for one in parted for piece in one.pieces], ids[~is_long])
    if way == "compress":
        nearest = [one.compressed(row_of, tokenizer) for one in parted]
        row_of |= _run(tokenizer, run, nearest, ids[:0])[1] if nearest else {}
        pooled = [row_of[text] for text in nearest]
    else:
        pooled = [one.pooled(row_of, way, pooler) for one in parted]
    embeddings = np.empty((len(usable), short.shape[1]), np.float32)
    embeddings[~is_long] = short
    embeddings[is_long] = np.reshape(pooled, (-1, short.shape[1]))
    if parted:
        cut = sum(part.cut for one in parted for part in one.parts)
        warnings.warn(_told(len(parted), len(usable), tokenizer.context, way, cut), UserWarning, stacklevel=3)
    return embeddings, failures


def pool_sentences(rows: Embeddings, tokens: NDArray[np.int64]) -> Embeddings:
    """Unit rows (P, d) with content tokens (P,) -> their sum, each times its tokens, made unit: (d,)."""
    return unit(tokens.astype(np.float64) @ rows.astype(np.float64))


def pool_windows(rows: Embeddings) -> Embeddings:
    """Unit rows r (P, d) -> the unit sum of softmax(10 r.m) r: (d,), where m is the mean row, made unit."""
    wide = rows.astype(np.float64)
    logits = SHARPNESS * (wide @ unit(wide.mean(axis=0)))
    return unit(np.exp(logits - logits.max()) @ wide)


class _Parted:
    """An over-long text, its parts, and for "compress" its sentences that fit."""

    def __init__(self, text: str, way: str, tokenizer: Tokenizer) -> None:
        self.text = text
        self.parts: list[TextPart] = (window_parts if way == "window" else sentence_parts)(text, tokenizer)
        self.tokens = np.array([part.tokens for part in self.parts], np.int64)
        several = sentences(text) if way == "compress" else []
        self.sentences = [one for one in several if tokenizer.count(one) <= tokenizer.room]

    @property
    def pieces(self) -> list[str]:
        return [*(part.text for part in self.parts), *self.sentences]

    def pooled(self, row_of: Mapping[str, Embeddings], way: str, pooler: Pooler | None = None) -> Embeddings:
        """The embedding (d,) of the text, from those of its parts."""
        rows = np.stack([row_of[part.text] for part in self.parts])
        if way == "window":
            return pool_windows(rows)
        return pooler(rows, self.tokens) if way == LEARNED and pooler else pool_sentences(rows, self.tokens)

    def compressed(self, row_of: Mapping[str, Embeddings], tokenizer: Tokenizer) -> str:
        """The sentences nearest to the whole, as many as fit, joined by spaces; the text itself if none fits.

        Sentences are tried in falling order of their cosine with the whole; of equal ones the earlier first.
        """
        whole = self.pooled(row_of, "sentences").astype(np.float64)
        cosines = [float((row_of[one] * whole).sum()) for one in self.sentences]
        taken: list[int] = []
        for place in sorted(range(len(cosines)), key=lambda place: -cosines[place]):
            candidate = sorted([*taken, place])
            if tokenizer.count(" ".join(self.sentences[i] for i in candidate)) <= tokenizer.room:
                taken = candidate
        return " ".join(self.sentences[place] for place in taken) or self.text


def _run(
    tokenizer: Tokenizer, run: Callable[[Ids], Embeddings], pieces: Sequence[str], ids: Ids
) -> tuple[Embeddings, dict[str, Embeddings]]:
    """The embeddings of the ids, and of each distinct piece, from one call."""
    distinct = list(dict.fromkeys(pieces))
    rows = run(np.concatenate([ids, tokenizer.tokenize(distinct, truncate=True)]))
    return rows[: len(ids)], dict(zip(distinct, rows[len(ids) :], strict=True))


def _told(long: int, total: int, context: int, way: str, cut: int) -> str:
    """What the warning says."""
    verb = "does" if long == 1 else "do"
    words = f"; {cut} {'word' if cut == 1 else 'words'} longer than the context lost their end" if cut else ""
    return f"{long} of {total} texts {verb} not fit {context} tokens: each is {TOLD[way]}{words}"
