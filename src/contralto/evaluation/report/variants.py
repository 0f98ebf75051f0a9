"""The outcomes of one split of a set by what was done: the set as it is, and the families that become a plot."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from contralto.evaluation.outcome import Figure, Outcome

TEMPLATES, FEW_SHOT = re.compile(r"templates (.+)"), re.compile(r"few-shot (\d+)")
CORRUPTED = re.compile(r"([a-z_]+) ([1-5])")  # as the corruptions of sets/variants are called, and "k-NN 5" is not


@dataclass(eq=False)
class Measured:
    """One split of a set. plain: the set as it is, linear probes and whatever belongs to no family, in their order.

    templates: name of a template set -> outcome. few_shot: pictures a class -> outcome. corruptions: name -> severity
    -> outcome.
    """

    set: str
    split: str
    plain: list[Outcome] = field(default_factory=list)
    templates: dict[str, Outcome] = field(default_factory=dict)
    few_shot: dict[int, Outcome] = field(default_factory=dict)
    corruptions: dict[str, dict[int, Outcome]] = field(default_factory=dict)

    @property
    def main(self) -> Outcome | None:
        """The set as it is."""
        return next((one for one in self.plain if not one.variant), None)

    @property
    def first(self) -> list[Outcome]:
        """What is looked for first: the set as it is, and a linear probe, for which others publish figures too."""
        return [one for one in self.plain if one.variant in ("", "linear probe")]

    @property
    def others(self) -> list[Outcome]:
        """What belongs neither there nor to a family: the set under other conditions, by other probes."""
        return [one for one in self.plain if one not in self.first]

    @property
    def all(self) -> list[Outcome]:
        """Every outcome."""
        severities = [one for each in self.corruptions.values() for one in each.values()]
        return [*self.plain, *self.templates.values(), *self.few_shot.values(), *severities]

    def add(self, outcome: Outcome) -> None:
        """Puts an outcome where its variant belongs."""
        if found := TEMPLATES.fullmatch(outcome.variant):
            self.templates[found[1]] = outcome
        elif found := FEW_SHOT.fullmatch(outcome.variant):
            self.few_shot[int(found[1])] = outcome
        elif found := CORRUPTED.fullmatch(outcome.variant):
            self.corruptions.setdefault(found[1], {})[int(found[2])] = outcome
        else:
            self.plain.append(outcome)


def gathered(outcomes: Iterable[Outcome]) -> list[Measured]:
    """The outcomes by set and split, in the order in which each is met first."""
    found: dict[tuple[str, str], Measured] = {}
    for one in outcomes:
        found.setdefault((one.set, one.split), Measured(one.set, one.split)).add(one)
    return list(found.values())


def headline(outcome: Outcome, metric: str | None = None) -> Figure | None:
    """The figure of that metric, or else the first, since an outcome states first what its set is judged by; None if it
    has no value."""
    named = [one for one in outcome.figures if one.metric == metric] or outcome.figures
    return named[0] if named and math.isfinite(named[0].value) else None
