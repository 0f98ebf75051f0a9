"""How names and numbers are said on the page. Whatever comes from data is escaped here."""

from __future__ import annotations

import math
import re
from html import escape

from contralto.errors import one_line
from contralto.evaluation.outcome import Figure

LIMIT = 400
METRICS = {
    "top1": "top-1",
    "top5": "top-5",
    "mean_per_class": "mean per class",
    "mean_top1_top5": "mean of top-1 and top-5",
    "map11": "11-point mAP",
    "auc": "ROC AUC",
    "ece": "ECE",
    "ece_tempered": "ECE, tempered",
}
DIRECTED = re.compile(r"(r\d+|share\d+|median_rank)_(image|text)_to_(text|image)")


def text(given: object, limit: int = LIMIT) -> str:
    """Anything as one line of HTML text, also fit for an attribute in double quotes."""
    return escape(one_line(str(given), limit))


def metric(name: str) -> str:
    """A metric's name for people, as HTML text."""
    if found := DIRECTED.fullmatch(name):
        kind, given, wanted = found.groups()
        k = kind.lstrip("share")
        what = {f"r{k}": f"R@{k}", f"share{k}": f"share of captions @{k}"}.get(kind, "median rank")
        return f"{what}, {given} → {wanted}"
    return text(METRICS.get(name, name.replace("_", " ")))


def is_share(name: str) -> bool:
    """Whether the metric lies in 0..1; ranks count from 1."""
    return not name.startswith("median_rank")


def number(name: str, value: float) -> str:
    """A metric's value: shares in percent without the sign, with one digit."""
    if math.isnan(value):
        return "–"
    return f"{100 * value:.1f}" if is_share(name) else f"{value:g}"


def signed(points: float) -> str:
    """A difference in percentage points, with its sign and one digit."""
    said = f"{points:+.1f}".replace("-", "−")
    return "0.0" if said[1:] == "0.0" else said


def interval(figure: Figure) -> str:
    """The 95% interval, or nothing."""
    if figure.low is None or figure.high is None:
        return ""
    return f"[{number(figure.metric, figure.low)}, {number(figure.metric, figure.high)}]"


def percent(value: float) -> str:
    """A share in whole percent."""
    return f"{100 * value:.0f}%"


def shortened(name: str, length: int) -> str:
    """A name of at most `length` characters, not escaped."""
    return name if len(name) <= length else name[: length - 1].rstrip() + "…"
