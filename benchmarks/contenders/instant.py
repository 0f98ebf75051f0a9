"""instant-clip-tokenizer, a Rust package that only tokenizes."""

from __future__ import annotations

import instant_clip_tokenizer
import numpy as np

from contenders import versions


class Tokens:
    def __init__(self) -> None:
        self._tokenizer = instant_clip_tokenizer.Tokenizer()
        self.about = versions("instant-clip-tokenizer")

    def tokens(self, texts: list[str]) -> np.ndarray:
        return self._tokenizer.tokenize_batch(texts, context_length=77).astype(np.int64)


def make() -> Tokens:
    return Tokens()
