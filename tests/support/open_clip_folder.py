"""Writes a folder as open_clip publishes it, with a model of torch_peer.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from support import torch_peer as peer

CONFIG: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 128, "patch_size": 8},
        "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2},
    },
    "preprocess_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "interpolation": "bicubic",
                       "resize_mode": "squash"},
}  # fmt: skip


def folder_of(model: peer.CLIP, folder: Path, state: dict[str, Any] | None = None, **fields: Any) -> Path:
    """Writes a folder as open_clip publishes it, with changed fields of model_cfg."""
    folder.mkdir(parents=True, exist_ok=True)
    stated = CONFIG | {"model_cfg": CONFIG["model_cfg"] | fields}
    (folder / "open_clip_config.json").write_text(json.dumps(stated))
    torch.save(model.state_dict() if state is None else state, folder / "open_clip_pytorch_model.bin")
    return folder
