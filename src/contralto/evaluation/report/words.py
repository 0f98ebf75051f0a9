"""Formats names and numbers for the page. All text that comes from data is escaped here."""

from __future__ import annotations

import math
from html import escape
from typing import Final

from contralto.errors import one_line
from contralto.evaluation.metric_table import metric_named
from contralto.evaluation.outcome import Figure

TEXT_LIMIT: Final = 400


def text(given: object, limit: int = TEXT_LIMIT) -> str:
    """Anything as one line of HTML text, also safe in an attribute in double quotes."""
    return escape(one_line(str(given), limit))


def metric(name: str) -> str:
    """A metric's title, as HTML text."""
    return text(metric_named(name).title)


def is_share(name: str) -> bool:
    """Whether the metric lies in 0..1; ranks count from 1."""
    return metric_named(name).unit == "share"


def number(name: str, value: float) -> str:
    """A metric's value: shares in percent without the sign, with one digit."""
    if math.isnan(value):
        return "–"
    return f"{100 * value:.1f}" if is_share(name) else f"{value:g}"


def signed(points: float) -> str:
    """A difference in percentage points, with its sign and one digit."""
    shown = f"{points:+.1f}".replace("-", "−")
    return "0.0" if shown[1:] == "0.0" else shown


def interval(figure: Figure) -> str:
    """The 95% interval, or an empty string."""
    if figure.low is None or figure.high is None:
        return ""
    return f"[{number(figure.metric, figure.low)}, {number(figure.metric, figure.high)}]"


def p_value(p: float) -> str:
    """The p of a test: "p = 0.012", "p < 0.001"; not escaped."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3g}"


def percent(value: float) -> str:
    """A share in whole percent."""
    return f"{100 * value:.0f}%"


def shortened(name: str, length: int) -> str:
    """A name of at most `length` characters, not escaped."""
    return name if len(name) <= length else name[: length - 1].rstrip() + "…"
