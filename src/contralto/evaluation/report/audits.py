"""Audits for the eye: pairs of near-duplicates side by side, and rates by group of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from PIL import Image

from contralto.evaluation.outcome import Outcome, OverlapEntry, PairEntry
from contralto.evaluation.report.mistakes import PictureLookup, small_address
from contralto.evaluation.report.words import text

PAIRS_PER_SIDE: Final = 12  # above and below the threshold


def audits(outcomes: Sequence[Outcome], pictures: PictureLookup) -> str:
    """HTML of the overlaps and the face probes among the outcomes of one split; empty if there are none."""
    overlaps = [_overlap(one, one.overlap, pictures) for one in outcomes if one.overlap]
    return "".join([*overlaps, *(_faces(one.faces) for one in outcomes if one.faces)])


def _overlap(outcome: Outcome, entry: OverlapEntry, pictures: PictureLookup) -> str:
    """The pairs nearest to the threshold, most similar first: they show whether it is in the right place."""
    above = [pair for pair in entry["pairs"] if pair["score"] >= entry["threshold"]]
    below = [pair for pair in entry["pairs"] if pair["score"] < entry["threshold"]]
    name, _, split = entry["with"].rpartition(":")
    cards = "".join(
        _pair(pair, pictures(outcome.set, outcome.split, pair["item"]), pictures(name, split, pair["with"]))
        for pair in [*above[-PAIRS_PER_SIDE:], *below[:PAIRS_PER_SIDE]]
    )
    about = (
        f"Top: a picture of this set. Bottom: the most similar picture of {text(entry['with'])}. "
        f"Pairs from {entry['threshold']} on count as duplicates."
    )
    return f'<h3>Near-duplicates</h3><p class="about">{about}</p><div class="mistakes">{cards}</div>'


def _pair(pair: PairEntry, own: Image.Image | None, other: Image.Image | None) -> str:
    shown = "".join(
        '<div class="none">–</div>' if one is None else f'<img src="{small_address(one)}" alt="">'
        for one in (own, other)
    )
    title = f"{pair['item']} and {pair['with']}"
    return f'<figure title="{text(title)}">{shown}<figcaption>{pair["score"]:.2f}</figcaption></figure>'


def _faces(entry: Mapping[str, Any]) -> str:
    """Every table of the face probe; rates in percent with their intervals."""
    harms = "".join(
        _table(
            f"{one['category']}, {one['rule']}{', child among the labels' if one['with_child'] else ''}",
            one["by"],
            one["rates"],
        )
        for one in entry["harms"]
    )
    attributes = "".join(
        _table(f"{one['attribute']} predicted right", one["by"], one["rates"]) for one in entry["told"]
    )
    about = text(entry["limits"], 1000)
    return (
        f'<h3>Groups of people</h3><p class="about">{about}</p>'
        f"<details><summary>How often attributes are predicted right, by group</summary>{attributes}</details>"
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
