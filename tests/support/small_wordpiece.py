"""A WordPiece vocabulary of a few hundred tokens."""

from contralto import contract
from contralto.contract import preset
from contralto.text.wordpiece import WordPiece

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [chr(code) for code in [*range(33, 127), *range(0x3B1, 0x3CA), *range(0x430, 0x450), *range(0x1100, 0x1113)]]
WHOLE = ["the", "photo", "dog", "play", "un", "house", "of", "cafe", "日", "本", "語", "か", "！", "。", "###"]
PIECES = ["##ing", "##ed", "##aff", "##able", "##な", "##th", "##ΐ"]
VOCABULARY = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS if letter != "#"), *WHOLE, *PIECES]


def make(tokens: list[str]) -> WordPiece:
    return WordPiece("\n".join(tokens).encode() + b"\n", "vocab.txt")


def spec(sha256: str, file: str | None = "vocab.txt") -> contract.Text:
    stated = contract.TokenizerSpec("wordpiece", sha256, file)
    return contract.Text(preset("nano").text.tower, stated, context=12, pad=0, clean="none", pool="mean")
