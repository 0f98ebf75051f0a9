"""The drawings of the page, each a pure function from numbers to SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from contralto.adaptation.curve import Curve
from contralto.adaptation.measure import MixPoint
from contralto.adaptation.verdict import Verdict
from contralto.evaluation.outcome import Figure
from contralto.evaluation.report.svg import Frame, Point, drawing, label, line, padded_range, ticks
from contralto.evaluation.report.words import shortened, signed

TICK_ROOM: Final = 24.0  # pixels between the names of two ticks
LETTER: Final = 6.2  # pixels, of a label
ENDS: Final = {0.0: "0: base", 1.0: "1: adapted"}
Box = tuple[float, float, float, float]


def differences(title: str, rows: Sequence[tuple[str, Verdict]]) -> str:
    """Differences with their intervals against zero, a row each, in points."""
    values = [0.0, *(v for _, one in rows for v in (one.low, one.high, one.difference))]
    room = max(0.1 * (max(values) - min(values)), 0.01)
    shown = (min(values) - room, max(values) + room)
    name_width = 6.6 * max(min(len(name), 24) for name, _ in rows) + 20
    frame = Frame(shown, (0, 1), 440, 30 * len(rows) + 62, left=name_width, right=56, top=6, bottom=56)
    base, body = frame.height - frame.bottom, []
    for value, _ in ticks(*shown, max_steps=5):
        body.append(line((frame.across(value), frame.top), (frame.across(value), base), "grid"))
        caption = "0" if abs(value) < 1e-9 else f"{100 * value:+.0f}".replace("-", "−")
        body.append(label((frame.across(value), base + 16), caption, "tick", "middle"))
    body.append(line((frame.across(0), frame.top), (frame.across(0), base), "zero"))
    body.append(label((frame.across((shown[0] + shown[1]) / 2), frame.height - 8), "points", "name", "middle"))
    for place, (name, one) in enumerate(rows):
        height = frame.top + 30 * place + 18
        body.append(label((frame.left - 12, height + 4), shortened(name, 24), "row", "end"))
        body.append(line((frame.across(one.low), height), (frame.across(one.high), height), "whisker"))
        body.append(f'<circle class="mark" cx="{frame.across(one.difference):.1f}" cy="{height}" r="4.5"/>')
        body.append(label((frame.width - frame.right + 10, height + 4), signed(100 * one.difference), "row"))
    about = "Dots: differences. Lines: 95% intervals. The upright line is zero."
    return drawing(title, about, frame.width, frame.height, "".join(body))


def learning(curve: Curve) -> str:
    """Accuracy over pictures a class, on a logarithmic axis: each draw, the mean, and zero-shot as a dashed line."""
    places, means = [math.log2(count) for count in curve.shots], curve.means
    values = [curve.zero_shot, *(value for draws in curve.accuracies for value in draws)]
    frame = Frame((places[0] - 0.3, places[-1] + 0.3), padded_range(values), 400, 290)
    marks = _apart([(place, str(count)) for place, count in zip(places, curve.shots, strict=True)], frame)
    body = [frame.axes(marks, ticks(*frame.y, max_steps=5), "fitted pictures a class, at most")]
    body.append(frame.path([(frame.x[0], curve.zero_shot), (frame.x[1], curve.zero_shot)], "guide"))
    below = means[-1] > curve.zero_shot and frame.down(curve.zero_shot) + 18 < frame.height - frame.bottom
    height = frame.down(curve.zero_shot) + (15 if below else -6)
    body.append(label((frame.width - frame.right - 4, height), "zero-shot", "name", "end"))
    body.append(frame.path(list(zip(places, means, strict=True)), "curve"))
    for place, count, draws, mean in zip(places, curve.shots, curve.accuracies, means, strict=True):
        if len(draws) > 1:
            body += [frame.dot((place, one), "draw", f"{count} a class, one draw: {one:.1%}", 3) for one in draws]
        body.append(frame.dot((place, mean), "mark", f"{count} a class: {mean:.1%}", 4.5))
    about = "; ".join(f"{count} a class: {mean:.1%}" for count, mean in zip(curve.shots, means, strict=True))
    return drawing("Learning curve", f"zero-shot: {curve.zero_shot:.1%}; {about}", 400, frame.height, "".join(body))


def over_mix(points: Sequence[MixPoint], ends: Sequence[Figure | None]) -> str:
    """Accuracy over the mix. ends: the figures at mix 0 and 1, whose intervals are drawn."""
    known = [value for one in ends if one for value in (one.low, one.high) if value is not None]
    frame = Frame((-0.04, 1.04), padded_range([*(one.accuracy for one in points), *known]), 400, 290, right=42)
    marks = [(0.0, "0: zero-shot"), (0.25, "0.25"), (0.5, "0.5"), (0.75, "0.75"), (1.0, "1: adapted")]
    body = [frame.axes(marks, ticks(*frame.y, max_steps=5), "mix")]
    for place, one in zip((0.0, 1.0), ends, strict=True):
        if one and one.low is not None and one.high is not None:
            body.append(frame.whisker(place, one.low, one.high, "whisker"))
    body.append(frame.path([(one.mix, one.accuracy) for one in points], "curve"))
    body += [_mix_dot(frame, one, (one.mix, one.accuracy)) for one in points]
    about = "; ".join(f"{one.mix:g}: {one.accuracy:.1%}" for one in points)
    return drawing("Accuracy over the mix", about, 400, frame.height, "".join(body))


def own_and_kept(
    points: Sequence[MixPoint], own: Sequence[Figure | None], kept: Sequence[Figure | None], kept_name: str
) -> str:
    """What is kept over the own accuracy, a labelled point for each mix (WiSE-FT). own, kept: the figures at mix 0 and
    1, whose intervals are drawn; kept_name: plain text.
    """
    drawn = [(one, (one.accuracy, one.kept)) for one in points if one.kept is not None]
    bounds = [[v for one in ends if one for v in (one.low, one.high) if v is not None] for ends in (own, kept)]
    across = padded_range([*(at[0] for _, at in drawn), *bounds[0]])
    up = padded_range([*(at[1] for _, at in drawn), *bounds[1]])
    frame = Frame(across, up, 460, 360, top=28, right=28)
    axes = frame.axes(ticks(*across, max_steps=6), ticks(*up, max_steps=6), "own pictures", shortened(kept_name, 40))
    spans = _spans(frame, [drawn[0][1], drawn[-1][1]], own, kept)
    body = [axes, *(line(start, end, "whisker") for start, end in spans)]
    body.append(frame.path([at for _, at in drawn], "base"))
    body += [_mix_dot(frame, one, at) for one, at in drawn]
    body.append(_mix_names(frame, drawn, spans))
    about = "; ".join(f"mix {one.mix:g}: {at[0]:.1%} own, {at[1]:.1%} kept" for one, at in drawn)
    return drawing("Own accuracy and what is kept", about, 460, frame.height, "".join(body))


def _spans(
    frame: Frame, ends: Sequence[Point], own: Sequence[Figure | None], kept: Sequence[Figure | None]
) -> list[tuple[Point, Point]]:
    """The intervals at both ends, across and up, as lines between pixels."""
    spans = []
    for (x, y), flat, upright in zip(ends, own, kept, strict=True):
        at = frame.across(x), frame.down(y)
        if flat and flat.low is not None and flat.high is not None:
            spans.append(((frame.across(flat.low), at[1]), (frame.across(flat.high), at[1])))
        if upright and upright.low is not None and upright.high is not None:
            spans.append(((at[0], frame.down(upright.high)), (at[0], frame.down(upright.low))))
    return spans


def _mix_dot(frame: Frame, one: MixPoint, at: Point) -> str:
    """A dot; filled at mix 1, which is what the folder loads as."""
    kept = "" if one.kept is None else f", kept {one.kept:.1%}"
    caption = f"mix {one.mix:g}: {one.accuracy:.1%}{kept}"
    return frame.dot(at, "mark" if one.mix == 1 else "open", caption, 5.5 if one.mix == 1 else 4)


def _mix_names(frame: Frame, drawn: Sequence[tuple[MixPoint, Point]], spans: Sequence[tuple[Point, Point]]) -> str:
    """The mix beside each point, where there is room: no name lies on another, on a dot or on a span."""
    names: dict[Point, list[float]] = {}
    for one, at in drawn:  # points at one place share a name
        names.setdefault((round(frame.across(at[0])), round(frame.down(at[1]))), []).append(one.mix)
    taken: list[Box] = [(x - 5, y - 5, x + 5, y + 5) for x, y in names]
    taken += [(start[0] - 1, start[1] - 1, end[0] + 1, end[1] + 1) for start, end in spans]
    body = []
    for place in sorted(names, key=lambda one: not {0.0, 1.0} & set(names[one])):  # the ends first
        several = [ENDS.get(mix, f"{mix:g}") for mix in names[place]]
        is_run = len(several) > 2 and names[place][-1] - names[place][0] < 0.1 * len(several)
        caption = f"{several[0]} to {several[-1]}" if is_run else ", ".join(several)
        if (spot := _free_spot(frame, place, caption, taken)) is not None:
            taken.append(spot)
            body.append(label((spot[0], spot[3] - 2), caption, "row"))
    return "".join(body)


def _free_spot(frame: Frame, place: Point, caption: str, taken: Sequence[Box]) -> Box | None:
    """The box of a name around a point; None if every place is taken."""
    (x, y), width, tall = place, LETTER * len(caption), 12.0
    beside, over, under = y - 6, y - 6 - tall, y + 6
    corners = [(x + 7, over), (x + 9, beside), (x + 7, under), (x - 7 - width, under), (x - 9 - width, beside)]
    corners += [(x - 7 - width, over), (x - width / 2, over - 3), (x - width / 2, under + 3)]
    for left, top in corners:
        box = (left, top, left + width, top + tall)
        inside = box[0] > frame.left and box[2] < frame.width and box[1] > 14 and box[3] < frame.height - frame.bottom
        if inside and not any(_overlap(box, other) for other in taken):
            return box
    return None


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _apart(marks: Sequence[tuple[float, str]], frame: Frame) -> list[tuple[float, str]]:
    """The ticks whose names don't touch; of two that do, the later counts."""
    kept: list[tuple[float, str]] = []
    for mark in reversed(marks):
        if not kept or frame.across(kept[-1][0]) - frame.across(mark[0]) >= TICK_ROOM:
            kept.append(mark)
    return kept[::-1]
