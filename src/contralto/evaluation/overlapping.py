"""The effect of near-duplicates in another data set, such as a model's training data, on a zero-shot figure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from contralto.evaluation.cached_embeddings import PictureEmbeddings
from contralto.evaluation.condition import Condition
from contralto.evaluation.notes import note_left_out
from contralto.evaluation.outcome import Figure, Outcome, OverlapEntry
from contralto.evaluation.overlap import THRESHOLD, PartAccuracy, find_overlap, overlap_statistics
from contralto.evaluation.protocol import split_hash
from contralto.evaluation.session import Session
from contralto.sets.items import DataSet

MAX_PAIRS_ABOVE: Final = 1000  # pairs in the protocol: duplicates,
MAX_PAIRS_BELOW: Final = 50  # and those just below the threshold


def measure_overlap(
    session: Session,
    data: DataSet,
    pictures: PictureEmbeddings,
    outcome: Outcome,
    training: DataSet,
    threshold: float = THRESHOLD,
) -> Outcome:
    """The paper's comparison (section 5): accuracy on all items, on clean and on overlapping ones, each with its 99.5%
    interval, and the share that overlaps. The protocol lists the pairs, by which people judge the threshold.
    """
    note_left_out(training, failed=True)
    theirs = session.embed_pictures(training)
    overlap = find_overlap(
        data.items, pictures.embeddings, training.items, theirs.embeddings, progress=session.progress
    )
    statistics = overlap_statistics(outcome.records.rank == 0, overlap.overlapping(threshold))
    count = len(outcome.records)
    above = [pair for pair in overlap.pairs if pair.score >= threshold]
    parts = (("clean", statistics.clean), ("overlap", statistics.overlap))
    figures = [
        _figure("top1", statistics.all),
        Figure("overlap_share", statistics.share, None, None, count),
        *(_figure(f"top1_{name}", part) for name, part in parts if part.n),
    ]
    if statistics.difference is not None:
        figures.append(Figure("top1_gained_by_overlap", statistics.difference, None, None, count))
    entry: OverlapEntry = {
        "with": f"{training.name}:{training.split}",
        "with_sha256": split_hash(theirs.without_pictures(training), theirs),
        "with_items": len(training.items),
        "threshold": threshold,
        "p": statistics.p,
        "intervals": "99.5%, Clopper-Pearson",
        "pairs": [
            {
                "item": pictures.items[pair.item].key,
                "with": theirs.items[pair.training].key,
                "score": round(pair.score, 4),
                "cosine": round(pair.cosine, 4),
            }
            for pair in [*above[:MAX_PAIRS_ABOVE], *overlap.pairs[len(above) : len(above) + MAX_PAIRS_BELOW]]
        ],
    }
    condition = Condition("overlap", entry["with"])
    protocol = {**outcome.protocol, "overlap": entry}
    return replace(outcome, condition=condition, figures=tuple(figures), protocol=protocol)


def _figure(metric: str, part: PartAccuracy) -> Figure:
    assert part.accuracy is not None, "a part without items has no accuracy"
    return Figure(metric, part.accuracy, part.low, part.high, part.n)
