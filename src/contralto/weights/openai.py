"""OpenAI's files, and those of LongCLIP, which are of the same make: the format settles everything.

The published files are TorchScript archives. Their tensors give the sizes; the only code that ever read them gives the
rest: QuickGELU, heads 64 wide, the mean and std, the shorter side resized by bicubic, CLIP's tokenizer. A plain state
dict is taken for OpenAI's only if it holds the archive's own constants: the names alone are open_clip's as well.
Sources: Radford et al. 2021 and its code; Zhang et al. 2024 (LongCLIP) and its code.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from contralto.architecture import CausalText, ImageTower, ResNet, ViT
from contralto.contract import Contract, Image, Provenance, Score, Text, Tokenizer, preset
from contralto.errors import WeightsError, one_line
from contralto.text import bpe
from contralto.weights import container, fingerprint
from contralto.weights.checkpoint import Checkpoint, Stored
from contralto.weights.choices import NONE, Choices
from contralto.weights.layouts import open_clip
from contralto.weights.layouts.parts import imported
from contralto.weights.names import expected
from contralto.weights.names.parts import Shape

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
HEAD = 64  # width of every attention head

# sha256 of the published archives, which are also part of their addresses.
PUBLISHED = {
    "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762": "RN50",
    "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599": "RN101",
    "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd": "RN50x4",
    "52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa": "RN50x16",
    "be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c": "RN50x64",
    "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af": "ViT-B-32",
    "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f": "ViT-B-16",
    "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836": "ViT-L-14",
    "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02": "ViT-L-14-336",
}
ARCHITECTURES = (*PUBLISHED.values(), "LongCLIP-B", "LongCLIP-L")
IMPLIED = "implied by the format: quickgelu, heads of 64, mean and std, bicubic resize of the shorter side, tokenizer"

# LongCLIP keeps two tables of positions: the old one, of which the first 20 rows count, and one for the others.
LONG = "positional_embedding_res"
KEPT = 20


def is_settled(names: Collection[str]) -> bool:
    """Whether these are the tensors of OpenAI's or LongCLIP's file, so that nothing is left open."""
    return LONG in names or all(name in names for name in open_clip.CONSTANTS)


def read(path: str | Path, choices: Choices = NONE) -> Checkpoint:
    """A model from OpenAI's archive, a state dict that holds its constants, or LongCLIP's state dict.

    choices: may repeat what the file states, not contradict it. The name is "ViT-B-32/openai" and the licence MIT
    only where the sha256 is that of a published file. Raises ContraltoError.
    """
    path = Path(path)
    file = container.read(path)
    is_long = LONG in file.tensors
    tensors = _one_table(file.tensors, str(path)) if is_long else file.tensors
    stated = _contract(tensors, str(path))
    architecture = next((name for name in ARCHITECTURES if _same_model(preset(name), stated)), None)
    choices.agree(path, activation="quickgelu")
    if choices.architecture and choices.architecture.removesuffix("-quickgelu") != architecture:
        choices.agree(path, architecture=architecture or "of no preset")
    weights = fingerprint.weights(path, file.files, tensors.values())
    known = None if is_long else PUBLISHED.get(weights.sha256)
    made = "LongCLIP's state dict" if is_long else "OpenAI's archive"
    contract = stated.replace(
        name=f"{known}/openai" if known else architecture or path.stem,
        weights=weights,
        provenance=Provenance(
            source="OpenAI" if known else None,
            trained_on="WIT, 400 million pairs" if known else None,
            converted_from=f"{made} {one_line(path.name)}; {IMPLIED}",
        ),
        licence="MIT" if known else None,
    )
    layout = open_clip.parts(contract, open_clip.spelling(tensors))
    found = imported(tensors, layout, expected(contract), str(path), ignored=open_clip.ignored(tensors))
    return Checkpoint(contract, found, file.files)


def scale(tensors: Mapping[str, Stored], where: str) -> float:
    """What the cosines are multiplied by, as the weights have it; a round number where only rounding separates them.

    Raises WeightsError.
    """
    stored = tensors.get("logit_scale")
    if stored is None or stored.array.size != 1:
        raise WeightsError(f"{where} is no CLIP: it has no logit_scale")
    found = math.exp(min(value(stored), 700))
    near = float(f"{found:.3g}")
    return near if math.isclose(found, near, rel_tol=1e-5) else found


def value(stored: Stored) -> float:
    """The number in a tensor of one."""
    bits = stored.array.reshape(())
    return float((bits.astype(np.uint32) << 16).view(np.float32) if stored.dtype == "BF16" else bits)


def _contract(tensors: Mapping[str, Stored], where: str) -> Contract:
    """The model that the shapes describe; its name, weights and provenance are not filled in."""
    shapes = {name: stored.shape for name, stored in tensors.items()}
    vocabulary, width = _shape(shapes, "token_embedding.weight", 2, where)
    embedding = _shape(shapes, "text_projection", 2, where)[1]
    hidden = _shape(shapes, "transformer.resblocks.0.mlp.c_fc.weight", 2, where)[0]
    layers = _count(shapes, "transformer.resblocks.")
    text = CausalText(vocabulary, width, layers, max(width // HEAD, 1), hidden, "quickgelu")
    image, size = _resnet(shapes, where) if "visual.layer1.0.conv1.weight" in shapes else _vit(shapes, where)
    return Contract(
        name=where,
        image=Image(image, (size, size), MEAN, STD),
        text=Text(text, Tokenizer("clip-bpe", bpe.SHA256), _shape(shapes, "positional_embedding", 2, where)[0]),
        embedding=embedding,
        score=Score(scale=scale(tensors, where)),
    )


def _vit(shapes: Mapping[str, Shape], where: str) -> tuple[ImageTower, int]:
    width, _, patch, _ = _shape(shapes, "visual.conv1.weight", 4, where)
    hidden = _shape(shapes, "visual.transformer.resblocks.0.mlp.c_fc.weight", 2, where)[0]
    side = _side(shapes, "visual.positional_embedding", where)
    layers = _count(shapes, "visual.transformer.resblocks.")
    return ViT(width, layers, max(width // HEAD, 1), patch, hidden, "quickgelu"), patch * side


def _resnet(shapes: Mapping[str, Shape], where: str) -> tuple[ImageTower, int]:
    width = _shape(shapes, "visual.layer1.0.conv1.weight", 4, where)[0]
    one, two, three, four = (_count(shapes, f"visual.layer{n}.") for n in (1, 2, 3, 4))
    side = _side(shapes, "visual.attnpool.positional_embedding", where)
    return ResNet((one, two, three, four), width, max(32 * width // HEAD, 1)), 32 * side


def _shape(shapes: Mapping[str, Shape], name: str, dimensions: int, where: str) -> Shape:
    if name not in shapes:
        raise WeightsError(f"{where} is no CLIP of OpenAI's make: it has no {name}")
    if len(shapes[name]) != dimensions:
        raise WeightsError(f"{where}: {name} has shape {shapes[name]}, which should have {dimensions} dimensions")
    return shapes[name]


def _side(shapes: Mapping[str, Shape], name: str, where: str) -> int:
    """Cells of a side of the grid whose positions follow that of the class token, or of the mean."""
    rows = _shape(shapes, name, 2, where)[0]
    side = math.isqrt(max(rows - 1, 0))
    if side**2 + 1 != rows:
        raise WeightsError(f"{where}: {name} has {rows} rows, which are not one and a square grid")
    return side


def _count(shapes: Mapping[str, Shape], prefix: str) -> int:
    """How many different next parts of a name follow the prefix."""
    return len({name[len(prefix) :].partition(".")[0] for name in shapes if name.startswith(prefix)})


def _same_model(one: Contract, other: Contract) -> bool:
    """Whether two contracts are of the same towers, inputs and embedding."""
    pairs = (one.image, other.image), (replace(one.text, tokenizer=other.text.tokenizer), other.text)
    return all(a == b for a, b in pairs) and one.embedding == other.embedding


def _one_table(tensors: Mapping[str, Stored], where: str) -> dict[str, Stored]:
    """LongCLIP's two tables of positions as the one that they amount to."""
    first, rest = tensors.get("positional_embedding"), tensors[LONG]
    if first is None or first.shape != rest.shape or first.dtype != rest.dtype or len(first.shape) != 2:
        raise WeightsError(f"{where}: positional_embedding and {LONG} must be two tables of one shape and dtype")
    table = np.concatenate([first.array[:KEPT], rest.array[KEPT:]])
    kept = {name: stored for name, stored in tensors.items() if name != LONG}
    return kept | {"positional_embedding": Stored(first.dtype, table)}
