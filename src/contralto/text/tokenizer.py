"""Texts to token ids for a text tower.

    tokenizer = load(contract.text, folder)
    tokenizer.tokenize(["a dog", "a cat"])      # int64 (2, context)

"<|startoftext|>" and "<|endoftext|>" inside a text become CLIP's special tokens, as in OpenAI's code, unless
punctuation precedes them directly. The text tower does not see the text after an end token.

The fast path for plain texts and the cache of words have a plain twin, tests/support/plain_bpe.py;
tests/text/test_bpe.py checks that both give the same result.
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
    """The tokenizer that a contract states. folder: holds its vocabulary file, if any.

    Raises ContractError if the vocabulary is missing or damaged, or its sha256 is not that of the contract.
    """
    stated = spec.tokenizer
    if stated.kind == "clip-bpe":
        if stated.file is not None:
            raise ContractError(f"tokenizer.file is {stated.file!r}: clip-bpe is built in, it must be null")
        _check("contralto/text/clip-bpe.bin", bpe.SHA256, stated.sha256)
        return Tokenizer(spec, bpe.clip_vocabulary())
    if stated.file is None or folder is None:
        raise ContractError(f"a {stated.kind} tokenizer needs its vocabulary: tokenizer.file next to the weights")
    path = Path(folder) / stated.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ContractError(f"{path}: {error.strerror or error}: the tokenizer's vocabulary is needed") from error
    _check(str(path), hashlib.sha256(data).hexdigest(), stated.sha256)
    vocabulary = _VOCABULARIES[stated.kind](data, str(path))
    if len(vocabulary) > spec.tower.vocabulary:
        fault = f"has {len(vocabulary)} tokens, the text tower {spec.tower.vocabulary}: it is another model's"
        raise ContractError(f"{path} {fault}")
    return Tokenizer(spec, vocabulary)


ID_DTYPE = np.dtype(np.int32)  # of token ids that are stored as bytes
ID_BYTES = ID_DTYPE.itemsize
TEXTS_PER_CHECK = 256
SHORTEN = "shorten it"  # the last words of the error for an over-long text; the command line adds its option here
_LETTER = re.compile(r"[^\W_]")  # a letter or a digit


@dataclass(frozen=True)
class TextFailure:
    """One text of a list that cannot be tokenized."""

    index: int
    error: TextError


class TokenizeResult(NamedTuple):
    """ids: int64 (N, context) of the usable texts, in order; cut: indices of truncated texts; failures: the others."""

    ids: NDArray[np.int64]
    cut: list[int]
    failures: list[TextFailure]


@dataclass(frozen=True)
class UnreadText:
    """A text with unknown words, or without any word.

    words: the unknown words, in order, each once. rest: whether the vocabulary has another word of the text; if not,
    all such texts get the same meaningless embedding.
    """

    index: int
    words: tuple[str, ...]
    rest: bool


class Vocabulary(Protocol):
    """The interface of bpe.BytePairs, wordpiece.WordPiece and foreign.ForeignVocabulary.

    by_word: whether each word between spaces can be encoded alone. unknown: id for unknown parts, None if every text is
    known; `parts` lists the parts of a text and whether each is known.
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
        self._words = WordCache(vocabulary) if vocabulary.by_word else None
        self._before = _bytes([vocabulary.start]) if spec.frame != "end" else b""
        self._after = _bytes([vocabulary.end]) if spec.frame != "start" else b""
        # Tokenizers with frame "start" replace their end token by padding, so one position stays reserved.
        self._max_tokens = spec.context - (spec.frame == "start")
        self._frame_tokens = len(self._before + self._after) // ID_BYTES
        self.room = self._max_tokens - self._frame_tokens
        """The largest number of content tokens, that is tokens without the frame, of a text that fits."""

    def tokenize(self, texts: str | Sequence[str], truncate: bool = False) -> NDArray[np.int64]:
        """int64 (N, context): the text's tokens in the contract's frame, then its pad. One str is a list of one.

        Raises TextError, naming index and beginning, for the first text that is over-long (unless `truncate`, which
        keeps the first ids, and the end token if the frame has one), not a str, or not valid Unicode.
        """
        result = self.tokenize_each(texts, truncate)
        if result.failures:
            raise result.failures[0].error
        return result.ids

    def tokenize_each(self, texts: str | Sequence[str], truncate: bool = False) -> TokenizeResult:
        """Like `tokenize`, but a text that fails is left out and reported, and truncated texts are listed."""
        rows: list[bytes] = []
        cut: list[int] = []
        failures: list[TextFailure] = []
        several = [texts] if isinstance(texts, str) else list(texts)
        max_bytes, end = self._max_tokens * ID_BYTES, self._after
        for index, row in enumerate(self._encoded_each(several)):
            if isinstance(row, bytes) and len(row) > max_bytes:
                if truncate:
                    row = row[: max_bytes - len(end)] + end
                    cut.append(index)
                else:
                    row = TextError("", f"{len(row) // ID_BYTES} tokens, the limit is {self._max_tokens}: {SHORTEN}")
            if isinstance(row, bytes):
                rows.append(row)
            else:
                failures.append(TextFailure(index, TextError(f"text {index} {_beginning(several[index])}", row.reason)))
        return TokenizeResult(self._padded(rows), cut, failures)

    def unread(self, texts: str | Sequence[str]) -> list[UnreadText]:
        """The texts with unknown words, and the texts without any word (only punctuation, spaces or nothing).

        A word has a letter, a digit or a symbol, such as an emoji. This costs little more than `tokenize`, as only
        texts with suspicious ids are examined, up to the context length. Raises TextError like `tokenize`.
        """
        several = [texts] if isinstance(texts, str) else list(texts)
        ids = self.tokenize(several, truncate=True)
        suspicious = (ids == self._padded([self._before + self._after])).all(axis=1)
        if self._vocabulary.unknown is not None:
            suspicious |= (ids == self._vocabulary.unknown).any(axis=1)
        unread = []
        for index, (text, is_suspicious) in enumerate(zip(several, suspicious.tolist(), strict=True)):
            if not is_suspicious and _LETTER.search(text):
                continue
            parts = self._vocabulary.parts(clean(_unicode(text), self._clean))
            words = [(part.strip(), known) for part, known in parts if _is_word(part)]
            unknown = dict.fromkeys(word for word, known in words if not known)
            rest = any(known for _, known in words)
            if unknown or not rest:
                unread.append(UnreadText(index, tuple(unknown), rest))
        return unread

    def _encoded_each(self, texts: list[str]) -> Iterator[bytes | TextError]:
        """The ids of each text as bytes, of any length, or its error. Many texts at a time are checked to be plain."""
        for start in range(0, len(texts), TEXTS_PER_CHECK):
            some = texts[start : start + TEXTS_PER_CHECK]
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

    def count(self, text: str) -> int:
        """The content tokens of one text of any length, without frame and padding. Raises TextError like `encode`."""
        return len(self._encoded(text)) // ID_BYTES - self._frame_tokens

    def _encoded(self, text: str) -> bytes:
        """Like `encode`, as bytes: joining bytes and converting once is ten times as fast as converting numbers."""
        text = _unicode(text)
        if self._words is None:
            return self._before + _bytes(self._vocabulary.ids(clean(text, self._clean))) + self._after
        return self._before + b"".join(map(self._words.__getitem__, words(text, self._clean))) + self._after

    def decode(self, ids: Iterable[int]) -> str:
        """The text of one sequence of ids, up to the first end token, without a leading start token.

        Lossy: lower case, a space after every word and punctuation mark. Raises TextError for an id that the vocabulary
        does not have.
        """
        row = [int(number) for number in ids]
        if wrong := [number for number in row if not 0 <= number < len(self._vocabulary)]:
            raise TextError(str(wrong[0]), f"not an id of a vocabulary of {len(self._vocabulary)}")
        for end in _ids(self._after) or [self.pad]:
            row = row[: row.index(end)] if end in row else row
        return self._vocabulary.text(row[1:] if row[:1] == _ids(self._before) else row)

    def _padded(self, rows: list[bytes]) -> NDArray[np.int64]:
        lengths = np.fromiter(map(len, rows), np.int64, len(rows)) // ID_BYTES
        ids = np.full((len(rows), self.context), self.pad, np.int64)
        ids[np.arange(self.context) < lengths[:, None]] = np.frombuffer(b"".join(rows), ID_DTYPE)
        return ids


