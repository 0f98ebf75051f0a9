"""The plots of a report, each a pure function from numbers to SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contralto.evaluation.outcome import Figure
from contralto.evaluation.report.svg import Frame, box, drawing, label, line, logit, padded_range, polyline, ticks
from contralto.evaluation.report.words import number, percent, shortened
from contralto.metrics.calibration import Bins
from contralto.metrics.intervals import clopper_pearson

QUARTER_TICKS = [(v, percent(v)) for v in (0.0, 0.25, 0.5, 0.75, 1.0)]


class PlotPoint(NamedTuple):
    """A value at x, with its interval if it has one."""

    x: float
    value: float
    low: float | None = None
    high: float | None = None


def plot_point(x: float, figure: Figure) -> PlotPoint:
    """A figure at x."""
    return PlotPoint(x, figure.value, figure.low, figure.high)


def reliability(bins: Bins) -> str:
    """Accuracy over confidence by bin, with 95% intervals; below, the number of items per bin."""
    frame, tall = Frame((0, 1), (0, 1), 400, 330, top=26, bottom=92), 36
    strip = Frame((0, 1), (0, max(int(bins.count.max()), 1)), 400, 330, top=frame.height - 42 - tall)
    body = [frame.axes([], QUARTER_TICKS, "", "accuracy"), frame.path([(0, 0), (1, 1)], "guide")]
    body.append(strip.axes(QUARTER_TICKS, [(strip.y[1], f"{strip.y[1]:,.0f}")], "confidence, and items per bin"))
    for low, high, count, confidence, accuracy in zip(
        bins.low, bins.high, bins.count, bins.confidence, bins.accuracy, strict=True
    ):
        if not count:
            continue
        left, right = frame.across(low) + 1, frame.across(high) - 1
        top, base = frame.down(accuracy), frame.down(0)
        caption = f"confidence {confidence:.1%}, accuracy {accuracy:.1%}, {count} items"
        body.append(box(left, top, right - left, base - top, "bar", caption, opacity=0.1 + 0.25 * count / strip.y[1]))
        body.append(frame.whisker(confidence, *clopper_pearson(round(accuracy * count), count), "whisker"))
        body.append(frame.dot((confidence, accuracy), "mark", caption, 3.5))
        body.append(box(left, strip.down(count), right - left, strip.down(0) - strip.down(count), "count", caption))
    about = "Bars: accuracy in bins of the model's confidence. The diagonal is perfect calibration."
    return drawing("Reliability", about, frame.width, frame.height, "".join(body))


def curve(
    title: str,
    points: Sequence[PlotPoint],
    names: Sequence[str],
    x_name: str,
    reference: tuple[str, float] | None = None,
    limits: tuple[float, float] | None = None,
    size: tuple[float, float] = (400, 280),
) -> str:
    """One line over evenly spaced places, with whiskers; a dashed line at `reference`, a name and a value."""
    places = [one.x for one in points]
    values = [v for one in points for v in (one.value, one.low, one.high) if v is not None]
    values += [reference[1]] if reference else []
    room = 0.35 * (max(places) - min(places) or 1) / max(len(places), 1)
    frame = Frame((min(places) - room, max(places) + room), limits or padded_range(values), *size)
    body = [frame.axes(list(zip(places, names, strict=True)), ticks(*frame.y, max_steps=5), x_name)]
    if reference:
        body.append(frame.path([(frame.x[0], reference[1]), (frame.x[1], reference[1])], "guide"))
        above = frame.down(reference[1]) - 5
        body.append(label((frame.left + 4, above if above > 14 else above + 17), reference[0], "name"))
    body.append(frame.path([(one.x, one.value) for one in points], "curve"))
    for one, name in zip(points, names, strict=True):
        if one.low is not None and one.high is not None:
            body.append(frame.whisker(one.x, one.low, one.high, "whisker"))
        body.append(frame.dot((one.x, one.value), "mark", f"{name}: {one.value:.1%}"))
    return drawing(title, f"{title} over {x_name}", frame.width, frame.height, "".join(body))


def recall(ranks: Sequence[tuple[str, NDArray[np.int64]]]) -> str:
    """The share of queries answered within the k best, over k on a logarithmic scale; one line per direction."""
    max_rank = max(10, int(max(rank.max(initial=1) for _, rank in ranks)) + 1)
    ends = [10**i for i in range(len(str(max_rank)) + 1) if 10**i <= 10 * max_rank]
    frame = Frame((0, np.log10(max_rank)), (0, 1))
    marks = [(float(np.log10(end)), f"{end:,}") for end in ends if end <= max_rank]
    body = [frame.axes(marks, QUARTER_TICKS, "k best answers")]
    for place, (name, rank) in enumerate(ranks):
        steps = np.unique(np.round(np.geomspace(1, max_rank, 80)).astype(int))
        shares = np.searchsorted(np.sort(rank), steps, side="left") / max(len(rank), 1)
        kind = "curve" if place == 0 else "curve other"
        body.append(frame.path(list(zip(np.log10(steps).tolist(), shares.tolist(), strict=True)), kind))
        height = frame.height - frame.bottom - 12 - 16 * (len(ranks) - 1 - place)
        start = frame.width - frame.right - 118
        body.append(polyline([(start - 24, height - 4), (start - 6, height - 4)], kind))
        body.append(label((start, height), name, "name"))
    about = "; ".join(f"{name}: {(rank < 1).mean():.1%} at 1, {(rank < 10).mean():.1%} at 10" for name, rank in ranks)
    return drawing("Recall at k", about, frame.width, frame.height, "".join(body))


def whiskers(title: str, rows: Sequence[tuple[str, Figure]]) -> str:
    """Values side by side as dots with their intervals, one row each, in the order given."""
    values = [v for _, one in rows for v in (one.value, one.low, one.high) if v is not None]
    name_width = 7.0 * max(min(len(name), 24) for name, _ in rows) + 16
    frame = Frame((0, 1), (0, 1), 440, 30 * len(rows) + 46, left=name_width, right=52, top=6, bottom=40)
    across = Frame(padded_range(values), (0, 1), frame.width, frame.height, frame.left, frame.right).across
    base = frame.height - frame.bottom
    body = []
    for value, caption in ticks(*padded_range(values), max_steps=5):
        body.append(line((across(value), frame.top), (across(value), base), "grid"))
        body.append(label((across(value), base + 16), caption, "tick", "middle"))
    for place, (name, one) in enumerate(rows):
        height = frame.top + 30 * place + 18
        body.append(label((frame.left - 12, height + 4), shortened(name, 24), "row", "end"))
        if one.low is not None and one.high is not None:
            body.append(line((across(one.low), height), (across(one.high), height), "whisker"))
        body.append(f'<circle class="mark" cx="{across(one.value):.1f}" cy="{height}" r="4.5"/>')
        body.append(label((frame.width - frame.right + 10, height + 4), number(one.metric, one.value), "row"))
    return drawing(title, "Dots: values. Lines: 95% intervals.", frame.width, frame.height, "".join(body))


def confusion_plot(matrix: NDArray[np.int64], names: Sequence[str]) -> str:
    """A confusion matrix: true classes down, predicted ones across, shaded by the share of the true class."""
    n = len(names)
    cell = max(9.0, min(26.0, 500 / n))
    length = 18 if n > 20 else 24
    margin = 6.4 * min(max(map(len, names)), length) + 14
    size = margin + n * cell + 4
    body = [box(margin, margin, n * cell, n * cell, "ground")]
    for i, name in enumerate(names):
        middle = margin + (i + 0.5) * cell
        caption = shortened(name, length)
        kind = "row" if cell >= 12 else "row small"
        body.append(label((margin - 6, middle + 3.5), caption, kind, "end"))
        turned = label((0, 0), caption, kind)
        body.append(f'<g transform="translate({middle + 3.5:.1f} {margin - 6:.1f}) rotate(-90)">{turned}</g>')
    totals = np.maximum(matrix.sum(axis=1), 1)
    for i, j in np.argwhere(matrix).tolist():
        share = matrix[i, j] / totals[i]
        caption = f"{names[i]} → {names[j]}: {matrix[i, j]} of {totals[i]}"
        kind = "right" if i == j else "wrong"
        corner = (margin + j * cell + 0.5, margin + i * cell + 0.5)
        body.append(box(*corner, cell - 1, cell - 1, kind, caption, opacity=0.12 + 0.88 * share))
        if cell >= 20:
            ink = "in" if share > 0.55 else "cell"
            at = (margin + (j + 0.5) * cell, margin + (i + 0.5) * cell + 3.5)
            body.append(label(at, str(matrix[i, j]), ink, "middle"))
    return drawing("Confusion", "Rows: true classes. Columns: predicted classes.", size, size, "".join(body))


def shift(
    title: str,
    points: Sequence[tuple[str, float, float]],
    others: Sequence[tuple[str, float, float]],
    baseline: Sequence[tuple[float, float]],
    limits: tuple[float, float],
) -> str:
    """Accuracy on a shifted data set over accuracy on the original, both on the logit scale: (name, original, shifted).

    points: the model's; others: the points that define the baseline, a line through two of them. On the dashed line,
    accuracy does not change; effective robustness is how far a point lies above the baseline.
    """
    frame = Frame(limits, limits, 260, 240, top=8, x_scale=logit, y_scale=logit)
    marks = [(v, percent(v)) for v in (0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99) if limits[0] <= v <= limits[1]]
    body = [frame.axes(marks, marks, "top-1 on ImageNet"), frame.path([(v, v) for v in limits], "guide")]
    if baseline:
        body.append(frame.path(baseline, "base"))
    body += [frame.dot((x, y), "hollow", f"{name}: {x:.1%} → {y:.1%}") for name, x, y in others]
    body += [frame.dot((x, y), "mark", f"{name}: {x:.1%} → {y:.1%}", 5) for name, x, y in points]
    about = "; ".join(f"{name}: {x:.1%} to {y:.1%}" for name, x, y in points)
    return drawing(title, about, frame.width, frame.height, "".join(body))


def interval_track(figure: Figure) -> str:
    """A figure's interval on a small track from 0 to 1, with chance as a tick; decoration without text."""
    width, middle = 96.0, 7.0
    body = [line((0, middle), (width, middle), "track")]
    if figure.low is not None and figure.high is not None:
        body.append(
            line((width * figure.low, middle), (max(width * figure.high, width * figure.low + 1), middle), "span")
        )
    if figure.chance is not None:
        body.append(line((width * figure.chance, 2), (width * figure.chance, 12), "chance"))
    body.append(f'<circle class="mark" cx="{width * figure.value:.1f}" cy="{middle}" r="3.5"/>')
    return f'<svg class="strip" viewBox="-4 0 {width + 8:.0f} 14" aria-hidden="true">{"".join(body)}</svg>'
