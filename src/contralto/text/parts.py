"""Cuts a text that is longer than the context into parts that fit: runs of whole sentences, or overlapping windows.

A part is a piece of the text as it was given, from the first character of a word to the last one of a word, and is
encoded as a text of its own. Words are separated by whitespace. A sentence ends with a word that ends with ".", "!" or
"?", and at a line's end, so an abbreviation ends one too early, which only makes a sentence shorter. A text without
whitespace, such as one in Chinese, is a single word.

Whether a piece fits is decided by the tokenizer's count for that very piece, because some vocabularies and cleaning
rules give a piece fewer or more tokens than its words alone. The sums of the words' counts only say where to look.
`plain_sentences` and `plain_windows` in tests/support/plain_parts.py are the plain twin, which tries word after word.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass
from itertools import accumulate

from contralto.text.tokenizer import Tokenizer

_WORD = re.compile(r"\S+")
_LINE_END = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")  # where str.splitlines splits
_SENTENCE_ENDS = (".", "!", "?")


@dataclass(frozen=True)
class TextPart:
    """A piece of a text. tokens: its content tokens within the context. cut: it is one word that is too long, whose
    end the tower does not see.
    """

    text: str
    tokens: int
    cut: bool = False


def sentences(text: str) -> list[str]:
    """The sentences of a text, as pieces of it, without the whitespace between them."""
    spans = [match.span() for match in _WORD.finditer(text)]
    starts = [0, *(stops := _sentence_stops(text, spans))]
    return [text[spans[first][0] : spans[stop - 1][1]] for first, stop in zip(starts, stops, strict=False)]


def sentence_parts(text: str, tokenizer: Tokenizer) -> list[TextPart]:
    """Whole sentences, as many as fit, greedily from the first.

    A sentence that alone is too long is cut at words into parts of its own, as many words as fit; a word that alone is
    too long loses its end. Raises TextError.
    """
    words = _Words(text, tokenizer)
    stops = _sentence_stops(text, words.spans)
    parts: list[TextPart] = []
    first = 0
    while first < len(words.spans):
        following = bisect.bisect_right(stops, first)  # the sentence that begins at `first`
        last = bisect.bisect_right(stops, words.reach(first)) - 1
        while last > following and not words.fits(first, stops[last]):
            last -= 1
        if last >= following and words.fits(first, stops[last]):
            parts.append(words.part(first, stops[last]))
            first = stops[last]
            continue
        while first < stops[following]:
            stop = min(words.reach(first), stops[following])
            parts.append(words.part(first, stop))
            first = stop
    return parts


def window_parts(text: str, tokenizer: Tokenizer) -> list[TextPart]:
    """Windows of words, each with as many words as fit; a word that alone is too long loses its end.

    The next window begins at the first word, the second of this window at the earliest, before which at least half of
    this window's content tokens lie. The last window is the first one that holds the last word. Raises TextError.
    """
    words = _Words(text, tokenizer)
    parts: list[TextPart] = []
    first = 0
    while first < len(words.spans):
        stop = words.reach(first)
        part = words.part(first, stop)
        parts.append(part)
        if stop == len(words.spans):
            break
        first = words.middle(first, stop, part.tokens)
    return parts


class _Words:
    """The words of a text by index, and the tokens of its pieces: words first to stop - 1.

    spans: where each word begins and ends in the text.
    """

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self.spans = [match.span() for match in _WORD.finditer(text)]
        self._text, self._tokenizer = text, tokenizer
        each = {word: tokenizer.count(word) for word in {text[begin:end] for begin, end in self.spans}}
        self._sums = [0, *accumulate(each[text[begin:end]] for begin, end in self.spans)]

    def piece(self, first: int, stop: int) -> str:
        return self._text[self.spans[first][0] : self.spans[stop - 1][1]]

    def part(self, first: int, stop: int) -> TextPart:
        piece = self.piece(first, stop)
        tokens, room = self._tokenizer.count(piece), self._tokenizer.room
        return TextPart(piece, min(tokens, room), tokens > room)

    def fits(self, first: int, stop: int) -> bool:
        return self._tokenizer.count(self.piece(first, stop)) <= self._tokenizer.room

    def reach(self, first: int) -> int:
        """The `stop` of the longest piece that begins at `first` and fits; at least one word."""
        guess = bisect.bisect_right(self._sums, self._sums[first] + self._tokenizer.room) - 1
        stop = max(guess, first + 1)
        while stop > first + 1 and not self.fits(first, stop):
            stop -= 1
        while stop < len(self.spans) and self.fits(first, stop + 1):
            stop += 1
        return stop

    def middle(self, first: int, stop: int, tokens: int) -> int:
        """The first word after `first` before which at least half of the piece's `tokens` lie; at most `stop`."""

        def is_before(word: int) -> bool:
            return 2 * self._tokenizer.count(self.piece(first, word)) >= tokens

        guess = bisect.bisect_left(self._sums, self._sums[first] + tokens / 2)
        word = min(max(guess, first + 1), stop)
        while word > first + 1 and is_before(word - 1):
            word -= 1
        while word < stop and not is_before(word):
            word += 1
        return word


def _sentence_stops(text: str, spans: list[tuple[int, int]]) -> list[int]:
    """For each sentence, the index of the word after its last one."""
    return [
        index
        for index, (begin, end) in enumerate(spans, 1)
        if index == len(spans)
        or text.endswith(_SENTENCE_ENDS, begin, end)
        or _LINE_END.search(text, end, spans[index][0])
    ]
