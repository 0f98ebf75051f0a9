"""The input of the contenders: captions, class names and photographs, from `--data` if present, otherwise generated."""

from __future__ import annotations

import argparse
import io
import json
import random
import sys
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

CAPTIONS, CLASSES = Path("flickr8k", "flickr8k-dev.tar"), Path("words", "imagenet1k.json")

# Strings that tokenizers treat differently: case, accents, combining marks, scripts, markup, contractions, spaces,
# length. They contain no special tokens: inside a text, OpenAI's code reads <|endoftext|>, and open_clip <end_of_text>.
AWKWARD = [
    "", " ", "\t\n", "a  b\u00a0c", "  leading and trailing  ", "HELLO World", "İstanbul ǅ ß ẞ ſ", "naïve café",
    "nai\u0308ve cafe\u0301", "ﬁre ﬂy ½ ² Ⅷ", "ａｂｃ", "日本語のテキスト", "한국어 텍스트", "русский текст",
    "עברית", "ภาษาไทย", "हिन्दी", "👍🏽 👩‍👩‍👧 🇩🇪 ❤️", "&amp; &lt;b&gt; &amp;amp; &eacute;",
    "it's we'll they're I'd I'M don't 'tis o''clock", "12.5% of 1,000,000 in 2024", "x²+y³=z",
    "www.example.com/a?b=c", "a_b__c", "!!! ??? ...", "---", "Ã©tÃ© â€œquotedâ€\x9d", "“curly” ‘quotes’ – — …",
    "a\u200bb\u200dc\ufeffd", "a\u0000b\u0007c", "\ufffd", "e\u0301\u0302\u0303\u0304", "Ω Å µ", "ⓐⓑ ①",
    "antidisestablishmentarianism" * 3, "dog " * 100, "🐶" * 60, "\r\nline\r\nbreaks", "﷽", "aͣ", "𝒽𝑒𝓁𝓁𝑜",
    "ي ك", "l·l", "100€ £5 ¥7", "#tag @name", "'s", "\\n \\u0041", "<b>bold</b>",
]  # fmt: skip

COLOURS = ("red", "blue", "green", "yellow", "black", "white", "brown", "grey", "orange", "purple")
LOOKS = (
    "small", "large", "old", "new", "striped", "spotted", "wooden", "plastic", "shiny", "broken", "wet", "dusty",
    "round", "tall", "tiny",
)  # fmt: skip
THINGS = (
    "dog", "cat", "horse", "bird", "car", "bicycle", "boat", "train", "chair", "table", "lamp", "clock", "bottle",
    "cup", "plate", "shoe", "hat", "coat", "bag", "umbrella", "flower", "tree", "house", "bridge", "tower", "guitar",
    "piano", "drum", "camera", "phone", "book", "pencil", "ball", "kite", "snowboard", "tent", "ladder", "bucket",
    "basket", "mirror",
)  # fmt: skip
WHO = ("man", "woman", "boy", "girl", "child", "dog", "cat", "horse", "player", "runner", "cyclist", "climber", "crowd")
DOING = ("runs", "jumps", "sits", "stands", "sleeps", "plays", "looks", "waits", "walks", "dances")
WHERE = (
    "on the beach", "in the snow", "near a lake", "in front of a house", "on a busy street", "through tall grass",
    "by the water",
)  # fmt: skip


def captions(options: argparse.Namespace, count: int) -> tuple[list[str], str]:
    """(at most `count` captions, a random sample with a fixed seed; their source in words)."""
    source = options.captions or options.data / CAPTIONS
    if source.exists():
        texts = _captions_of(source)
        return random.Random(0).sample(texts, min(count, len(texts))), f"captions of {source.name}"
    if options.captions:
        sys.exit(f"{source}: no such file")
    return [_sentence(random.Random(n)) for n in range(count)], "generated captions, not real ones"


