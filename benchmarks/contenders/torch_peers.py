"""What the peers on PyTorch share: threads, inference mode, and how a folder of pictures goes through them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from PIL import Image

from contenders import PICTURES_AT_ONCE, TEXTS_AT_ONCE, batches, class_embeddings, processors, unit


class TorchPeer:
    """Subclasses define `_ids(texts)`, `_pixels(pictures)`, `_encode_images` and `_encode_texts`, all on tensors."""

    about: str
    _dtype = torch.float32
    _ahead = 0

    def _ids(self, texts: list[str]) -> Any:
        raise NotImplementedError

    def _pixels(self, pictures: list[Image.Image]) -> torch.Tensor:
        raise NotImplementedError

    def _encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def _encode_texts(self, ids: Any) -> torch.Tensor:
        raise NotImplementedError

    def precision(self, tower: str) -> str:
        return {torch.float32: "fp32", torch.bfloat16: "bf16"}[self._dtype]

    def images(self, pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return _to_unit(self._encode_images(torch.from_numpy(pixels).to(self._dtype)))

    def texts(self, texts: list[str]) -> np.ndarray:
        with torch.inference_mode():
            parts = [_to_unit(self._encode_texts(self._ids(some))) for some in batches(texts, TEXTS_AT_ONCE)]
        return np.concatenate(parts)

    def labels(self, labels: list[str], templates: list[str]) -> np.ndarray:
        prompts = [template.replace("{}", label) for label in labels for template in templates]
        return class_embeddings(self.texts(prompts), len(templates))

    def folder(self, paths: list[str], out: str) -> None:
        """Batches of 16. `ahead` threads decode the next batches while the tower computes."""
        steps = batches(paths, PICTURES_AT_ONCE)
        np.save(out, np.concatenate([self.images(pixels) for pixels in _in_order(self._read, steps, self._ahead)]))

    def _read(self, paths: list[str]) -> np.ndarray:
        pictures = []
        for path in paths:
            with Image.open(path) as picture:
                pictures.append(picture.convert("RGB"))
        return self._pixels(pictures).numpy()


def use_all_processors() -> None:
    torch.set_num_threads(processors())


def _to_unit(features: torch.Tensor) -> np.ndarray:
    return unit(features.float().numpy())


def _in_order(work: Callable[[list[Any]], Any], items: list[list[Any]], threads: int) -> Iterator[Any]:
    if not threads:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque(pool.submit(work, item) for item in items[:threads])
        for item in items[threads:]:
            done = waiting.popleft().result()
            waiting.append(pool.submit(work, item))
            yield done
        while waiting:
            yield waiting.popleft().result()
