"""The shapes of a plot as SVG text: axes, lines, dots and whiskers, and a frame that maps values to pixels.

Colours are CSS classes, which style.py defines for light and dark. Coordinates are pixels of the plot's own box.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from contralto.evaluation.report.words import text

Point = tuple[float, float]


def linear_scale(value: float) -> float:
    """The scale of plain values."""
    return value


def logit(share: float) -> float:
    """log(p / (1 - p)): on this scale, accuracies of many models lie on a line. Kept finite at 0 and 1."""
    inside = min(max(share, 1e-4), 1 - 1e-4)
    return math.log(inside / (1 - inside))


@dataclass(frozen=True)
class Frame:
    """A plotting area within a box of width by height, over ranges of x and y on the given scales."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: float = 400
    height: float = 280
    left: float = 44
    right: float = 20
    top: float = 14
    bottom: float = 42
    x_scale: Callable[[float], float] = linear_scale
    y_scale: Callable[[float], float] = linear_scale

    def across(self, value: float) -> float:
        """Pixels from the left."""
        low, high = map(self.x_scale, self.x)
        return self.left + (self.x_scale(value) - low) / (high - low) * (self.width - self.left - self.right)

    def down(self, value: float) -> float:
        """Pixels from the top."""
        low, high = map(self.y_scale, self.y)
        return (
            self.height
            - self.bottom
            - (self.y_scale(value) - low) / (high - low) * (self.height - self.top - self.bottom)
        )

    def axes(
        self,
        x_ticks: Iterable[tuple[float, str]],
        y_ticks: Iterable[tuple[float, str]],
        x_name: str = "",
        y_name: str = "",
    ) -> str:
        """Faint lines at the y ticks, the x axis, and the names of both axes (plain text)."""
        base, end = self.height - self.bottom, self.width - self.right
        parts = [line((self.left, self.down(v)), (end, self.down(v)), "grid") for v, _ in y_ticks]
        parts += [label((self.left - 7, self.down(v) + 3.5), caption, "tick", "end") for v, caption in y_ticks]
        parts += [line((self.left, base), (end, base), "axis")]
        parts += [line((self.across(v), base), (self.across(v), base + 4), "axis") for v, _ in x_ticks]
        parts += [label((self.across(v), base + 16), caption, "tick", "middle") for v, caption in x_ticks]
        if x_name:
            parts.append(label(((self.left + end) / 2, self.height - 6), x_name, "name", "middle"))
        if y_name:
            parts.append(label((0, 11), y_name, "name"))
        return "".join(parts)

    def path(self, points: Sequence[Point], kind: str) -> str:
        """A line through values."""
        return polyline([(self.across(x), self.down(y)) for x, y in points], kind)

    def dot(self, at: Point, kind: str, caption: str, radius: float = 4) -> str:
        """A dot at a value; `caption` appears under the pointer."""
        x, y = self.across(at[0]), self.down(at[1])
        return (
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>{text(caption)}</title></circle>'
        )

    def whisker(self, x: float, low: float, high: float, kind: str) -> str:
        """An upright interval."""
        across = self.across(x)
        return line((across, self.down(low)), (across, self.down(high)), kind)


def drawing(title: str, about: str, width: float, height: float, body: str) -> str:
    """A whole plot; `title` and `about` (plain text) describe it to screen readers."""
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" style="--wide:{width:.0f}px">'
        f"<title>{text(title)}</title><desc>{text(about, 1000)}</desc>{body}</svg>"
    )


def line(start: Point, end: Point, kind: str) -> str:
    """A straight line between pixels."""
    (x1, y1), (x2, y2) = start, end
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def polyline(points: Iterable[Point], kind: str) -> str:
    """A line through pixels."""
    return f'<polyline class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def box(x: float, y: float, width: float, height: float, kind: str, caption: str = "", opacity: float = 1) -> str:
    """A rectangle in pixels; `caption` appears under the pointer."""
    faint = f' opacity="{opacity:.2f}"' if opacity < 1 else ""
    inside = f"<title>{text(caption)}</title>" if caption else ""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" {place}{faint}>{inside}</rect>'


def label(at: Point, caption: str, kind: str, anchor: str = "start") -> str:
    """Text at a pixel."""
    return f'<text class="{kind}" x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}">{text(caption)}</text>'


def padded_range(values: Iterable[float], minimum_width: float = 0.1) -> tuple[float, float]:
    """A range of shares with some margin around all finite values, at least `minimum_width` wide, within 0..1."""
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    room = max(0.08 * (high - low), (minimum_width - (high - low)) / 2, 0.0)
    return max(0.0, low - room), min(1.0, high + room)


def ticks(low: float, high: float, max_steps: int = 6) -> list[tuple[float, str]]:
    """Round shares within a range, named in percent."""
    step = next((step for step in (0.01, 0.02, 0.05, 0.1, 0.2) if (high - low) / step <= max_steps), 0.25)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(i * step, f"{100 * i * step:.0f}%") for i in range(first, last + 1)]
