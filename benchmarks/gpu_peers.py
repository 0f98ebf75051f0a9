"""The contenders of gpu.py: our engines and the peers, each with its input format and its encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from contralto.encoder.runner import Runner
from contralto.engine.compiled import Compiled
from contralto.engine.eager import Eager
from contralto.weights.checkpoint import Checkpoint


@dataclass(frozen=True)
class Contender:
    """prepare: an array on the host -> the input (not timed). run(tower, input): embeddings, float32 on the host."""

    prepare: Callable[[np.ndarray], Any]
    run: Callable[[str, Any], np.ndarray]


def ours(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> dict[str, Contender]:
    precision = "fp32" if dtype == torch.float32 else "bf16"
    contenders = {}
    for kind in (Compiled, Eager):
        runner = Runner(checkpoint.contract, kind(checkpoint, precision, str(device)), reproducible=False)

        def run(tower: str, batch: np.ndarray, runner: Runner = runner) -> np.ndarray:
            return runner.engine.image(batch) if tower == "image" else runner.texts(batch, batch_size=len(batch))

        contenders[f"contralto {kind.name}"] = Contender(lambda batch: batch, run)
    return contenders


def open_clip(folder: Path, device: torch.device, dtype: torch.dtype) -> dict[str, Contender]:
    try:
        import open_clip as peer
    except ImportError:
        print("open_clip is not installed and is skipped")
        return {}

    def load() -> dict[str, Any]:
        model = peer.create_model(f"local-dir:{folder}", precision="fp32", device=device).eval()
        return {"image": model.encode_image, "text": model.encode_text, "module": model}

    return variants("open_clip", load, device, dtype)


def transformers(folder: Path, device: torch.device, dtype: torch.dtype) -> dict[str, Contender]:
    try:
        from transformers import CLIPModel
        from transformers.utils.logging import disable_progress_bar
    except ImportError:
        print("transformers is not installed and is skipped")
        return {}
    disable_progress_bar()

    def load() -> dict[str, Any]:
        model = CLIPModel.from_pretrained(folder, attn_implementation="sdpa").eval().to(device)

        def image(batch: torch.Tensor) -> torch.Tensor:
            return model.visual_projection(model.vision_model(pixel_values=batch).pooler_output)

        def text(batch: torch.Tensor) -> torch.Tensor:
            return model.text_projection(model.text_model(input_ids=batch).pooler_output)

        return {"image": image, "text": text, "module": model}

    return variants("transformers", load, device, dtype)


def variants(
    name: str, load: Callable[[], dict[str, Any]], device: torch.device, dtype: torch.dtype
) -> dict[str, Contender]:
    """A peer in three variants: weights in the dtype; float32 under autocast; compiled, with CUDA graphs."""
    plain, cast, built = load(), load(), load()
    for parts in (plain, built):
        parts["module"].to(dtype)
    compiled = {
        tower: torch.compile(built[tower], mode="reduce-overhead", dynamic=False) for tower in ("image", "text")
    }
    contenders = {
        name: contender(plain, device, dtype, autocast=False),
        f"{name} autocast": contender(cast, device, dtype, autocast=True),
        f"{name} compiled": contender(compiled, device, dtype, autocast=False),
    }
    return contenders if dtype != torch.float32 else {key: contenders[key] for key in (name, f"{name} compiled")}


def contender(encoders: dict[str, Any], device: torch.device, dtype: torch.dtype, autocast: bool) -> Contender:
    def prepare(batch: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(batch)
        return tensor.pin_memory() if device.type == "cuda" else tensor

    def run(tower: str, batch: torch.Tensor) -> np.ndarray:
        with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=autocast):
            given = batch.to(device, non_blocking=True)
            if tower == "image" and not autocast:
                given = given.to(dtype)
            return encoders[tower](given).float().cpu().numpy()

    return Contender(prepare, run)