class WordCache(dict[str, bytes]):
    """A cache: word -> ids as bytes. It needs no lock, since a race can only encode a word twice."""

    MAX_WORDS, MAX_LENGTH = 32_768, 32  # words; characters of a word. About 10 MB when full of English, at most 50 MB

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self._vocabulary = vocabulary

    def __missing__(self, word: str) -> bytes:
        ids = _bytes(self._vocabulary.ids(word))
        if len(word) <= self.MAX_LENGTH:
            if len(self) >= self.MAX_WORDS:
                self.clear()
            self[word] = ids
        return ids


def _is_word(part: str) -> bool:
    """Whether it has a letter, a digit or a symbol, not only punctuation, spaces and invisible characters."""
    return any(unicodedata.category(character)[0] in "LNS" for character in part)


def _bytes(ids: list[int]) -> bytes:
    return np.array(ids, ID_DTYPE).tobytes()


def _ids(row: bytes) -> list[int]:
    return [int(number) for number in np.frombuffer(row, ID_DTYPE)]


def _unicode(text: str) -> str:
    """`text` with surrogate pairs (from UTF-16 systems) joined. Raises TextError for a lone surrogate."""
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


_VOCABULARIES: dict[str, Callable[[bytes, str], Vocabulary]] = {
    "wordpiece": WordPiece,
    "tokenizers": foreign.from_json,
    "sentencepiece": foreign.from_sentencepiece,
}


def _check(source: str, actual: str, stated: str) -> None:
    if actual != stated:
        raise ContractError(f"{source} has sha256 {actual}, the contract states {stated}: it is another vocabulary")
