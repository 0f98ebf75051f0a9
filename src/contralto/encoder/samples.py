"""What engines are measured on, and int8 is fitted to: pictures that code draws, and texts that code writes.

They are no photographs, but have what matters here: the spectrum of photographs (of every size of detail as much),
edges, flat areas, all colours, light and dark; and texts of all lengths, of frequent and rare words, figures and marks.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from contralto.contract import Contract
from contralto.image import transform
from contralto.text.tokenizer import Tokenizer

SIDE = 256
PICTURES, TEXTS = 16, 256

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
class Samples:
    """The samples of one model, made when they are asked for: the same each time."""

    contract: Contract
    tokenizer: Tokenizer

    def pixels(self) -> NDArray[np.float32]:
        """float32 (16, 3, H, W), prepared as the contract says."""
        return transform.batch([drawn(np.random.default_rng(seed)) for seed in range(PICTURES)], self.contract.image)

    def ids(self) -> NDArray[np.int64]:
        """int64 (256, context)."""
        return self.tokenizer.tokenize(self.texts(), truncate=True)

    @staticmethod
    def texts() -> list[str]:
        """256 captions."""
        return [_written(random.Random(seed)) for seed in range(TEXTS)]


@dataclass(frozen=True)
class Own:
    """A user's own pixels or ids, as many as there are, in place of what is drawn and written."""

    others: Samples
    own_pixels: NDArray[np.float32] | None
    own_ids: NDArray[np.int64] | None

    def pixels(self) -> NDArray[np.float32]:
        """float32 (N, 3, H, W)."""
        return self.others.pixels() if self.own_pixels is None else self.own_pixels

    def ids(self) -> NDArray[np.int64]:
        """int64 (N, context)."""
        return self.others.ids() if self.own_ids is None else self.own_ids


def drawn(chance: np.random.Generator) -> Image.Image:
    """A picture of 256 x 256: coloured noise of a photograph's spectrum, and figures in front of it."""
    frequencies = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)) * SIDE
    falloff = np.maximum(frequencies, 1) ** -chance.uniform(0.8, 1.6)
    noise = np.fft.irfft2(np.fft.rfft2(chance.standard_normal((3, SIDE, SIDE))) * falloff, axes=(1, 2))
    noise = (1 + chance.normal(scale=0.3, size=(3, 3))) @ noise.reshape(3, -1)  # more light and shade than colour
    light = chance.uniform(30, 225) + chance.normal(scale=30, size=(3, 1))
    noise = noise / np.abs(noise).max() * chance.uniform(40, 160) + light
    pixels = noise.clip(0, 255).astype(np.uint8).reshape(3, SIDE, SIDE).transpose(1, 2, 0)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(chance.integers(0, 7))):
        (left, top), (width, height) = chance.integers(-30, SIDE, 2), chance.integers(8, SIDE // 2, 2)
        colour = tuple(chance.integers(0, 256, 3).tolist())
        figure = draw.ellipse if chance.random() < 0.5 else draw.rectangle
        figure((left, top, left + width, top + height), colour)
    return picture


def _written(chance: random.Random) -> str:
    """A caption, of one word or of two sentences."""
    words = {kind: chance.choice(several.split("|")) for kind, several in WORDS.items()}
    if chance.random() < 0.1:
        return words["thing"]
    parts = [words["start"], words["kind"], words["thing"]]
    parts += [words[kind] for kind in ("deed", "place") if chance.random() < 0.6]
    text = " ".join(parts) + words["mark"]
    return f"{text} {_written(chance)}" if chance.random() < 0.2 else text
