"""CLIP_benchmark's own figures for given embeddings: python THIS IN.npz, JSON on stdout.

Its functions take a model and a loader; here the model looks up the embeddings. IN.npz: `task`, images (N, d), and for
classes texts (C x T, d), labels (N,), `templates`; for retrieval texts (M, d), owners (M,).
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from clip_benchmark.metrics import zeroshot_classification, zeroshot_retrieval

BATCH = 64


class EmbeddingLookup:
    """Stands in for a model: its input is indices, its output the embeddings at these indices."""

    def __init__(self, images: np.ndarray, texts: np.ndarray) -> None:
        self.images, self.texts = torch.from_numpy(images), torch.from_numpy(texts)

    def encode_image(self, places: torch.Tensor) -> torch.Tensor:
        return self.images[places]

    def encode_text(self, places: torch.Tensor) -> torch.Tensor:
        return self.texts[places]


def tokens(texts: list[str]) -> torch.Tensor:
    return torch.tensor([int(text) for text in texts])


class Loader:
    """Batches of (indices, labels or captions); CLIP_benchmark reads `dataset.classes`."""

    def __init__(self, count: int, beside: list[Any] | np.ndarray, classes: int = 0) -> None:
        self.dataset = SimpleNamespace(classes=list(range(classes)))
        self._count, self._beside = count, beside

    def __iter__(self) -> Any:
        for start in range(0, self._count, BATCH):
            some = self._beside[start : start + BATCH]
            places = torch.arange(start, min(start + BATCH, self._count))
            yield places, torch.from_numpy(some) if isinstance(some, np.ndarray) else some


def main() -> None:
    given = np.load(sys.argv[1])
    model = EmbeddingLookup(given["images"], given["texts"])
    if str(given["task"]) == "retrieval":
        captions: list[list[str]] = [[] for _ in given["images"]]
        for text, owner in enumerate(given["owners"]):
            captions[owner].append(str(text))
        loader = Loader(len(captions), captions)
        figures = zeroshot_retrieval.evaluate(model, loader, tokens, "cpu", amp=False, recall_k_list=[1, 5, 10])
    else:
        several = int(given["templates"])
        classes = len(given["texts"]) // several
        names = [str(one) for one in range(classes)]
        prompts = {name: [str(int(name) * several + template) for template in range(several)] for name in names}
        loader = Loader(len(given["images"]), given["labels"], classes)
        figures = zeroshot_classification.evaluate(model, loader, tokens, names, prompts, "cpu", amp=False)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
