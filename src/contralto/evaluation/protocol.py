"""Everything that determines a figure, in words and hashes: equal protocols mean equal measurements."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from contralto.encoder import Clip
from contralto.evaluation.cached_embeddings import PictureEmbeddings
from contralto.sets.data_set import Class, DataSet
from contralto.version import __version__

TIES = "a wrong answer that scores as high as the right one counts against it, whatever the order"
INTERVALS = "95%; top1 and top5: Clopper-Pearson; others: percentile bootstrap, 2,000 resamples, seed 0"


def base_protocol(clip: Clip, data: DataSet, pictures: PictureEmbeddings) -> dict[str, Any]:
    """The entries shared by every figure of this data set with this model, ready for JSON.

    failed: items whose pictures could not be used. left_out: reason -> number of files of the split that are no item.
    """
    contract = clip.contract
    return {
        "contralto": __version__,
        "model": contract.name,
        "contract": contract.hash,
        "weights": contract.weights.sha256 if contract.weights else None,
        "engine": clip.engine,
        "precision": clip.precision,
        "decode": clip.decode,
        "set": data.name,
        "split": data.split,
        "items": len(data.items),
        **({} if data.published_items is None else {"published_items": data.published_items}),
        **({"notes": data.notes} if data.notes else {}),
        "failed": len(pictures.failures),
        **({"left_out": left_out} if (left_out := data.left_out.counts()) else {}),
        "split_sha256": split_hash(data, pictures),
        "metric": data.metric,
        "score": {"rule": contract.score.rule, "scale": contract.score.scale, "bias": contract.score.bias},
        "ties": TIES,
        "intervals": INTERVALS,
    }


def class_protocol(classes: Sequence[Class], templates: Sequence[str], template_set: str) -> dict[str, Any]:
    """Class names and templates, with the sha256 of each list."""
    names = [list(one.names) for one in classes]
    return {
        "classes": {"count": len(names), "sha256": _hash(names), "names": names},
        "templates": {
            "name": template_set,
            "count": len(templates),
            "sha256": _hash(list(templates)),
            "list": list(templates),
        },
        "class_row": "the mean of the unit rows of its templates, made unit; of several names, their mean, made unit",
    }


def split_hash(data: DataSet, pictures: PictureEmbeddings) -> str:
    """sha256 over every item in order: the content of its picture, its label, captions and groups."""
    digest = hashlib.sha256()
    for i, content in enumerate(pictures.digests):
        item = data.items[i]
        stated = [item.key, item.label, item.labels, item.ignored, item.captions, sorted(item.groups.items())]
        digest.update(content or b"unreadable")
        digest.update(json.dumps(stated + [item.boxes] * bool(item.boxes)).encode())
    return digest.hexdigest()


def without_lists(full: dict[str, Any]) -> dict[str, Any]:
    """The same without the lists whose hashes it states, for one line of JSON."""
    return {
        key: {name: value for name, value in entry.items() if name not in ("names", "list")}
        if isinstance(entry, dict)
        else entry
        for key, entry in full.items()
    }


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()
