"""What others published for the same models, for a report to stand beside.

`published.json` holds it by model, variant, set, metric and source. Sources: "paper", Radford et al. 2021 (zero-shot
Table 11, linear probe Table 10, retrieval, robustness); "open_clip", that project's re-runs, whose prompts and splits
differ from the paper's in places; "notebook", the one that OpenAI released; "model card". Two supervised models that
the paper compares with are among them. A figure is unverified where its source could not be read again.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any, NamedTuple

from contralto.weights.registry import entries

REGISTRY = "model list"


class Published(NamedTuple):
    """A figure of others; a share lies in 0..1."""

    value: float
    source: str
    verified: bool


def published(model: str, set: str, metric: str, variant: str = "") -> list[Published]:
    """What is known of a model, by the name that the registry gives it; empty if nothing is.

    variant: as of an `Outcome`. Zero-shot top-1 on ImageNet comes from the registry where nothing else states it.
    """
    stated = _figures().get(model, {}).get(variant, {}).get(set, {}).get(metric, {})
    found = [
        Published(given["value"], source, not given["unverified"])
        if isinstance(given, dict)
        else Published(given, source, True)
        for source, given in stated.items()
    ]
    if not found and (set, metric, variant) == ("imagenet", "top1", "") and model in entries():
        value = entries()[model].imagenet_top1
        return [] if value is None else [Published(value, REGISTRY, True)]
    return found


@functools.cache
def _figures() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((resources.files("contralto.evaluation") / "published.json").read_bytes())
    return found
