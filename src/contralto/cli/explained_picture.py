"""An explained picture, and what its explanations mean in words, for the terminal and for the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from contralto.apply.explain import Explanation

FULL_BAR: Final = 0.2  # the effect of a word, as a cosine, with the longest bar


class ExplainedPicture(NamedTuple):
    """A picture and the explanation of each text, with the file of each map; None without --out."""

    path: str
    texts: list[str]
    explanations: list[Explanation]
    maps: list[Path | None]


def where(peak: tuple[int, int], size: tuple[int, int]) -> str:
    """A place of a picture in words, by thirds: "upper left", "right", "middle"."""
    column, row = (min(2, 3 * place // side) for place, side in zip(peak, size, strict=True))
    words = [("upper", "", "lower")[row], ("left", "", "right")[column]]
    return " ".join(word for word in words if word) or "middle"


def verdict(sanity: float) -> str:
    """How to read the correlation with the map of random weights, in one sentence."""
    if abs(sanity) < 0.3:
        return "random weights give another map, as they should"
    if abs(sanity) < 0.6:
        return "a part of this map is there with random weights too"
    return "random weights give nearly the same order of places: do not rely on this map"


def unseen(explanation: Explanation) -> str:
    """What part of the picture the tower did not see, in one sentence; empty if it saw all."""
    width, height = explanation.size
    x0, y0, x1, y1 = (round(edge) for edge in explanation.seen)
    if (x0, y0, x1, y1) == (0, 0, width, height):
        return ""
    return f"the model saw only x {x0} to {x1} and y {y0} to {y1} of {width} x {height} pixels"
