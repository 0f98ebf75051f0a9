"""More than 100,000 varied strings, the same in every run."""

import random
import sys

from contralto.text import bpe

ENTITIES = ["&amp;", "&lt;b&gt;", "&amp;lt;", "&#39;", "&#x27;s", "&eacute;", "&nbsp;", "&hellip", "&copy", "&#128512;"]
CLITICS = ["it's", "DON'T", "we’re", "I've", "i'm", "she'll", "he'd", "'s", "''", "'ſ", "o'clock", "rock'n'roll"]
DIGITS = ["2024", "12.5%", "１２", "²", "½", "Ⅷ", "٣٤", "१२", "3,000", "v2.0"]
CONTROLS = [chr(code) for code in [*range(32), *range(127, 160), 0xAD, 0x200B, 0x200D, 0x2066, 0xFEFF, 0xFFFD]]
SPACES = [*"\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2003\u2009\u2028\u2029\u202f\u205f\u3000", "\r\n"]
EMOJI = ["😀", "👩‍👩‍👧", "🇫🇷", "👍🏽", "❤️", "☀", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"]
LATIN = "a photo of the Café naïve ÉCOLE STRASSE straße İstanbul ıSPARTA ﬁne ﬀ ǅ ẞ ſ \u212a \u212b J̌ e\u0301 A\u030a"
SCRIPTS = """ΟΔΥΣΣΕΥΣ \u2126mega Ελλάδα Москва ёлка שלום مرحبا नमस्ते ไทย 日本語 ひらがな カタカナ ｶﾀｶﾅ 한국어
    ქართული አማርኛ ᏣᎳᎩ 𝔘𝔫𝔦 𐐀𐐨"""
MARKS = "_a_ a_b #tag @user http://x.y/z?q=1&r=2 e-mail C++ $5 ... !? (x) [SEP] \\n “curly” ‘q’ «g» — – \ud83d\ude00"
SPECIAL = "<|startoftext|> <|endoftext|> <|ENDOFTEXT|> <start_of_text> \x1b[31mred"
MOJIBAKE = "cafÃ© â€œquotedâ€\x9d doesnâ€™t schÃ¶n Ð¼Ð¾ÑÐºÐ²Ð°"
WORDS = f"{LATIN} {SCRIPTS} {MARKS} {SPECIAL} {MOJIBAKE}".split()


def blocks() -> list[str]:
    """Every code point of the first three planes except surrogates, 24 neighbours per string."""
    codes = [code for code in range(0x30000) if not 0xD800 <= code < 0xE000]
    return ["".join(map(chr, codes[i : i + 24])) for i in range(0, len(codes), 24)]


def spelled() -> list[str]:
    """The vocabulary itself, as text and as its printed symbols."""
    vocabulary = bpe.clip_vocabulary()
    return [vocabulary.text([i]) for i in range(bpe.START_ID)] + list(vocabulary.published()[0])[::5]


def mixtures(count: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    bmp = [chr(code) for code in range(0x20, 0xD800)]
    beyond = [chr(code) for code in range(0x10000, sys.maxunicode)]
    ascii_words = [word for word in spelled()[512:20_000] if word.isascii()]
    kinds = [ENTITIES, CLITICS, DIGITS, CONTROLS, SPACES, EMOJI, WORDS, WORDS, ascii_words, ascii_words, bmp, beyond]
    gaps = ["", "", " ", " ", " ", "  ", "\n", "-"]
    found = []
    for _ in range(count):
        parts = [draw.choice(draw.choice(kinds)) + draw.choice(gaps) for _ in range(draw.randint(1, 6))]
        found.append("".join(parts))
    return found


def everything() -> list[str]:
    return spelled() + blocks() + mixtures(60_000)
