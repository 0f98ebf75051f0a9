"""The plain twin of text/bpe.py: CLIP's published tokenizer, on strings, slow and without shortcuts."""

import functools
import html
import itertools

import ftfy
import regex

from contralto.text import bpe

VOCABULARY, MERGES = bpe.clip_vocabulary().published()
RANK = {tuple(line.split()): rank for rank, line in enumerate(MERGES)}
PIECES = regex.compile(
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE
)
PRINTED = {byte: chr(byte) for byte in [*range(33, 127), *range(161, 173), *range(174, 256)]}
PRINTED |= {byte: chr(256 + i) for i, byte in enumerate(byte for byte in range(256) if byte not in PRINTED)}


def clean(text: str) -> str:
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return regex.sub(r"\s+", " ", text.strip()).strip().lower()


def encode(cleaned: str) -> list[int]:
    return [number for piece in PIECES.findall(cleaned) for number in encode_piece(piece)]


@functools.cache
def encode_piece(piece: str) -> list[int]:
    if piece in ("<|startoftext|>", "<|endoftext|>"):
        return [VOCABULARY[piece]]
    word = [PRINTED[byte] for byte in piece.encode()]
    word[-1] += "</w>"
    while True:
        ranked = [pair for pair in itertools.pairwise(word) if pair in RANK]
        if not ranked:
            return [VOCABULARY[symbol] for symbol in word]
        first, second = min(ranked, key=RANK.__getitem__)
        merged: list[str] = []
        for symbol in word:
            # A symbol that was just merged is longer than `first`, so it is never merged a second time.
            if merged and merged[-1] == first and symbol == second:
                merged[-1] = first + second
            else:
                merged.append(symbol)
        word = merged
