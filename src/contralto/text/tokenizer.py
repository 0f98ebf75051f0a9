"""Texts to the ids that a text tower reads.

    tokenizer = load(contract.text, folder)
    tokenizer.tokenize(["a dog", "a cat"])      # int64 (2, context)

CLIP's markers "<|startoftext|>" and "<|endoftext|>" inside a text are the special tokens, as in OpenAI's code, unless
punctuation stands right before them; the text tower does not see what follows an end token.
"""

from __future__ import annotations

import hashlib
import re
import reprlib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from contralto import contract
from contralto.errors import ContractError, TextError
from contralto.text import bpe, foreign
from contralto.text.clean import are_plain, clean, words
from contralto.text.wordpiece import WordPiece


def load(spec: contract.Text, folder: str | Path | None = None) -> Tokenizer:
    """The tokenizer that a contract states; `folder` holds its vocabulary file if it has one of its own.

    Raises ContractError if the vocabulary is missing, damaged or not the one whose sha256 the contract gives.
    """
    stated = spec.tokenizer
    if stated.kind == "clip-bpe":
        if stated.file is not None:
            raise ContractError(f"tokenizer.file is {stated.file!r}: clip-bpe is built in, it must be null")
        _check("contralto/text/clip-bpe.bin", bpe.SHA256, stated.sha256)
        return Tokenizer(spec, bpe.shipped())
    if stated.file is None or folder is None:
        raise ContractError(f"a {stated.kind} tokenizer needs its vocabulary: tokenizer.file beside the weights")
    path = Path(folder) / stated.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ContractError(f"{path}: {error.strerror or error}: the tokenizer's vocabulary is needed") from error
    _check(str(path), hashlib.sha256(data).hexdigest(), stated.sha256)
    vocabulary = _READERS[stated.kind](data, str(path))
    if len(vocabulary) > spec.tower.vocabulary:
        fault = f"has {len(vocabulary)} tokens, the text tower {spec.tower.vocabulary}: it is another model's"
        raise ContractError(f"{path} {fault}")
    return Tokenizer(spec, vocabulary)


ID = np.dtype(np.int32)  # of a token in a row of bytes
WIDTH = ID.itemsize
TEXTS_AT_ONCE = 256
SHORTEN = "shorten it"  # ends the reason of a text that is too long: all that can be done wherever texts are taken
_LETTER = re.compile(r"[^\W_]")  # or a digit


@dataclass(frozen=True)
class Failure:
    """One text of many that has no row."""

    index: int
    error: TextError


class Tokenized(NamedTuple):
    """Rows of the texts that could be used, in order; indices of those that were cut; those that failed."""

    ids: NDArray[np.int64]
    cut: list[int]
    failures: list[Failure]


@dataclass(frozen=True)
class Unread:
    """A text that is not read whole. words: what the vocabulary lacks, in order, each once; none if the text has no
    word at all. rest: whether it knows another word of the text; else all such texts get the same meaningless row."""

    index: int
    words: tuple[str, ...]
    rest: bool


class Vocabulary(Protocol):
    """What bpe.BytePairs, wordpiece.WordPiece and foreign.Foreign have in common.

    by_word: the ids of a text are those of its parts between spaces, so that words may be looked up one by one.
    unknown: id of what stands for parts that the vocabulary lacks, None if it lacks none; `parts` tells which they are.
    """

    @property
    def by_word(self) -> bool: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def unknown(self) -> int | None: ...
    def __len__(self) -> int: ...
    def ids(self, text: str) -> list[int]: ...
    def parts(self, text: str) -> list[tuple[str, bool]]: ...
    def text(self, ids: Iterable[int]) -> str: ...


