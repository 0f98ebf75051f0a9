"""A measuring session: one model, its stored embeddings, and the progress callback that all measurements share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from contralto import metrics
from contralto.encoder import Clip
from contralto.evaluation.cached_embeddings import (
    PictureEmbeddings,
    Progress,
    TextEmbeddings,
    embed_pictures,
    embed_texts,
)
from contralto.evaluation.notes import NOTES
from contralto.evaluation.store import Store
from contralto.sets.data_set import DataSet


@dataclass(frozen=True, eq=False)
class Session:
    """The inputs that all measurements share; each also takes a data set."""

    clip: Clip
    store: Store
    progress: Progress
    overlong: str | None = None
    """What becomes of texts longer than the context, as in `Clip.encode_text`; None: captions are cut, and such a
    prompt is an error."""

    def embed_pictures(
        self, data: DataSet, *, kind: Literal["image", "features"] = "image", what: str = ""
    ) -> PictureEmbeddings:
        """Embeddings of the pictures of a data set, or their features; what: the name of this step in progress."""
        return embed_pictures(self.clip, data.items, self.store, kind=kind, what=what, progress=self.progress)

    def embed_texts(self, texts: Sequence[str]) -> TextEmbeddings:
        """Embeddings of captions. Raises TextError."""
        return embed_texts(self.clip, texts, self.store, overlong=self.overlong or "truncate", progress=self.progress)


@contextmanager
def open_session(clip: Clip, *, fresh: bool = False, progress: Progress | None = None) -> Iterator[Session]:
    """Settles the precision, so that all embeddings of a run are of one kind, and opens the store.

    Raises MissingExtraError without the extra `evaluate`.
    """
    metrics.clopper_pearson(0, 1)  # needs the extra: better an error now than after hours of embedding
    clip.engine_report()
    with Store(clip, fresh=fresh, warn=NOTES.warning) as store:
        yield Session(clip, store, progress or (lambda stage, done, total: None))
