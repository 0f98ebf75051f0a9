"""The byte-pair encoding of CLIP: 49,408 tokens, after Radford et al. 2021 (section 2.4) and OpenAI's published code.

A text is split into pieces (a run of letters, one digit, a run of other characters, an English ending such as 's or
're). A piece is written as the symbols of its UTF-8 bytes, the last one marked as the end of a word. Then the adjacent
pair with the lowest rank in the merge table is merged, repeatedly, until no pair is in the table.

Ids: 0-255 are the bytes in the order of `BYTES`, 256-511 the same at the end of a word, 512-49,405 the merges in the
order in which they were learned; 49,406 starts a text and 49,407 ends it.

`clip-bpe.bin` is the table in canonical form: for each merge, first to last, the ids of its left and right half as two
little-endian uint16, and nothing else; 48,894 * 4 = 195,576 bytes. Its sha256 identifies the vocabulary. The merges are
lines 2 to 48,895 of OpenAI's bpe_simple_vocab_16e6.txt.gz, and `published` returns those lines; the tests check the
sha256 of both.

The plain twin is tests/support/plain_bpe.py, the published algorithm on strings. tests/text/test_bpe.py checks that
both give the same result.
"""

from __future__ import annotations

import functools
import hashlib
import heapq
from collections.abc import Callable, Iterable
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from contralto.errors import ContractError

SHA256 = "88d5677a60bb2d33e2c2b0e57fcd83b2b64fe832ff26e0395aff9a749db6f546"
MERGES = 48_894
START_ID, END_ID = 49_406, 49_407

# The bytes that are printable in Latin-1 come first, then the other 68.
_PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
BYTES = (*_PRINTABLE, *(byte for byte in range(256) if byte not in _PRINTABLE))

# The alternatives are in the order of the published code, which also ignores case.
_PIECE = r"<\|startoftext\|>|<\|endoftext\|>|'(?:[stmd]|re|ve|ll)|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"
_SPECIAL = {"<|startoftext|>": START_ID, "<|endoftext|>": END_ID}


@functools.cache
def clip_vocabulary() -> BytePairs:
    """CLIP's own vocabulary, read on first use. Raises ContractError if its file is damaged."""
    data = (resources.files("contralto.text") / "clip-bpe.bin").read_bytes()
    actual = hashlib.sha256(data).hexdigest()
    if actual != SHA256:
        raise ContractError(f"contralto/text/clip-bpe.bin has sha256 {actual}, not {SHA256}: reinstall contralto")
    return BytePairs(np.frombuffer(data, "<u2").reshape(MERGES, 2))


class BytePairs:
    """An immutable byte-pair vocabulary. merges: uint16 (M, 2), the ids of the two halves."""

    start, end, unknown = START_ID, END_ID, None
    by_word = True

    def __init__(self, merges: NDArray[np.uint16]) -> None:
        self._halves = merges
        pairs = merges[:, 0].astype(np.int64) << 16 | merges[:, 1]
        self._merged = dict(zip(pairs.tolist(), range(512, 512 + len(merges)), strict=True))
        self._symbol = {byte: symbol for symbol, byte in enumerate(BYTES)}

    def __len__(self) -> int:
        return 512 + len(self._halves) + 2

    def ids(self, text: str) -> list[int]:
        """Token ids of a cleaned text; whitespace only separates words."""
        tokens: list[int] = []
        for piece in _splitter()(text):
            special = _SPECIAL.get(piece)
            tokens += [special] if special is not None else self._piece(piece.encode())
        return tokens

    def parts(self, text: str) -> list[tuple[str, bool]]:
        """The parts of `text` between spaces. All are known, since any text can be spelled byte by byte."""
        return [(part, True) for part in text.split()]

    def text(self, ids: Iterable[int]) -> str:
        """The text of `ids`, with a space after each end of a word; bytes that are not UTF-8 become U+FFFD."""
        return b"".join(map(self._spell, ids)).decode("utf-8", "replace").rstrip(" ")

    def published(self) -> tuple[dict[str, int], list[str]]:
        """Symbol -> id, and the merges as lines "left right": the content of transformers' vocab.json and merges.txt.

        These files write each byte as a printable character: printable bytes as themselves, others from U+0100 on.
        """
        printed = [chr(byte) for byte in _PRINTABLE] + [chr(256 + i) for i in range(256 - len(_PRINTABLE))]
        symbols = printed + [symbol + "</w>" for symbol in printed]
        lines: list[str] = []
        for left, right in self._halves.tolist():
            lines.append(f"{symbols[left]} {symbols[right]}")
            symbols.append(symbols[left] + symbols[right])
        return {symbol: number for number, symbol in enumerate([*symbols, *_SPECIAL])}, lines

    def _spell(self, token: int) -> bytes:
        if token < 512:
            return bytes([BYTES[token]]) if token < 256 else bytes([BYTES[token - 256]]) + b" "
        if token >= START_ID:
            return b""
        left, right = self._halves[token - 512].tolist()
        return self._spell(left) + self._spell(right)

    def _piece(self, word: bytes) -> list[int]:
        """Merges one piece in O(n log n), so that even a very long text cannot stall the process.

        A merge's id grows with its rank, and a pair with a new symbol always ranks after the merge that made the
        symbol. So taking the lowest (id, position) each time gives the published order: one pair at a time, left to
        right. Symbols form a linked list; -1 marks a symbol that was merged into its left neighbour.
        """
        symbols = [self._symbol[byte] for byte in word]
        symbols[-1] += 256
        size = len(symbols)
        before, after = list(range(-1, size - 1)), list(range(1, size + 1))
        heap: list[tuple[int, int]] = []

        def offer(left: int, right: int) -> None:
            if (merged := self._merged.get(symbols[left] << 16 | symbols[right])) is not None:
                heapq.heappush(heap, (merged, left))

        for position in range(size - 1):
            offer(position, position + 1)
        while heap:
            merged, left = heapq.heappop(heap)
            right = after[left]
            if right == size or self._merged.get(symbols[left] << 16 | symbols[right]) != merged:
                continue  # stale: one of the two has since been merged with another symbol
            symbols[left], symbols[right] = merged, -1
            after[left] = following = after[right]
            if following < size:
                before[following] = left
                offer(left, following)
            if before[left] >= 0:
                offer(before[left], left)
        return [symbol for symbol in symbols if symbol >= 0]


@functools.cache
def _splitter() -> Callable[[str], list[str]]:
    import regex  # type: ignore[import-untyped]  # the standard re has no \p{L}

    split: Callable[[str], list[str]] = regex.compile(_PIECE, regex.IGNORECASE).findall
    return split
