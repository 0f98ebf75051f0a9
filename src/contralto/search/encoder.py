"""The methods of a model that searching needs, so that nothing here depends on `Clip` itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from contralto.embeddings import Embeddings
from contralto.inputs import Failure


class Encoder(Protocol):
    """The methods of `contralto.encoder.Clip` that searching calls."""

    def encode_text(self, texts: Sequence[str], *, overlong: str = "error") -> Embeddings: ...

    def encode_image(self, items: Sequence[str]) -> Embeddings: ...

    def encode_labels(self, labels: list[str], templates: None) -> Embeddings: ...

    def stream_images(self, items: Sequence[str]) -> Iterator[tuple[int, Embeddings | Failure]]: ...
