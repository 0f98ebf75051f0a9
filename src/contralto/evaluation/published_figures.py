"""Figures that others published for the same models, which a report shows next to its own.

`published.json` holds them by model, kind of condition, set, metric and source. Sources: "paper", Radford et al. 2021
(zero-shot Table 11, linear probe Table 10, retrieval, robustness); "open_clip", that project's re-runs, whose prompts
and splits partly differ from the paper's; "notebook", the one that OpenAI released; "model card". It includes two
supervised models that the paper compares with. A figure is unverified if its source could not be read again.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any, NamedTuple

from contralto.evaluation.condition import ConditionKind
from contralto.weights.registry import entries

REGISTRY_SOURCE = "model list"


class Published(NamedTuple):
    """A published figure; a share lies in 0..1."""

    value: float
    source: str
    verified: bool


def published(model: str, set: str, metric: str, kind: ConditionKind = "plain") -> list[Published]:
    """The published figures of a model, by its name in the registry; empty if there are none.

    kind: the kind of the outcome's condition. Zero-shot top-1 on ImageNet comes from the registry if nothing else
    states it.
    """
    stated = _figures().get(model, {}).get(kind, {}).get(set, {}).get(metric, {})
    figures = [
        Published(given["value"], source, not given["unverified"])
        if isinstance(given, dict)
        else Published(given, source, True)
        for source, given in stated.items()
    ]
    if not figures and (set, metric, kind) == ("imagenet", "top1", "plain") and model in entries():
        value = entries()[model].imagenet_top1
        return [] if value is None else [Published(value, REGISTRY_SOURCE, True)]
    return figures


@functools.cache
def _figures() -> dict[str, Any]:
    table: dict[str, Any] = json.loads((resources.files("contralto.evaluation") / "published.json").read_bytes())
    return table
