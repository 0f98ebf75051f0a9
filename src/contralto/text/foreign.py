"""Vocabularies of other makes, in the files that come with a checkpoint: tokenizer.json, and SentencePiece's .model.

Both are run by the package tokenizers, one text at a time, which starts no thread. Of a file only the vocabulary and
its rules are used: how a text is framed, padded and cut is the contract's business, and what the file says of it is
left aside. A SentencePiece model is a protocol buffer (sentencepiece_model.proto of its project), of which the pieces
and five settings are read; only the unigram kind is (SigLIP's).
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

LARGEST = 2**26  # bytes of a file; the largest published, Gemma's tokenizer.json, has half of it

# What the tokens around a text are called, where the file's own post-processor does not tell.
STARTS, ENDS = ("<s>", "<bos>", "[CLS]"), ("</s>", "<eos>", "[SEP]")

SPACE = "▁"  # what SentencePiece writes for one

# Kinds of SentencePiece's pieces, and the one kind of model that is read.
NORMAL, UNKNOWN, USER_DEFINED, BYTE = 1, 2, 4, 6
UNIGRAM = 1


class Foreign:
    """A vocabulary in the package tokenizers. Never changes once made; safe between threads and across fork."""

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
        return self._found(self._start, "start")

    @property
    def end(self) -> int:
        """Id of the token after a text. Raises ContractError if there is none."""
        return self._found(self._end, "end")

    @functools.cached_property
    def unknown(self) -> int | None:
        """Id of the token for what the vocabulary lacks; None if there is none."""
        model = self._tokenizer.model
        if (name := getattr(model, "unk_token", None)) is not None:
            return self._named((name,))
        state: int | None = json.loads(model.__getstate__()).get("unk_id")  # the unigram kind tells it nowhere else
        return state

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def ids(self, text: str) -> list[int]:
        """Ids of a text, nothing around it."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def parts(self, text: str) -> list[tuple[str, bool]]:
        """What stands in `text` for each token, and whether there is one for it; nothing for the mark of a space."""
        found = self._tokenizer.encode(text, add_special_tokens=False)
        places = zip(found.ids, found.tokens, found.offsets, strict=True)
        return [(text[a:b] if token.strip(SPACE) else "", number != self.unknown) for number, token, (a, b) in places]

    def text(self, ids: Iterable[int]) -> str:
        """What the ids spell."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))

    def _around(self) -> tuple[int | None, int | None]:
        """Start and end by the file's post-processor, else by their usual names."""
        plain, framed = (self._tokenizer.encode("a", add_special_tokens=one).ids for one in (False, True))
        before, after = (framed[:1], framed[-1:]) if len(framed) == len(plain) + 2 else ([], [])
        if len(framed) == len(plain) + 1:
            before, after = ([], framed[-1:]) if framed[:-1] == plain else (framed[:1], [])
        return before[0] if before else self._named(STARTS), after[0] if after else self._named(ENDS)

    def _named(self, names: tuple[str, ...]) -> int | None:
        return next((number for name in names if (number := self._tokenizer.token_to_id(name)) is not None), None)

    def _found(self, number: int | None, which: str) -> int:
        if number is None:
            raise ContractError(f"{self._source} has no {which} token, which the contract puts around a text")
        return number


def from_json(data: bytes, source: str) -> Foreign:
    """The vocabulary of a tokenizer.json. Raises ContractError, naming `source`."""
    from tokenizers import Tokenizer

    _bounded(data, source)
    try:
        return Foreign(Tokenizer.from_str(data.decode()), source)
    except ContractError:
        raise
    except Exception as error:  # the package raises no other kind
        raise ContractError(f"{source} is no tokenizer.json: {one_line(str(error), 120)}") from error


def from_sentencepiece(data: bytes, source: str) -> Foreign:
    """The vocabulary of a SentencePiece model of the unigram kind. Raises ContractError, naming `source`."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    _bounded(data, source)
    try:
        pieces, settings = _model(data)
        if settings["kind"] != UNIGRAM:
            raise ContractError(f"{source} is not of the unigram kind: put the tokenizer.json of the model beside it")
        unknown = next(number for number, (_, _, kind) in enumerate(pieces) if kind == UNKNOWN)
        # SentencePiece finds only these in a text; the others, such as </s>, are set where the program says.
        found = (NORMAL, USER_DEFINED, BYTE)
        vocabulary = [(piece if kind in found else f"\0{piece}", score) for piece, score, kind in pieces]
        tokenizer = Tokenizer(models.Unigram(vocabulary, unknown, bool(settings["bytes"])))
        steps: list[Any] = [normalizers.Precompiled(settings["map"])] if settings["map"] else []
        if settings["strip"]:
            steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
        tokenizer.normalizer = normalizers.Sequence(steps)
        scheme = "always" if settings["prefix"] else "never"
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
        tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
        vocabulary_of = Foreign(tokenizer, source)
    except ContractError:
        raise
    except Exception as error:  # a damaged buffer, or what the package makes of it
        raise ContractError(f"{source} is no SentencePiece model: {one_line(str(error), 120)}") from error
    names = {piece: number for number, (piece, _, _) in enumerate(pieces)}
    vocabulary_of._start = next((names[name] for name in STARTS if name in names), None)
    vocabulary_of._end = next((names[name] for name in ENDS if name in names), None)
    return vocabulary_of


def _model(data: bytes) -> tuple[list[tuple[str, float, int]], dict[str, Any]]:
    """(piece, score, kind) in the order of their ids; the settings."""
    pieces: list[tuple[str, float, int]] = []
    settings: dict[str, Any] = {"kind": UNIGRAM, "bytes": 0, "map": b"", "prefix": 1, "strip": 1}
    for field, value in _fields(data):
        if field == 1:
            given = dict(_fields(value))
            pieces.append((given[1].decode(), given.get(2, 0.0), given.get(3, NORMAL)))
        elif field == 2:  # how it was trained
            given = dict(_fields(value))
            settings |= {"kind": given.get(3, UNIGRAM), "bytes": given.get(35, 0)}
        elif field == 3:  # how a text is normalised
            given = dict(_fields(value))
            settings |= {"map": given.get(2, b""), "prefix": given.get(3, 1), "strip": given.get(4, 1)}
    if not pieces:
        raise ValueError("it holds no pieces")
    return pieces, settings


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer: numbers, floats of 32 bits, and bytes."""
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
    if len(data) > LARGEST:
        raise ContractError(f"{source} has {len(data)} bytes, which is no vocabulary (limit {LARGEST})")
