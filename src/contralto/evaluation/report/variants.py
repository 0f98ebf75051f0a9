"""The outcomes of one split of a data set by condition: as it is, and the families that become a plot each."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from contralto.evaluation.outcome import Figure, Outcome


@dataclass(eq=False)
class SplitOutcomes:
    """The outcomes of one split of a data set.

    others: every outcome that belongs to no family, in order. templates: name of a template set -> outcome. few_shot:
    pictures per class -> outcome. corruptions: name -> severity -> outcome.
    """

    set: str
    split: str
    others: list[Outcome] = field(default_factory=list)
    templates: dict[str, Outcome] = field(default_factory=dict)
    few_shot: dict[int, Outcome] = field(default_factory=dict)
    corruptions: dict[str, dict[int, Outcome]] = field(default_factory=dict)

    @property
    def main(self) -> Outcome | None:
        """The outcome of the data set as it is."""
        return next((one for one in self.others if one.is_plain), None)

    @property
    def first(self) -> list[Outcome]:
        """The outcomes that readers look for first: the data set as it is, and a linear probe. Others publish both."""
        return [one for one in self.others if one.is_plain or one.condition.kind == "linear_probe"]

    @property
    def conditions(self) -> list[Outcome]:
        """All other outcomes: other conditions and other probes."""
        return [one for one in self.others if one not in self.first]

    @property
    def all(self) -> list[Outcome]:
        """Every outcome."""
        severities = [one for each in self.corruptions.values() for one in each.values()]
        return [*self.others, *self.templates.values(), *self.few_shot.values(), *severities]

    def add(self, outcome: Outcome) -> None:
        """Adds an outcome to its family."""
        condition = outcome.condition
        match condition.kind:
            case "templates":
                self.templates[condition.name] = outcome
            case "few_shot":
                self.few_shot[condition.level] = outcome
            case "corruption":
                self.corruptions.setdefault(condition.name, {})[condition.level] = outcome
            case _:
                self.others.append(outcome)


def by_split(outcomes: Iterable[Outcome]) -> list[SplitOutcomes]:
    """The outcomes by data set and split, in order of first appearance."""
    splits: dict[tuple[str, str], SplitOutcomes] = {}
    for one in outcomes:
        splits.setdefault((one.set, one.split), SplitOutcomes(one.set, one.split)).add(one)
    return list(splits.values())


def headline(outcome: Outcome, metric: str | None = None) -> Figure | None:
    """The figure of that metric, or else the first one, which is the data set's own metric; None if it has no value."""
    named = [one for one in outcome.figures if one.metric == metric] or outcome.figures
    return named[0] if named and math.isfinite(named[0].value) else None