class Tokenizer:
    """Cleaning, vocabulary and framing together. Safe to share between threads and across fork."""

    def __init__(self, spec: contract.Text, vocabulary: Vocabulary) -> None:
        self.context, self.pad = spec.context, spec.pad
        self._clean = spec.clean
        self._vocabulary = vocabulary
        self._words = _Words(vocabulary) if vocabulary.by_word else None
        self._before = _bytes([vocabulary.start]) if spec.frame != "end" else b""
        self._after = _bytes([vocabulary.end]) if spec.frame != "start" else b""
        # Frame "start" comes from tokenizers whose end token is then made padding: its place stays.
        self._most = spec.context - (spec.frame == "start")

    def tokenize(self, texts: str | Sequence[str], truncate: bool = False) -> NDArray[np.int64]:
        """int64 (N, context): the text's tokens in the contract's frame, then its pad. One str is a list of one.

        Raises TextError, naming index and beginning, for the first text that is over-long (unless `truncate`, which
        keeps the first ids, and the end token if the frame has one), not a str, or not valid Unicode.
        """
        result = self.tokenize_each(texts, truncate)
        if result.failures:
            raise result.failures[0].error
        return result.ids

    def tokenize_each(self, texts: str | Sequence[str], truncate: bool = False) -> Tokenized:
        """As `tokenize`, but a text that fails costs only its own row, and the texts that were cut are named."""
        rows: list[bytes] = []
        cut: list[int] = []
        failures: list[Failure] = []
        several = [texts] if isinstance(texts, str) else list(texts)
        most, end = self._most * WIDTH, self._after
        for index, row in enumerate(self._encoded_each(several)):
            if isinstance(row, bytes) and len(row) > most:
                if truncate:
                    row = row[: most - len(end)] + end
                    cut.append(index)
                else:
                    row = TextError("", f"{len(row) // WIDTH} tokens, the limit is {self._most}: {SHORTEN}")
            if isinstance(row, bytes):
                rows.append(row)
            else:
                failures.append(Failure(index, TextError(f"text {index} {_beginning(several[index])}", row.reason)))
        return Tokenized(self._padded(rows), cut, failures)

    def unread(self, texts: str | Sequence[str]) -> list[Unread]:
        """The texts with a word that the vocabulary lacks, and those without any word: only marks, spaces or nothing.

        A word has a letter, a digit or a symbol, such as an emoji. It costs little more than `tokenize`, as only texts
        whose ids are suspicious are looked into; what lies behind the context is not. Raises TextError as that does.
        """
        several = [texts] if isinstance(texts, str) else list(texts)
        ids = self.tokenize(several, truncate=True)
        suspicious = (ids == self._padded([self._before + self._after])).all(axis=1)
        if self._vocabulary.unknown is not None:
            suspicious |= (ids == self._vocabulary.unknown).any(axis=1)
        found = []
        for index, (text, is_suspicious) in enumerate(zip(several, suspicious.tolist(), strict=True)):
            if not is_suspicious and _LETTER.search(text):
                continue
            parts = self._vocabulary.parts(clean(_unicode(text), self._clean))
            words = [(part.strip(), known) for part, known in parts if _is_word(part)]
            lacked, rest = dict.fromkeys(word for word, known in words if not known), any(known for _, known in words)
            if lacked or not rest:
                found.append(Unread(index, tuple(lacked), rest))
        return found

    def _encoded_each(self, texts: list[str]) -> Iterator[bytes | TextError]:
        """Rows in bytes, of any length, or why there is none. Plain texts are known as such many at a time."""
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            some = texts[start : start + TEXTS_AT_ONCE]
            if self._words is not None and self._clean == "clip" and are_plain(some):
                find = self._words.__getitem__
                for text in some:
                    yield self._before + b"".join(map(find, text.lower().split())) + self._after
                continue
            for text in some:
                try:
                    yield self._encoded(text)
                except TextError as error:
                    yield error

    def encode(self, text: str) -> list[int]:
        """Ids of one text in its frame, of any length. Raises TextError if it is not valid Unicode."""
        return _ids(self._encoded(text))

    def _encoded(self, text: str) -> bytes:
        """The same in bytes: what is joined and put into an array at once costs a tenth of numbers one by one."""
        text = _unicode(text)
        if self._words is None:
            return self._before + _bytes(self._vocabulary.ids(clean(text, self._clean))) + self._after
        return self._before + b"".join(map(self._words.__getitem__, words(text, self._clean))) + self._after

    def decode(self, ids: Iterable[int]) -> str:
        """The text of one row, as the vocabulary spells it: up to the first end token, without a leading start token.

        Lossy: lower case, a space after every word and mark. Raises TextError for an id outside the vocabulary.
        """
        row = [int(number) for number in ids]
        if wrong := [number for number in row if not 0 <= number < len(self._vocabulary)]:
            raise TextError(str(wrong[0]), f"not an id of a vocabulary of {len(self._vocabulary)}")
        for end in _ids(self._after) or [self.pad]:
            row = row[: row.index(end)] if end in row else row
        return self._vocabulary.text(row[1:] if row[:1] == _ids(self._before) else row)

    def _padded(self, rows: list[bytes]) -> NDArray[np.int64]:
        lengths = np.fromiter(map(len, rows), np.int64, len(rows)) // WIDTH
        ids = np.full((len(rows), self.context), self.pad, np.int64)
        ids[np.arange(self.context) < lengths[:, None]] = np.frombuffer(b"".join(rows), ID)
        return ids


class _Words(dict[str, bytes]):
    """Ids, as bytes, of the words seen lately. Needs no lock: the worst that a race does is to encode a word twice."""

    MOST, LONGEST = 32_768, 32  # words, characters: some 10 MB when full of English, 50 MB at the very worst

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self._vocabulary = vocabulary

    def __missing__(self, word: str) -> bytes:
        ids = _bytes(self._vocabulary.ids(word))
        if len(word) <= self.LONGEST:
            if len(self) >= self.MOST:
                self.clear()
            self[word] = ids
        return ids


def _is_word(part: str) -> bool:
    """Whether it has a letter, a digit or a symbol; the rest are marks, spaces and what is not seen."""
    return any(unicodedata.category(character)[0] in "LNS" for character in part)


def _bytes(ids: list[int]) -> bytes:
    return np.array(ids, ID).tobytes()


def _ids(row: bytes) -> list[int]:
    return [int(number) for number in np.frombuffer(row, ID)]


def _unicode(text: str) -> str:
    """`text`, with surrogate pairs joined, which UTF-16 systems leave behind. Raises TextError for a lone surrogate."""
    if not isinstance(text, str):
        raise TextError(_beginning(text), f"a text must be a str, not {type(text).__name__}")
    if text.isascii():
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise TextError(_beginning(text), "holds half of a surrogate pair, so it is not valid Unicode") from error


def _beginning(text: object) -> str:
    if not isinstance(text, str):
        return reprlib.repr(text)
    return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'


_READERS: dict[str, Callable[[bytes, str], Vocabulary]] = {
    "wordpiece": WordPiece,
    "tokenizers": foreign.from_json,
    "sentencepiece": foreign.from_sentencepiece,
}


def _check(source: str, found: str, stated: str) -> None:
    if found != stated:
        raise ContractError(f"{source} has sha256 {found}, the contract states {stated}: it is another vocabulary")
