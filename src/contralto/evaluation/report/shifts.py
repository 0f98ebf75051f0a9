"""Robustness to natural shifts: ImageNet against the data sets that show its classes differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from contralto.evaluation.outcome import Outcome
from contralto.evaluation.published_figures import published
from contralto.evaluation.report import plots
from contralto.evaluation.report.variants import SplitOutcomes
from contralto.evaluation.report.words import signed, text
from contralto.metrics.robustness import effective_robustness

ShiftPoint: TypeAlias = tuple[str, float, float]
"""(name, accuracy on ImageNet, accuracy on the shifted data set)"""

ORIGIN: Final = "imagenet"
SHIFTED: Final = ("imagenet_v2", "imagenet_a", "imagenet_r", "imagenet_sketch", "objectnet")
BASELINE_RANGE: Final = tuple(i / 200 for i in range(140, 185))  # accuracies on ImageNet
SUPERVISED: Final = ("ResNet-101", "EfficientNet-L2 Noisy Student")


class Shift(NamedTuple):
    """A shifted data set. own: the model, as it is and under other conditions (a linear probe); others: the supervised
    models.
    """

    set: str
    own: list[ShiftPoint]
    others: list[ShiftPoint]

    def expected(self, origin: float) -> float | None:
        """The accuracy of a standard model with that accuracy on ImageNet; None without a baseline."""
        if len(self.others) < 2 or not 0 < origin < 1:
            return None
        return 0.5 - effective_robustness(origin, 0.5, [(x, y) for _, x, y in self.others])


def robustness(splits: Sequence[SplitOutcomes]) -> str:
    """The section, empty unless ImageNet and at least one shifted set were measured."""
    shifts = _shifts(splits)
    if not shifts:
        return ""
    values = [v for shift in shifts for _, *pair in (*shift.own, *shift.others) for v in pair]
    limits = (max(0.005, 0.7 * min(values)), min(0.995, 1 - 0.6 * (1 - max(values))))
    panels = "".join(_panel(shift, limits) for shift in shifts)
    rows = "".join(_row(shift, *own) for shift in shifts for own in shift.own)
    kinds = {"set": "", "measured": "", "top-1": "n", "against ImageNet": "n", "expected": "n", "effective": "n"}
    head = "".join(f'<th scope="col" class="{kind}">{name}</th>' for name, kind in kinds.items())
    return f"""<section id="robustness">
<h2>Robustness</h2>
<p class="about">Data sets that show the classes of ImageNet differently: top-1 there over top-1 on ImageNet, on logit
scales. Dashed: no loss. Solid: the line through the two supervised models that the CLIP paper compares with (hollow:
ResNet-101 and Noisy Student EfficientNet-L2). Effective robustness is how far a point lies above that line. Two models
are a thin baseline, and ImageNet-A and R have 200 of the 1,000 classes: this is an indication only.</p>
<div class="panels shifts">{panels}</div>
<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>
</section>
"""


def _shifts(splits: Sequence[SplitOutcomes]) -> list[Shift]:
    shares = {
        (one.set, one.variant): share for each in splits for one in each.others if (share := _top1(one)) is not None
    }
    variants = [variant for name, variant in shares if name == ORIGIN]
    own = {
        name: [
            (variant or "as it is", shares[ORIGIN, variant], shares[name, variant])
            for variant in variants
            if (name, variant) in shares
        ]
        for name in SHIFTED
    }
    return [Shift(name, pairs, _supervised(name)) for name, pairs in own.items() if pairs]


def _top1(outcome: Outcome) -> float | None:
    return next((one.value for one in outcome.figures if one.metric == "top1"), None)


def _supervised(name: str) -> list[ShiftPoint]:
    pairs = ((model, published(model, ORIGIN, "top1"), published(model, name, "top1")) for model in SUPERVISED)
    return [(model, origin[0].value, shifted[0].value) for model, origin, shifted in pairs if origin and shifted]


def _panel(shift: Shift, limits: tuple[float, float]) -> str:
    known = [(x, y) for x in BASELINE_RANGE if (y := shift.expected(x)) is not None]
    line = [(x, y) for x, y in known if limits[0] <= y <= limits[1]]
    drawn = plots.shift(shift.set, shift.own, shift.others, line, limits)
    return f'<figure class="panel"><figcaption>{text(shift.set)}</figcaption>{drawn}</figure>'


def _row(shift: Shift, name: str, origin: float, shifted: float) -> str:
    expected = shift.expected(origin)
    known = ("–", "–") if expected is None else (f"{100 * expected:.1f}", signed(100 * (shifted - expected)))
    cells = (f"{100 * shifted:.1f}", signed(100 * (shifted - origin)), *known)
    numbers = "".join(f'<td class="n">{cell}</td>' for cell in cells)
    return f'<tr><td>{text(shift.set)}</td><td class="soft">{text(name)}</td>{numbers}</tr>'
