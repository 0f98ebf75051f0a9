"""The WordPiece encoding of uncased BERT, after Devlin et al. 2018 and Google's published code.

Control characters, accents and case are removed; punctuation marks and CJK characters become separate words. Each word
is split greedily into the longest pieces in the vocabulary; all pieces but the first have a leading "##".

The vocabulary is BERT's `vocab.txt`: UTF-8, one token per line; its line number (from 0) is its id. The special tokens
[CLS] and [SEP] frame a text; inside a text they are ordinary words and punctuation. The plain twin is transformers'
plain implementation; tests/text/test_wordpiece.py checks that both give the same result.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from contralto.errors import ContractError

LONGEST_WORD = 100  # characters; a longer one is [UNK], as in BERT


class WordPiece:
    """An immutable WordPiece vocabulary."""

    by_word = True

    def __init__(self, vocabulary: bytes, source: str) -> None:
        """vocabulary: the bytes of a vocab.txt; source: its name in error messages. Raises ContractError."""
        try:
            tokens = vocabulary.decode("utf-8").replace("\r\n", "\n").removesuffix("\n").split("\n")
        except UnicodeDecodeError as error:
            raise ContractError(f"{source} is not a WordPiece vocabulary: {error}") from error
        self._tokens = tokens
        self._ids = {token: number for number, token in enumerate(tokens)}
        missing = [token for token in ("[UNK]", "[CLS]", "[SEP]") if token not in self._ids]
        if missing:
            raise ContractError(f"{source} is not a WordPiece vocabulary: it has no {', '.join(missing)}")
        self.start, self.end, self.unknown = (self._ids[token] for token in ("[CLS]", "[SEP]", "[UNK]"))

    def __len__(self) -> int:
        return len(self._tokens)

    def ids(self, text: str) -> list[int]:
        """Token ids of `text`."""
        return [number for word in words(text) for number in self._pieces(word)]

    def parts(self, text: str) -> list[tuple[str, bool]]:
        """The words and punctuation marks of `text`, and whether each is known."""
        return [(word, self._pieces(word) != [self.unknown]) for word in words(text)]

    def text(self, ids: Iterable[int]) -> str:
        """The text of `ids`: pieces of a word joined, words separated by one space."""
        return " ".join(self._tokens[number] for number in ids).replace(" ##", "")

    def _pieces(self, word: str) -> list[int]:
        if len(word) > LONGEST_WORD:
            return [self.unknown]
        pieces: list[int] = []
        begin = 0
        while begin < len(word):
            prefix = "##" if begin else ""
            for end in range(len(word), begin, -1):
                if (number := self._ids.get(prefix + word[begin:end])) is not None:
                    break
            else:
                return [self.unknown]
            pieces.append(number)
            begin = end
        return pieces


def words(text: str) -> list[str]:
    """Lower-case words and single punctuation marks of `text`, without accents and control characters."""
    visible = "".join(_visible(character) for character in text)
    plain = unicodedata.normalize("NFD", visible.lower())
    return "".join(_unaccented(character) for character in plain).split()


def _visible(character: str) -> str:
    if character in "\t\n\r":
        return " "
    if character == "\ufffd" or unicodedata.category(character).startswith("C"):
        return ""
    return f" {character} " if _is_cjk(ord(character)) else character


def _unaccented(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Mn":
        return ""
    # Every ASCII character but letters, digits and space counts as punctuation, also "$", "+" and "`".
    separate = category.startswith("P") or ("!" <= character <= "~" and not character.isalnum())
    return f" {character} " if separate else character


def _is_cjk(code: int) -> bool:
    """Whether a character is an ideograph, which is written without spaces. Kana and Hangul are not."""
    return (
        0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or 0x20000 <= code <= 0x2A6DF
        or 0x2A700 <= code <= 0x2CEAF
        or 0xF900 <= code <= 0xFAFF
        or 0x2F800 <= code <= 0x2FA1F
    )
