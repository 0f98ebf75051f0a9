"""Questions about text in pictures: which word is written?"""

from __future__ import annotations

from typing import Literal

import numpy as np

from contralto.sets.drawn.description import (
    ChoiceQuestion,
    DrawnScene,
    DrawnWord,
    one_of,
    random_background,
    random_paint,
    some_of,
)

CHOICES = 10
WORD_STYLES: tuple[Literal["printed", "sign", "tilted", "small"], ...] = ("printed", "sign", "tilted", "small")
PANELS = ("red", "green", "blue", "purple", "black")
INK = (25, 25, 30)
MAX_WORD_WIDTH = 0.85  # share of the side
LETTER_WIDTH = 0.62  # approximate, in heights of the font
WRITTEN_WORDS = (
    ("bird", "boat", "book", "cake", "coat", "door", "fish", "goat", "hand", "king", "lamp", "milk", "moon", "road",
     "rock", "salt", "ship", "shoe", "snow", "tree", "wall", "wind", "wolf", "wood"),
    ("apple", "beach", "bread", "chair", "clock", "cloud", "dance", "eagle", "earth", "glass", "grass", "green",
     "horse", "house", "knife", "music", "night", "ocean", "paper", "river", "sheep", "stone", "table", "train"),
    ("animal", "bottle", "bridge", "butter", "castle", "cheese", "church", "coffee", "desert", "dinner", "finger",
     "flower", "forest", "garden", "guitar", "island", "letter", "market", "mirror", "monkey", "orange", "rabbit",
     "school", "summer"),
)  # fmt: skip


def text(index: int, random: np.random.Generator) -> ChoiceQuestion:
    """Which of ten words of one length is written? Printed, on a coloured sign, tilted, or in small letters."""
    style = WORD_STYLES[index % len(WORD_STYLES)]
    words = some_of(random, WRITTEN_WORDS[index // len(WORD_STYLES) % len(WRITTEN_WORDS)], CHOICES)
    height = random.uniform(0.05, 0.065) if style == "small" else random.uniform(0.16, 0.22)
    height = min(height, MAX_WORD_WIDTH / (LETTER_WIDTH * len(words[0]) + 1))
    turn = random.choice((-1, 1)) * random.uniform(12, 28) if style == "tilted" else random.uniform(-2, 2)
    room = 0.5 - height * (LETTER_WIDTH * len(words[0]) + 1) / 2
    x, y = 0.5 + random.uniform(-room, room), 0.5 + random.uniform(-0.2, 0.2)
    on_sign = style == "sign"
    panel = random_paint(random, one_of(random, PANELS)) if on_sign else None
    ink = (250, 250, 250) if on_sign else one_of(random, (INK, random_paint(random, one_of(random, PANELS))))
    true, *others = (f'a picture of the word "{word}"' for word in words)
    scene = DrawnScene(random_background(random), (DrawnWord(words[0], x, y, height, float(turn), ink, panel),))
    return ChoiceQuestion(scene, true, tuple(others), {"style": style})
