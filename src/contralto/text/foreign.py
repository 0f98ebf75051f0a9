"""Vocabularies in the files of foreign checkpoints: tokenizer.json, and SentencePiece's .model.

The package tokenizers runs both, one text at a time, so that it starts no thread. Only the vocabulary and its rules are
used: the contract decides frame, padding and truncation, and these settings of the file are ignored. A SentencePiece
model is a protocol buffer (sentencepiece_model.proto). Its pieces and five settings are read; only the unigram kind
(SigLIP's) is supported.
"""

from __future__ import annotations

import functools
import json
import struct
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from contralto.errors import ContractError, one_line

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_FILE_BYTES = 2**26  # the largest published file, Gemma's tokenizer.json, has half of it

# Usual names of the tokens around a text, if the file's post-processor does not state them.
START_NAMES, END_NAMES = ("<s>", "<bos>", "[CLS]"), ("</s>", "<eos>", "[SEP]")

SPACE_MARK = "▁"  # SentencePiece's character for a space

# Kinds of pieces in SentencePiece, and the only supported kind of model.
NORMAL, UNKNOWN, USER_DEFINED, BYTE = 1, 2, 4, 6
UNIGRAM = 1


class ForeignVocabulary:
    """An immutable vocabulary, run by the package tokenizers. Safe to share between threads and across fork."""

    by_word = False  # a space may be part of a token

    def __init__(self, tokenizer: Tokenizer, source: str) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokenizer.encode_special_tokens = False
        self._tokenizer, self._source = tokenizer, source
        self._start, self._end = self._around()

    @property
    def start(self) -> int:
        """Id of the token before a text. Raises ContractError if there is none."""
        return self._required(self._start, "start")

    @property
    def end(self) -> int:
        """Id of the token after a text. Raises ContractError if there is none."""
        return self._required(self._end, "end")

    @functools.cached_property
    def unknown(self) -> int | None:
        """Id of the token for unknown parts; None if the vocabulary has no such token."""
        model = self._tokenizer.model
        if (name := getattr(model, "unk_token", None)) is not None:
            return self._first_id((name,))
        state: int | None = json.loads(model.__getstate__()).get("unk_id")  # for the unigram kind it is only here
        return state

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def ids(self, text: str) -> list[int]:
        """Token ids of a text, without a frame."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def parts(self, text: str) -> list[tuple[str, bool]]:
        """The part of `text` for each token, and whether it is known; "" for the mark of a space."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        tokens = zip(encoding.ids, encoding.tokens, encoding.offsets, strict=True)
        return [(text[a:b] if token.strip(SPACE_MARK) else "", id_ != self.unknown) for id_, token, (a, b) in tokens]

    def text(self, ids: Iterable[int]) -> str:
        """The text of the ids."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))

    def _around(self) -> tuple[int | None, int | None]:
        """Ids of the start and end token, by the file's post-processor, else by their usual names."""
        plain, framed = (self._tokenizer.encode("a", add_special_tokens=one).ids for one in (False, True))
        before, after = (framed[:1], framed[-1:]) if len(framed) == len(plain) + 2 else ([], [])
        if len(framed) == len(plain) + 1:
            before, after = ([], framed[-1:]) if framed[:-1] == plain else (framed[:1], [])
        return before[0] if before else self._first_id(START_NAMES), after[0] if after else self._first_id(END_NAMES)

    def _first_id(self, names: tuple[str, ...]) -> int | None:
        return next((number for name in names if (number := self._tokenizer.token_to_id(name)) is not None), None)

    def _required(self, number: int | None, which: str) -> int:
        if number is None:
            raise ContractError(f"{self._source} has no {which} token, which the contract puts around a text")
        return number


def from_json(data: bytes, source: str) -> ForeignVocabulary:
    """The vocabulary of a tokenizer.json. Raises ContractError, naming `source`."""
    from tokenizers import Tokenizer

    _bounded(data, source)
    try:
        return ForeignVocabulary(Tokenizer.from_str(data.decode()), source)
    except ContractError:
        raise
    except Exception as error:  # the package raises plain Exception
        raise ContractError(f"{source} is no tokenizer.json: {one_line(str(error), 120)}") from error


def from_sentencepiece(data: bytes, source: str) -> ForeignVocabulary:
    """The vocabulary of a SentencePiece model of the unigram kind. Raises ContractError, naming `source`."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    _bounded(data, source)
    try:
        pieces, settings = _model(data)
        if settings["kind"] != UNIGRAM:
            raise ContractError(f"{source} is not of the unigram kind: put the tokenizer.json of the model next to it")
        unknown = next(number for number, (_, _, kind) in enumerate(pieces) if kind == UNKNOWN)
        # SentencePiece matches only these in a text; other pieces, such as </s>, are added by the program.
        matched = (NORMAL, USER_DEFINED, BYTE)
        vocabulary = [(piece if kind in matched else f"\0{piece}", score) for piece, score, kind in pieces]
        tokenizer = Tokenizer(models.Unigram(vocabulary, unknown, bool(settings["bytes"])))
        steps: list[Any] = [normalizers.Precompiled(settings["charsmap"])] if settings["charsmap"] else []
        if settings["strip"]:
            steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
        tokenizer.normalizer = normalizers.Sequence(steps)
        scheme = "always" if settings["prefix"] else "never"
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
        tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
        result = ForeignVocabulary(tokenizer, source)
    except ContractError:
        raise
    except Exception as error:  # a damaged buffer, here or in the package
        raise ContractError(f"{source} is no SentencePiece model: {one_line(str(error), 120)}") from error
    names = {piece: number for number, (piece, _, _) in enumerate(pieces)}
    result._start = next((names[name] for name in START_NAMES if name in names), None)
    result._end = next((names[name] for name in END_NAMES if name in names), None)
    return result


def _model(data: bytes) -> tuple[list[tuple[str, float, int]], dict[str, Any]]:
    """The pieces (piece, score, kind) in the order of their ids, and the settings."""
    pieces: list[tuple[str, float, int]] = []
    settings: dict[str, Any] = {"kind": UNIGRAM, "bytes": 0, "charsmap": b"", "prefix": 1, "strip": 1}
    for field, value in _fields(data):
        if field == 1:
            given = dict(_fields(value))
            pieces.append((given[1].decode(), given.get(2, 0.0), given.get(3, NORMAL)))
        elif field == 2:  # trainer settings
            given = dict(_fields(value))
            settings |= {"kind": given.get(3, UNIGRAM), "bytes": given.get(35, 0)}
        elif field == 3:  # normaliser settings
            given = dict(_fields(value))
            settings |= {"charsmap": given.get(2, b""), "prefix": given.get(3, 1), "strip": given.get(4, 1)}
    if not pieces:
        raise ValueError("it holds no pieces")
    return pieces, settings


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer: integers, 32-bit floats, and bytes."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        if kind == 0:
            value, place = _varint(data, place)
            yield key >> 3, value
        elif kind == 5:
            yield key >> 3, struct.unpack_from("<f", data, place)[0]
            place += 4
        elif kind in (1, 2):
            size, place = (8, place) if kind == 1 else _varint(data, place)
            if size > len(data) - place:
                raise ValueError("it is cut off")
            yield key >> 3, data[place : place + size]
            place += size
        else:
            raise ValueError(f"field {key >> 3} is of an unknown kind")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
        if shift > 63:
            raise ValueError("a number has more than 64 bits")


def _bounded(data: bytes, source: str) -> None:
    if len(data) > MAX_FILE_BYTES:
        raise ContractError(f"{source} has {len(data)} bytes, which is no vocabulary (limit {MAX_FILE_BYTES})")
