"""What near-duplicates in another set, such as a model's training set, did to a zero-shot figure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from contralto.evaluation import embed
from contralto.evaluation.embed import PictureEmbeddings
from contralto.evaluation.notes import tell_left_out
from contralto.evaluation.outcome import Figure, Outcome
from contralto.evaluation.overlap import THRESHOLD, Share, overlap, statistics
from contralto.evaluation.protocol import split_hash
from contralto.sets.data_set import DataSet

if TYPE_CHECKING:
    from contralto.evaluation.run import Session

MOST_PAIRS, BELOW = 1000, 50  # that are kept: those taken for one, and those just not


def overlapping(
    session: Session,
    data: DataSet,
    pictures: PictureEmbeddings,
    outcome: Outcome,
    training: DataSet,
    threshold: float = THRESHOLD,
) -> Outcome:
    """The paper's comparison (section 5): accuracy on all, on what is clean and on what overlaps, each with its 99.5%
    interval; the share that overlaps. The pairs stand in the protocol, as it is by them that the threshold is judged.
    """
    tell_left_out(training, failed=True)
    theirs = embed.pictures(session.clip, training.items, session.store, progress=session.progress)
    found = overlap(data.items, pictures.rows, training.items, theirs.rows, progress=session.progress)
    told = statistics(outcome.records.rank == 0, found.overlapping(threshold))
    count = len(outcome.records)
    taken = [pair for pair in found.pairs if pair.score >= threshold]
    figures = [
        _figure("top1", told.all),
        Figure("overlap_share", told.share, None, None, count),
        *(_figure(f"top1_{name}", one) for name, one in (("clean", told.clean), ("overlap", told.overlap)) if one.n),
    ]
    if told.difference is not None:
        figures.append(Figure("top1_gained_by_overlap", told.difference, None, None, count))
    said = {
        "overlap": {
            "with": f"{training.name}:{training.split}",
            "with_sha256": split_hash(theirs.described(training), theirs),
            "with_items": len(training.items),
            "threshold": threshold,
            "p": told.p,
            "intervals": "99.5%, Clopper-Pearson",
            "pairs": [
                {
                    "item": pictures.said[pair.item].key,
                    "with": theirs.said[pair.training].key,
                    "score": round(pair.score, 4),
                    "cosine": round(pair.cosine, 4),
                }
                for pair in [*taken[:MOST_PAIRS], *found.pairs[len(taken) : len(taken) + BELOW]]
            ],
        }
    }
    variant = f"overlap with {training.name}:{training.split}"
    return replace(outcome, variant=variant, figures=tuple(figures), protocol={**outcome.protocol, **said})


def _figure(metric: str, one: Share) -> Figure:
    assert one.accuracy is not None, "a share without items has no accuracy"
    return Figure(metric, one.accuracy, one.low, one.high, one.n)
