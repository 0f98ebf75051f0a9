"""The condition of a measurement: what was changed in the data set or the model before it.

`Condition("corruption", "fog", 3)` is fog at severity 3, and its display name is "fog 3". Reports group by `kind`,
`name` and `level`; only people read the display name, `Condition.variant`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

ConditionKind = Literal[
    "plain",  # the data set as it is
    "zero_shot",  # the data set as it is, by the base of an adaptation
    "adapted",
    "templates",  # name: the set of templates
    "linear_probe",
    "knn",  # level: k
    "prototypes",
    "few_shot",  # level: training pictures per class
    "corruption",  # name: the corruption; level: its severity
    "corruptions",  # mean over all of them
    "typographic",
    "size",  # name: the share of the side that the picture fills
    "negation",
    "fine_grained",  # choices within a group of classes
    "prompt_sensitivity",
    "prompt_search",  # name: the split that the prompts were chosen on
    "faces",
    "overlap",  # name: the data set and split that it overlaps with
    "long",  # joined captions; name: how over-long texts are encoded; level: the sentences before them that say nothing
    "other",  # name: any other display name in a stored report
]

VARIANTS: Final[dict[ConditionKind, str]] = {
    "plain": "",
    "zero_shot": "zero-shot",
    "adapted": "adapted",
    "templates": "templates {name}",
    "linear_probe": "linear probe",
    "knn": "{level}-NN",
    "prototypes": "prototypes",
    "few_shot": "few-shot {level}",
    "corruption": "{name} {level}",
    "corruptions": "corruptions",
    "typographic": "typographic",
    "size": "at {name} of the side",
    "negation": "negation",
    "fine_grained": "within its group",
    "prompt_sensitivity": "prompt sensitivity",
    "prompt_search": "prompts searched on {name}",
    "faces": "faces",
    "overlap": "overlap with {name}",
    "long": "long texts by {name} after {level} sentences",
    "other": "{name}",
}
"""ConditionKind -> display name."""


@dataclass(frozen=True)
class Condition:
    """Kind, name and level as `ConditionKind` lists them. group: "count=2" if one group of items is measured."""

    kind: ConditionKind = "plain"
    name: str = ""
    level: int = 0
    group: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(ConditionKind):  # a stored report may be damaged
            raise ValueError(f"{self.kind!r} is not a kind of condition")

    @property
    def variant(self) -> str:
        """The display name, such as "fog 3", "negation asked=own"; "" for the data set as it is."""
        whole = VARIANTS[self.kind].format(name=self.name, level=self.level)
        return f"{whole} {self.group}".strip() if self.group else whole

    @property
    def is_detail(self) -> bool:
        """Whether it is one severity, size, group or wording out of several: too fine for the table of a model card."""
        fine = ("templates", "corruption", "size", "prompt_sensitivity", "prompt_search", "long")
        return bool(self.group) or self.kind in fine


PLAIN: Final = Condition()


def condition_of(variant: str) -> Condition:
    """The condition with this display name: for stored reports that are older than `Condition` and state nothing
    else.
    """
    for kind, pattern in VARIANT_PATTERNS.items():
        if match := re.fullmatch(pattern, variant, re.DOTALL):
            parts = match.groupdict()
            return Condition(kind, parts.get("name", ""), int(parts.get("level", 0)))
    if match := re.fullmatch(r"(?:(negation|within its group) )?([^=]+=.*)", variant, re.DOTALL):
        return replace(condition_of(match[1] or ""), group=match[2])
    return Condition("other", variant)


def _pattern(variant: str) -> str:
    return re.escape(variant).replace(r"\{name\}", "(?P<name>.+)").replace(r"\{level\}", r"(?P<level>\d+)")


VARIANT_PATTERNS: Final[dict[ConditionKind, str]] = {
    kind: "(?P<name>[a-z_]+) (?P<level>[1-5])" if kind == "corruption" else _pattern(variant)  # not "k-NN 5"
    for kind, variant in VARIANTS.items()
    if kind != "other"
}
