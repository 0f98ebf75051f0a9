"""Robustness to natural shifts: ImageNet against the sets that show its classes differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from contralto.evaluation.outcome import Outcome
from contralto.evaluation.published import published
from contralto.evaluation.report import plots
from contralto.evaluation.report.variants import Measured, headline
from contralto.evaluation.report.words import text
from contralto.metrics.robustness import effective_robustness

ORIGIN = "imagenet"
SHIFTED = ("imagenet_v2", "imagenet_a", "imagenet_r", "imagenet_sketch", "objectnet")
SUPERVISED = ("ResNet-101", "EfficientNet-L2 Noisy Student")


class Shift(NamedTuple):
    """A shifted set: accuracy on ImageNet and on it, and the supervised models' pairs of both."""

    set: str
    origin: float
    shifted: float
    others: list[tuple[str, float, float]]


def robustness(found: Sequence[Measured]) -> str:
    """The section, empty unless ImageNet and at least one shifted set were measured."""
    shifts = _shifts({one.set: one.main for one in found if one.main is not None})
    if not shifts:
        return ""
    others = [(f"{name}, {shift.set}", x, y) for shift in shifts for name, x, y in shift.others]
    drawn = plots.shift([(shift.set, shift.origin, shift.shifted) for shift in shifts], others)
    rows = "".join(_row(shift) for shift in shifts)
    names = ("set", "top-1", "against ImageNet", "effective robustness")
    head = "".join(f'<th scope="col"{" class=n" if place else ""}>{name}</th>' for place, name in enumerate(names))
    return f"""<section id="robustness">
<h2>Robustness</h2>
<p class="about">Top-1 on sets that show the classes of ImageNet differently. Effective robustness: how far it lies
above the line, on the logit scale, through the two supervised models that the CLIP paper compares with (ResNet-101 and
Noisy Student EfficientNet-L2, hollow dots). Two models are a thin baseline: read it as an indication. ImageNet-A and R
have 200 of the 1,000 classes.</p>
<div class="plots"><figure class="plot">{drawn}</figure>
<div><table class="pairs"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></div>
</section>
"""


def _shifts(mains: dict[str, Outcome]) -> list[Shift]:
    origin = headline(mains[ORIGIN], "top1") if ORIGIN in mains else None
    found = []
    for name in SHIFTED:
        figure = headline(mains[name], "top1") if name in mains else None
        if origin is not None and figure is not None and figure.metric == origin.metric == "top1":
            found.append(Shift(name, origin.value, figure.value, _supervised(name)))
    return found


def _supervised(name: str) -> list[tuple[str, float, float]]:
    pairs = ((model, published(model, ORIGIN, "top1"), published(model, name, "top1")) for model in SUPERVISED)
    return [(model, origin[0].value, shifted[0].value) for model, origin, shifted in pairs if origin and shifted]


def _row(shift: Shift) -> str:
    robust = "–"
    if len(shift.others) > 1 and all(0 < share < 1 for share in (shift.origin, shift.shifted)):
        pairs = [(x, y) for _, x, y in shift.others]
        robust = f"{100 * effective_robustness(shift.origin, shift.shifted, pairs):+.1f}"
    cells = (f"{100 * shift.shifted:.1f}", f"{100 * (shift.shifted - shift.origin):+.1f}", robust)
    return f"<tr><td>{text(shift.set)}</td>{''.join(f'<td class=n>{cell}</td>' for cell in cells)}</tr>"