def classes(options: argparse.Namespace) -> tuple[list[str], str]:
    """(class names, their source in words). --classes: JSON as in the data folder, or one name per line."""
    source = options.classes or options.data / CLASSES
    if source.exists():
        text = source.read_text(encoding="utf-8")
        named = [one["name"] for one in json.loads(text)] if source.suffix == ".json" else text.splitlines()
        return named, f"{len(named)} class names of {source.name}"
    if options.classes:
        sys.exit(f"{source}: no such file")
    made = [f"{colour} {thing}" for thing in THINGS for colour in (*COLOURS, *LOOKS)]
    return made, f"{len(made)} generated class names, not real ones"


def photographs(folder: Path, count: int, size: tuple[int, int], options: argparse.Namespace) -> list[Path]:
    """JPEGs of this size, made if they do not exist: enlarged real pictures or clouds of colour, with added detail.

    The detail is noise at several scales, so a 12-megapixel file has 3 to 5 MB, as files of cameras have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{place:04}.jpg" for place in range(count)]
    missing = [place for place in range(count) if not paths[place].exists()]
    sources = _pictures_of(options.data / CAPTIONS, count) if missing else []
    for place in missing:
        draw = np.random.default_rng(place)
        base = sources[place % len(sources)] if sources else _clouds(draw)
        _detailed(base.resize(size, Image.Resampling.BICUBIC), draw).save(paths[place], quality=90)
    return paths


def _captions_of(source: Path) -> list[str]:
    if not tarfile.is_tarfile(source):
        return [line for line in source.read_text(encoding="utf-8").splitlines() if line.strip()]
    with tarfile.open(source) as archive:
        members = [member for member in archive if member.name.endswith(".json")]
        texts = [json.load(archive.extractfile(member))["captions"] for member in members]  # type: ignore[arg-type]
    return [caption for several in texts for caption in several]


def _pictures_of(source: Path, count: int) -> list[Image.Image]:
    if not source.exists():
        return []
    with tarfile.open(source) as archive:
        members = [member for member in archive if member.name.endswith(".jpg")][:count]
        contents = [archive.extractfile(member).read() for member in members]  # type: ignore[union-attr]
    return [Image.open(io.BytesIO(content)).convert("RGB") for content in contents]


def _clouds(draw: np.random.Generator) -> Image.Image:
    """Six layers of random shapes; each layer is finer and has half the contrast of the one before."""
    values = np.full((192, 256, 3), 128.0)
    for level in range(6):
        grid = draw.standard_normal((3 * 2**level, 4 * 2**level, 3)) * 0.5**level
        image = Image.fromarray(np.clip(128 + 60 * grid, 0, 255).astype(np.uint8))
        values += np.asarray(image.resize((256, 192), Image.Resampling.BICUBIC), np.float64) - 128
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _detailed(picture: Image.Image, draw: np.random.Generator) -> Image.Image:
    values = np.asarray(picture, np.float32)
    for coarse, strength in ((1, 5.0), (2, 6.0), (4, 6.0)):
        grid = draw.integers(0, 256, (picture.height // coarse, picture.width // coarse), np.uint8)
        noise = Image.fromarray(grid).resize(picture.size, Image.Resampling.BILINEAR)
        values = values + (np.asarray(noise, np.float32)[..., None] - 128) * (strength / 74)
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _sentence(draw: random.Random) -> str:
    """About a dozen words, or 14 tokens with the special ones, like the captions of Flickr8k."""
    pick = draw.choice
    who = f"{pick(['A', 'The', 'One'])} {pick(LOOKS)} {pick(WHO)}"
    wearing = f" with a {pick(COLOURS)} {pick(THINGS)}" if draw.random() < 0.6 else ""
    then = f" while a {pick(WHO)} {pick(DOING)}" if draw.random() < 0.3 else ""
    return f"{who}{wearing} {pick(DOING)} {pick(WHERE)}{then} ."
