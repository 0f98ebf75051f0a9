"""More pictures, and less of the change: the learning curve, and the figures over the mix with the base."""

from __future__ import annotations

from contralto.adaptation.measure import Measured
from contralto.adaptation.page import plots
from contralto.adaptation.page.words import more_pictures, share
from contralto.adaptation.report import AdaptationReport
from contralto.evaluation.outcome import Figure, Outcome
from contralto.evaluation.report.document import plot_figure
from contralto.evaluation.report.words import metric, text

OTHER_MIX = "<pre>contralto classify PICTURE --model DIR --mix 0.5</pre>"
OTHER_MIX_OF_CAPTIONS = '<pre>contralto search FOLDER "some words" --model DIR --mix 0.5</pre>'


def learning_curve(report: AdaptationReport) -> str:
    """Accuracy over the number of fitted pictures. Empty without a curve."""
    curve, n = report.measured.curve, len(report.data.items)
    if curve is None:
        return ""
    one = f" One measured picture counts for {100 / n:.1f} points." if 0 < n < 200 else ""
    about = "Small dots: draws of the pictures. Line: their mean. Dashed: zero-shot."
    drawn = plot_figure("Learning curve", about, plots.learning(curve))
    return f'<p class="plain">{more_pictures(curve, n)}{one}</p><div class="plots">{drawn}</div>'


def mixes(report: AdaptationReport) -> str:
    """The figures over the mix. Empty if none were measured."""
    measured = report.measured
    if not measured.mixes:
        return ""
    drawn = _own_and_kept(report) if any(one.kept is not None for one in measured.mixes) else _over_mix(report)
    how = "The change can be mixed with the base: 0 is the base, 1 is all of the change. This folder loads at 1."
    command = OTHER_MIX if report.described.classes else OTHER_MIX_OF_CAPTIONS
    other = "Another mix, for example half of the change:"
    return (
        f'<p class="plain">{how}{_best_mix(measured)}</p><div class="plots">{drawn}</div>'
        f'<p class="plain">{other}</p>{command}'
    )


def _best_mix(measured: Measured) -> str:
    """A warning where another mix than 1 looks best. Empty otherwise."""
    best = max(measured.mixes, key=lambda one: (one.accuracy, one.mix))
    if best.mix == 1:
        return ""
    seen = f" Here {best.mix:g} looks best, with {share(best.accuracy)}."
    return f"{seen} A mix that is picked on these pictures looks better than it is: measure it on others."


def _over_mix(report: AdaptationReport) -> str:
    name, *ends = _ends(report.measured)
    about = f"{metric(name) if name else 'Accuracy'} of the measured pictures."
    return plot_figure("Over the mix", about, plots.over_mix(report.measured.mixes, ends))


def _own_and_kept(report: AdaptationReport) -> str:
    """The plot of WiSE-FT (Wortsman et al. 2022): own accuracy across, what is kept up."""
    measured = report.measured
    _, *own = _ends(measured)
    if measured.kept:
        first = measured.kept[0]
        title = first.set
        kept = [_figure(one, first.verdict.metric) for one in (first.before, first.after)]
        about = f"Across: the measured pictures. Up: {metric(first.verdict.metric)} on {text(first.set)}."
    else:
        title, kept = "agreement with the base", [None, None]
        about = "Across: the measured pictures. Up: how often the best of 1,000 names is the base’s."
    drawn = plots.own_and_kept(measured.mixes, own, kept, title)
    return plot_figure("Own pictures and the rest", f"{about} A point for each mix.", drawn)


def _ends(measured: Measured) -> tuple[str | None, Figure | None, Figure | None]:
    """The metric that is drawn over the mix, and its figures at 0 and 1: of those that agree with both ends, the
    verdict's comes first.
    """
    first, last = measured.mixes[0].accuracy, measured.mixes[-1].accuracy
    names = [measured.verdict.metric, *(one.metric for one in measured.zero_shot.figures)]
    for name in names:
        ends = [_figure(one, name) for one in (measured.zero_shot, measured.adapted)]
        values = [one.value for one in ends if one is not None]
        if len(values) == 2 and max(abs(values[0] - first), abs(values[1] - last)) < 1e-6:
            return name, ends[0], ends[1]
    return None, None, None


def _figure(outcome: Outcome, name: str) -> Figure | None:
    return next((one for one in outcome.figures if one.metric == name), None)
