"""What a reader opens only when in doubt: the exact protocol, and the pictures that could not be used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from contralto.evaluation.outcome import Outcome
from contralto.evaluation.report.words import text


def protocols(outcomes: Sequence[Outcome], title: str = "The exact protocol") -> str:
    """The full protocol of the first outcome, and the differences of the others. title: plain text."""
    first, *others = outcomes
    blocks = [_protocol(first.variant or "as it is", first.protocol)]
    for one in others:
        changed = {key: value for key, value in one.protocol.items() if first.protocol.get(key) != value}
        if changed:
            blocks.append(_protocol(f"{one.variant or 'as it is'}: what differs", changed))
    return f"<details><summary>{text(title)}</summary>{''.join(blocks)}</details>"


def failures(outcomes: Sequence[Outcome]) -> str:
    """The pictures that count as wrong and the samples that do not count, with reasons. Empty without any."""
    lost = {key: why for one in outcomes for key, why in one.failures.items()}
    if not lost:
        return ""
    measured_keys = {key for one in outcomes for key in one.records.key}
    wrong = {key: why for key, why in lost.items() if key in measured_keys}
    left_out = {key: why for key, why in lost.items() if key not in measured_keys}
    return _listed(wrong, "picture counts as wrong", "pictures count as wrong") + _listed(
        left_out, "sample does not count", "samples do not count"
    )


def _listed(reasons: dict[str, str], one: str, several: str) -> str:
    if not reasons:
        return ""
    rows = "".join(f"<dt>{text(key)}</dt><dd>{text(why)}</dd>" for key, why in reasons.items())
    what = f"{len(reasons):,} {several}" if len(reasons) > 1 else f"1 {one}"
    return f'<details><summary>{what}: not usable</summary><dl class="protocol">{rows}</dl></details>'


def _protocol(title: str, stated: Mapping[str, Any]) -> str:
    rows = "".join(f"<dt>{text(key.replace('_', ' '))}</dt><dd>{_value(value)}</dd>" for key, value in stated.items())
    return f'<h4>{text(title)}</h4><dl class="protocol">{rows}</dl>'


def _value(value: Any) -> str:
    """Lists of texts in columns, such as templates and class names; mappings indented."""
    if isinstance(value, Mapping) and value:
        rows = "".join(f"<dt>{text(key)}</dt><dd>{_value(one)}</dd>" for key, one in value.items())
        return f'<dl class="protocol">{rows}</dl>'
    if isinstance(value, list | tuple) and value and all(isinstance(one, str) or _texts(one) for one in value):
        lines = (one if isinstance(one, str) else ", ".join(one) for one in value)
        return f'<ol class="items">{"".join(f"<li>{text(one)}</li>" for one in lines)}</ol>'
    return text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 100_000)


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
