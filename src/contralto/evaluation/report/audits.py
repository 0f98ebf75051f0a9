"""What an audit found, to be judged by eye: pairs of near-duplicates side by side, and rates by group of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from contralto.evaluation.outcome import Outcome
from contralto.evaluation.report.mistakes import Pictures, data
from contralto.evaluation.report.words import text

PAIRS = 12  # on either side of the threshold


def audits(outcomes: Sequence[Outcome], pictures: Pictures) -> str:
    """HTML of the overlaps and the face probes among the outcomes of one split; empty if there are none."""
    overlaps = [_overlap(one, pictures) for one in outcomes if "overlap" in one.protocol]
    return "".join([*overlaps, *(_faces(one.protocol["faces"]) for one in outcomes if "faces" in one.protocol)])


def _overlap(outcome: Outcome, pictures: Pictures) -> str:
    """The pairs nearest to the threshold, most alike first: whether it stands at the right place is seen by them."""
    said = outcome.protocol["overlap"]
    above = [pair for pair in said["pairs"] if pair["score"] >= said["threshold"]]
    below = [pair for pair in said["pairs"] if pair["score"] < said["threshold"]]
    name, _, split = said["with"].rpartition(":")
    cards = "".join(
        _pair(pair, pictures(outcome.set, outcome.split, pair["item"]), pictures(name, split, pair["with"]))
        for pair in [*above[-PAIRS:], *below[:PAIRS]]
    )
    about = (
        f"Above a picture of this set, below the one of {text(said['with'])} most like it. "
        f"From {said['threshold']} on, they are taken for one."
    )
    return f'<h3>Near-duplicates</h3><p class="about">{about}</p><div class="mistakes">{cards}</div>'


def _pair(pair: Mapping[str, Any], own: Image.Image | None, other: Image.Image | None) -> str:
    shown = "".join(
        '<div class="none">–</div>' if one is None else f'<img src="{data(one)}" alt="">' for one in (own, other)
    )
    title = f"{pair['item']} and {pair['with']}"
    return f'<figure title="{text(title)}">{shown}<figcaption>{pair["score"]:.2f}</figcaption></figure>'


def _shown(picture: Image.Image | None, key: str) -> str:
    return f'<div class="none">{text(key)}</div>' if picture is None else f'<img src="{data(picture)}" alt="">'


def _faces(found: Mapping[str, Any]) -> str:
    """Every table of the probe; rates in percent with their intervals."""
    harms = "".join(
        _table(
            f"{one['category']}, {one['rule']}{', child among the labels' if one['with_child'] else ''}",
            one["by"],
            one["rates"],
        )
        for one in found["harms"]
    )
    told = "".join(_table(f"{one['attribute']} told right", one["by"], one["rates"]) for one in found["told"])
    about = text(found["limits"], 1000)
    return (
        f'<h3>Groups of people</h3><p class="about">{about}</p>'
        f"<details><summary>How often attributes are told right, by group</summary>{told}</details>"
        f"<details><summary>How often degrading labels are given, by group</summary>{harms}</details>"
    )


def _table(title: str, by: str, rates: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(
        f'<tr><td>{text(rate["group"])}</td><td class="n">{100 * rate["value"]:.1f} '
        f'<small>[{100 * rate["low"]:.1f}, {100 * rate["high"]:.1f}]</small></td><td class="n">{rate["n"]:,}</td></tr>'
        for rate in rates
    )
    head = f'<th scope="col">{text(by or "together")}</th><th scope="col" class="n">%</th><th scope="col">pictures</th>'
    return f'<h4>{text(title)}</h4><table class="pairs"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
