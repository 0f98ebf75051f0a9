"""OWL-ViT and OWLv2 by both libraries, from the same folder of transformers: a picture file to boxes.

`detect(path, texts)` gives float64 (boxes, 6), best first: score, number of the text, x0, y0, x1, y1, with a threshold
of THRESHOLD. Boxes end where the picture ends.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from contenders import processors, versions

THRESHOLD = 0.1
MANY = 10**6
os.environ["HF_HUB_OFFLINE"] = "1"


class Ours:
    def __init__(self, model: str, cache: str) -> None:
        os.environ["CONTRALTO_CACHE"] = cache
        import contralto

        self._before = _peak()
        self._clip = contralto.load(model)
        self.about = f"contralto {contralto.__version__}, {versions('openvino')}"

    def detect(self, path: str, texts: list[str]) -> np.ndarray:
        from contralto.apply.detect.owl import detect_owl
        from contralto.apply.picture import upright

        picture = upright(path, self._clip.contract.image.alpha)
        rows = self._clip.encode_text(texts)
        boxes = detect_owl(self._clip, [picture], rows, texts, threshold=THRESHOLD, top=MANY)[0]
        return _table([(box.score, texts.index(str(box.label)), *box.box) for box in boxes])

    def ids(self, texts: list[str]) -> np.ndarray:
        """The token ids, which both contenders read: the folder has no tokenizer of transformers'."""
        return self._clip.tokenize(texts)

    def peak(self) -> float:
        """MB above the imports."""
        return _peak() - self._before


class Theirs:
    def __init__(self, model: str, ids: list[list[int]]) -> None:
        import torch
        import transformers
        from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil
        from transformers.models.owlvit.image_processing_pil_owlvit import OwlViTImageProcessorPil

        self._before = _peak()
        torch.set_num_threads(processors())
        is_second = json.loads((Path(model) / "config.json").read_text())["model_type"] == "owlv2"
        kind: Any = transformers.Owlv2ForObjectDetection if is_second else transformers.OwlViTForObjectDetection
        pictures: Any = Owlv2ImageProcessorPil if is_second else OwlViTImageProcessorPil
        self._model, self._processor = kind.from_pretrained(model).eval(), pictures.from_pretrained(model)
        self._ids, self._torch = torch.tensor(ids), torch
        self.about = versions("transformers", "torch")

    def detect(self, path: str, texts: list[str]) -> np.ndarray:
        from PIL import Image, ImageOps

        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file).convert("RGB")
        pixels = self._processor(picture, return_tensors="pt").pixel_values
        with self._torch.inference_mode():
            mask = self._torch.ones_like(self._ids)
            output = self._model(input_ids=self._ids, pixel_values=pixels, attention_mask=mask)
        size = (picture.height, picture.width)
        kept = self._processor.post_process_object_detection(output, THRESHOLD, [size])[0]
        boxes = np.clip(kept["boxes"].numpy().astype(np.float64), 0, [*picture.size, *picture.size])
        rows = zip(kept["scores"].tolist(), kept["labels"].tolist(), boxes.tolist(), strict=True)
        return _table([(score, label, *box) for score, label, box in rows if box[0] < box[2] and box[1] < box[3]])

    def peak(self) -> float:
        """MB above the imports."""
        return _peak() - self._before


def _table(rows: list[tuple[float, ...]]) -> np.ndarray:
    return np.array(sorted(rows, reverse=True), np.float64).reshape(-1, 6)


def _peak() -> float:
    """The peak of the resident memory of this process, in MB (Linux)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000


def make(library: str, **options: Any) -> Ours | Theirs:
    return Ours(**options) if library == "contralto" else Theirs(**options)
