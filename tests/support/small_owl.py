"""Small OWL-ViT and OWLv2 models of transformers with random weights. Importing this needs torch and transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from support.small_transformers import SMALL, scrambled
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil
from transformers.models.owlvit.image_processing_pil_owlvit import OwlViTImageProcessorPil

FAMILIES = ("owlvit", "owlv2")
SIDE = 64
CLASSES: dict[str, tuple[Any, Any, Any]] = {
    "owlvit": (transformers.OwlViTConfig, transformers.OwlViTForObjectDetection, OwlViTImageProcessorPil),
    "owlv2": (transformers.Owlv2Config, transformers.Owlv2ForObjectDetection, Owlv2ImageProcessorPil),
}


def owl(family: str, folder: Path | None = None) -> tuple[Any, Any]:
    """The model and its image processor, saved to the folder as transformers writes them.

    Heads are scaled so that boxes are of all sizes, and scores lie on both sides of the threshold.
    """
    configuration, made, processor = CLASSES[family]
    vision = SMALL | {"hidden_size": 48, "num_attention_heads": 3, "image_size": SIDE, "patch_size": 8}
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = scrambled(made(configuration(text_config=SMALL, vision_config=vision, projection_dim=32)))
        for name, value in model.state_dict().items():
            if name.startswith(("box_head.dense2", "class_head.logit")):
                value.mul_(0.3)
        model.class_head.logit_shift.bias.fill_(-0.8)
        model.class_head.logit_scale.bias.fill_(2.5)
    pictures = processor(size={"height": SIDE, "width": SIDE})
    if folder is not None:
        model.save_pretrained(folder)
        pictures.save_pretrained(folder)
    return model, pictures


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Coloured noise of several sizes of grain."""
    chance = np.random.default_rng(seed)
    grains = [chance.integers(0, 256, (n, n, 3), dtype=np.uint8) for n in (3, 9, 27)]
    layers = [np.asarray(Image.fromarray(one).resize((width, height), Image.Resampling.NEAREST)) for one in grains]
    return Image.fromarray(np.mean(layers, axis=0).astype(np.uint8))
