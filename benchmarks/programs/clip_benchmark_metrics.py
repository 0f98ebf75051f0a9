"""CLIP_benchmark's own figures of embeddings that are given: python THIS IN.npz, JSON on stdout.

Its functions take a model and a loader; here the model looks its rows up. IN.npz: `task`, images (N, d), and for
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


class Rows:
    """Stands for a model: what is encoded are the places of rows."""

    def __init__(self, images: np.ndarray, texts: np.ndarray) -> None:
        self.images, self.texts = torch.from_numpy(images), torch.from_numpy(texts)

    def encode_image(self, places: torch.Tensor) -> torch.Tensor:
        return self.images[places]

    def encode_text(self, places: torch.Tensor) -> torch.Tensor:
        return self.texts[places]


def tokens(texts: list[str]) -> torch.Tensor:
    return torch.tensor([int(text) for text in texts])


class Loader:
    """Batches of (places, what belongs to them); `dataset.classes` is asked for."""

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
    model = Rows(given["images"], given["texts"])
    if str(given["task"]) == "retrieval":
        captions: list[list[str]] = [[] for _ in given["images"]]
        for text, owner in enumerate(given["owners"]):
            captions[owner].append(str(text))
        loader = Loader(len(captions), captions)
        found = zeroshot_retrieval.evaluate(model, loader, tokens, "cpu", amp=False, recall_k_list=[1, 5, 10])
    else:
        several = int(given["templates"])
        classes = len(given["texts"]) // several
        names = [str(one) for one in range(classes)]
        prompts = {name: [str(int(name) * several + template) for template in range(several)] for name in names}
        loader = Loader(len(given["images"]), given["labels"], classes)
        found = zeroshot_classification.evaluate(model, loader, tokens, names, prompts, "cpu", amp=False)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
