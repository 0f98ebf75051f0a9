"""The plain twin of `text/parts.py`: it adds word after word, and asks the tokenizer about each piece."""

from __future__ import annotations

from contralto.text.tokenizer import Tokenizer


def content(tokenizer: Tokenizer, text: str) -> int:
    """Content tokens: those that an empty text does not have."""
    return len(tokenizer.encode(text)) - len(tokenizer.encode(""))


def fits(tokenizer: Tokenizer, text: str) -> bool:
    return not tokenizer.tokenize_each([text]).failures


def places(text: str) -> list[tuple[int, int]]:
    """Where each word begins and ends."""
    spans, begin = [], None
    for place, character in enumerate(text + " "):
        if character.isspace() and begin is not None:
            spans.append((begin, place))
            begin = None
        elif not character.isspace() and begin is None:
            begin = place
    return spans


def plain_sentence_spans(text: str) -> list[list[tuple[int, int]]]:
    """The places of the words of each sentence."""
    sentences: list[list[tuple[int, int]]] = [[]]
    for begin, end in places(text):
        if sentences[-1]:
            before = sentences[-1][-1][1]
            between = text[before:begin]
            if text[before - 1] in ".!?" or len(f"x{between}x".splitlines()) > 1:
                sentences.append([])
        sentences[-1].append((begin, end))
    return [words for words in sentences if words]


def plain_sentences(text: str, tokenizer: Tokenizer, room: int) -> list[tuple[str, int]]:
    """(piece, content tokens, at most `room`) of each part of whole sentences."""
    parts: list[tuple[int, int]] = []
    growing: tuple[int, int] | None = None
    for words in plain_sentence_spans(text):
        whole = (words[0][0], words[-1][1])
        if growing and fits(tokenizer, text[growing[0] : whole[1]]):
            growing = (growing[0], whole[1])
            continue
        parts += [growing] if growing else []
        growing = whole
        if not fits(tokenizer, text[slice(*whole)]):
            parts += _runs(text, words, tokenizer)
            growing = None
    parts += [growing] if growing else []
    pieces = [text[slice(*span)] for span in parts]
    return [(piece, min(content(tokenizer, piece), room)) for piece in pieces]


def plain_windows(text: str, tokenizer: Tokenizer, room: int) -> list[tuple[str, int]]:
    """(piece, content tokens, at most `room`) of each window."""
    words, parts, first = places(text), [], 0
    while True:
        begin, end = _runs(text, words[first:], tokenizer)[0]
        tokens = min(content(tokenizer, text[begin:end]), room)
        parts.append((text[begin:end], tokens))
        if end == words[-1][1]:
            return parts
        first += 1
        while content(tokenizer, text[begin : words[first - 1][1]]) < tokens / 2:
            first += 1


def _runs(text: str, words: list[tuple[int, int]], tokenizer: Tokenizer) -> list[tuple[int, int]]:
    runs = [words[0]]
    for begin, end in words[1:]:
        if fits(tokenizer, text[runs[-1][0] : end]):
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((begin, end))
    return runs
