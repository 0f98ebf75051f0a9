"""Samples for measuring engines and calibrating int8: generated pictures and captions, or the user's own.

The generated pictures are not photographs but have what matters here: the spectrum of photographs (equal energy at all
scales of detail), edges, flat areas, all colours, light and dark. The captions have all lengths, frequent and rare
words, digits and punctuation.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from contralto.contract import Contract
from contralto.errors import ContraltoError
from contralto.image import transform
from contralto.text.tokenizer import Tokenizer

CANVAS_SIDE = 256  # pixels
DRAWN_PICTURES, DRAWN_TEXTS = 16, 256
MIN_USER_SAMPLES = 16

WORDS = {
    "start": "a photo of|a picture of|an old drawing of|two|a close-up of|many|there is|the|black and white photo of",
    "kind": "small|red|dark blue|wooden|happy|very old|striped|broken|shiny|green and yellow|huge|young|wet|empty",
    "thing": "dog|cat|man in a hat|woman|children|car|bicycle|tree|aeroplane|kitchen table|pizza|guitar|ship|church"
    "|horse|bird of prey|computer keyboard|mushroom|traffic light|wedding dress|volcano|x-ray|logo|handwritten page",
    "deed": "running|sitting|playing with a ball|looking at the camera|lying|jumping over a fence|standing|reading",
    "place": "on the beach|in the snow|on a street in Tokyo|under a bridge|near the Eiffel Tower|at night|indoors"
    "|next to a lake, mountains behind it|on a white background|in 1987|at 12:30|by J. Smith (2nd edition)",
    "mark": ".| .|  .|!|, seen from above|: 50% off|, café & bar|; #sunset #travel|, highly detailed, oil on canvas",
}


@dataclass(frozen=True)
class DrawnSamples:
    """Generated samples for one model, the same each time."""

    contract: Contract
    tokenizer: Tokenizer

    def pixels(self) -> NDArray[np.float32]:
        """float32 (16, 3, H, W), prepared as the contract says."""
        return transform.batch(
            [draw_picture(np.random.default_rng(seed)) for seed in range(DRAWN_PICTURES)], self.contract.image
        )

    def ids(self) -> NDArray[np.int64]:
        """int64 (256, context)."""
        return self.tokenizer.tokenize(self.texts(), truncate=True)

    @staticmethod
    def texts() -> list[str]:
        """256 captions."""
        return [_caption(random.Random(seed)) for seed in range(DRAWN_TEXTS)]


@dataclass(frozen=True)
class UserSamples:
    """A user's pixels, ids or both; drawn samples replace what is None. Raises ContraltoError for fewer than 16."""

    drawn: DrawnSamples
    user_pixels: NDArray[np.float32] | None
    user_ids: NDArray[np.int64] | None

    def __post_init__(self) -> None:
        for what, given in (("pictures", self.user_pixels), ("texts", self.user_ids)):
            if given is not None and len(given) < MIN_USER_SAMPLES:
                raise ContraltoError(f"calibrating takes at least {MIN_USER_SAMPLES} {what}, got {len(given)}")

    def pixels(self) -> NDArray[np.float32]:
        """float32 (N, 3, H, W)."""
        return self.drawn.pixels() if self.user_pixels is None else self.user_pixels

    def ids(self) -> NDArray[np.int64]:
        """int64 (N, context)."""
        return self.drawn.ids() if self.user_ids is None else self.user_ids


def draw_picture(chance: np.random.Generator) -> Image.Image:
    """A picture of 256 x 256: coloured noise with a photograph's spectrum, and shapes in front of it."""
    frequencies = np.hypot(np.fft.fftfreq(CANVAS_SIDE)[:, None], np.fft.rfftfreq(CANVAS_SIDE)) * CANVAS_SIDE
    falloff = np.maximum(frequencies, 1) ** -chance.uniform(0.8, 1.6)
    noise = np.fft.irfft2(np.fft.rfft2(chance.standard_normal((3, CANVAS_SIDE, CANVAS_SIDE))) * falloff, axes=(1, 2))
    noise = (1 + chance.normal(scale=0.3, size=(3, 3))) @ noise.reshape(3, -1)  # brightness varies more than colour
    light = chance.uniform(30, 225) + chance.normal(scale=30, size=(3, 1))
    noise = noise / np.abs(noise).max() * chance.uniform(40, 160) + light
    pixels = noise.clip(0, 255).astype(np.uint8).reshape(3, CANVAS_SIDE, CANVAS_SIDE).transpose(1, 2, 0)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(chance.integers(0, 7))):
        (left, top), (width, height) = chance.integers(-30, CANVAS_SIDE, 2), chance.integers(8, CANVAS_SIDE // 2, 2)
        colour = tuple(chance.integers(0, 256, 3).tolist())
        shape = draw.ellipse if chance.random() < 0.5 else draw.rectangle
        shape((left, top, left + width, top + height), colour)
    return picture


def _caption(chance: random.Random) -> str:
    """A caption: one noun, one sentence, or several."""
    words = {kind: chance.choice(several.split("|")) for kind, several in WORDS.items()}
    if chance.random() < 0.1:
        return words["thing"]
    parts = [words["start"], words["kind"], words["thing"]]
    parts += [words[kind] for kind in ("deed", "place") if chance.random() < 0.6]
    text = " ".join(parts) + words["mark"]
    return f"{text} {_caption(chance)}" if chance.random() < 0.2 else text
