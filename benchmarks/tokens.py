"""Captions to ids: Contralto against transformers' CLIPTokenizer (Rust) and, if installed, open_clip's SimpleTokenizer.

    python benchmarks/tokens.py [FILE OF TEXTS, one a line]

Without a file: drawn English captions, as long as Flickr8k's. All take turns in one process, on the same texts, and
must give the same ids. "Cold" is the first pass of a new tokenizer, before any word is known; "warm" is the median of
the later ones.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from contralto.contract import preset
from contralto.text import bpe
from contralto.text.tokenizer import load

ROUNDS, COUNT, BATCH = 7, 10_000, 1_000


def main() -> None:
    texts = Path(sys.argv[1]).read_text().splitlines() if sys.argv[1:] else captions()
    tokenizers = {"contralto": contralto(), "transformers": transformers()}
    if peer := open_clip():
        tokenizers["open_clip"] = peer
    seconds: dict[str, list[float]] = {name: [] for name in tokenizers}
    for _ in range(ROUNDS):
        rows = {name: run(tokenize, texts, seconds[name]) for name, tokenize in tokenizers.items()}
        for name, ids in rows.items():
            differ = (ids != rows["contralto"]).any(axis=1)
            if differ.any():
                sys.exit(f"{name} differs on {differ.sum()} texts, the first is {texts[int(differ.argmax())]!r}")
    print(f"{len(texts)} texts in batches of {BATCH}, {np.mean(rows['contralto'] != 0) * 77:.1f} ids each, all equal")
    ours = statistics.median(seconds["contralto"][1:])
    for name, times in seconds.items():
        warm = statistics.median(times[1:])
        rates = f"warm {len(texts) / warm:9.0f} texts/s   cold {len(texts) / times[0]:9.0f} texts/s"
        print(f"{name:13} {rates}   contralto is {warm / ours:5.2f} x as fast")


def run(tokenize: Callable[[list[str]], np.ndarray], texts: list[str], seconds: list[float]) -> np.ndarray:
    begin = time.perf_counter()
    rows = [tokenize(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]
    seconds.append(time.perf_counter() - begin)
    return np.concatenate(rows)


def captions() -> list[str]:
    """Sentences of 5 to 18 words; common words are drawn more often, as Zipf found."""
    draw = random.Random(0)
    vocabulary = bpe.shipped()
    words = [vocabulary.text([i]) for i in range(512, 12_000)]
    words = [word for word in words if word.isascii() and word.isalpha()]
    weights = [1 / (rank + 10) for rank in range(len(words))]
    return [
        " ".join(draw.choices(words, weights, k=draw.randint(5, 18))).capitalize() + draw.choice([".", " .", ""])
        for _ in range(COUNT)
    ]


def contralto() -> Callable[[list[str]], np.ndarray]:
    return load(preset("ViT-B-32").text).tokenize


def transformers() -> Callable[[list[str]], np.ndarray]:
    from transformers import CLIPTokenizer

    vocabulary, merges = bpe.shipped().published()
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder, "vocab.json"), Path(folder, "merges.txt")
        names[0].write_text(json.dumps(vocabulary), "utf-8")
        names[1].write_text("#version: 0.2\n" + "\n".join(merges), "utf-8")
        peer = CLIPTokenizer(vocab=str(names[0]), merges=str(names[1]))  # pad_token="!" would swallow every "!"

    def tokenize(texts: list[str]) -> np.ndarray:
        found = peer(texts, padding="max_length", max_length=77, return_tensors="np")
        return found["input_ids"] * found["attention_mask"]

    return tokenize


def open_clip() -> Callable[[list[str]], np.ndarray] | None:
    try:
        from open_clip.tokenizer import SimpleTokenizer
    except ImportError:
        return None
    peer = SimpleTokenizer()
    return lambda texts: peer(texts).numpy()


if __name__ == "__main__":
    main()
