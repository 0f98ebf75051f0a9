"""A few pictures of a set of boxes: what is there, and what the model takes for it."""

from __future__ import annotations

from typing import Final

from PIL import Image, ImageDraw

from contralto.evaluation.outcome import BoxExample, Corners, Outcome
from contralto.evaluation.report.mistakes import MISTAKE_SIDE, PictureLookup, card
from contralto.evaluation.report.words import percent, text

TRUE_COLOUR: Final = "#2e9e5b"
DETECTED_COLOUR: Final = "#e8590c"
LINE: Final = 2  # pixels


def box_gallery(outcome: Outcome, pictures: PictureLookup, max_pictures: int) -> str:
    """The examples of the outcome as pictures with boxes. Empty without any."""
    if not outcome.examples:
        return ""
    cards = "".join(_card(outcome, one, pictures) for one in outcome.examples[:max_pictures])
    about = "Green: the true boxes. Orange: as many of the best detected ones, which are named with their scores."
    return f'<h3>Boxes</h3><p class="about">{about}</p><div class="mistakes">{cards}</div>'


def _card(outcome: Outcome, example: BoxExample, pictures: PictureLookup) -> str:
    picture = pictures(outcome.set, outcome.split, example.key)
    named = ", ".join(f"{text(label, 80)} <small>{percent(score)}</small>" for label, score, _ in example.detected)
    return card(example.key, None if picture is None else _drawn(picture, example), named or "nothing detected")


def _drawn(picture: Image.Image, example: BoxExample) -> Image.Image:
    """The picture at the size of a card, with its boxes."""
    small = picture.convert("RGB")
    small.thumbnail((MISTAKE_SIDE, MISTAKE_SIDE), Image.Resampling.BICUBIC)
    pen, share = ImageDraw.Draw(small), (small.width / picture.width, small.height / picture.height)
    for colour, corners in (
        *((TRUE_COLOUR, box) for _, box in example.true),
        *((DETECTED_COLOUR, box) for *_, box in example.detected),
    ):
        pen.rectangle(_scaled(corners, share), outline=colour, width=LINE)
    return small


def _scaled(box: Corners, share: tuple[float, float]) -> Corners:
    """The box in pixels of the card; one that is flat there keeps a pixel."""
    x0, y0, x1, y1 = box[0] * share[0], box[1] * share[1], box[2] * share[0] - 1, box[3] * share[1] - 1
    return x0, y0, max(x0, x1), max(y0, y1)
