"""Reads the files of OpenAI and LongCLIP. Their format leaves nothing open.

The published files are TorchScript archives. Their tensors give the sizes; OpenAI's code, their only reader, gives the
rest: QuickGELU, heads of width 64, mean and std, bicubic resize of the shorter side, CLIP's tokenizer. A plain state
dict counts as OpenAI's only if it holds the archive's constants, since open_clip uses the same names.
Sources: Radford et al. 2021 and its code; Zhang et al. 2024 (LongCLIP) and its code.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from contralto.architecture import CausalText, ImageTower, ResNet, ViT
from contralto.contract import Contract, Image, Provenance, Score, Text, TokenizerSpec, preset
from contralto.errors import WeightsError, one_line
from contralto.text import bpe
from contralto.weights import container, fingerprint
from contralto.weights.checkpoint import Checkpoint, StoredTensor
from contralto.weights.choices import NO_CHOICES, QUICKGELU_SUFFIX, Choices
from contralto.weights.layouts import open_clip
from contralto.weights.layouts.conversion import import_tensors
from contralto.weights.names import expected
from contralto.weights.names.parts import Shape

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
HEAD_WIDTH = 64  # width of every attention head

# sha256 of the published archives (also part of their URLs).
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

# LongCLIP has two position tables: the first 20 rows come from the old one, the rest from the new one.
LONG_POSITIONS = "positional_embedding_res"
KEPT_POSITIONS = 20


def is_settled(names: Collection[str]) -> bool:
    """Whether these are the tensors of a file of OpenAI or LongCLIP, which leaves nothing open."""
    return LONG_POSITIONS in names or all(name in names for name in open_clip.CONSTANTS)


def read(path: str | Path, choices: Choices = NO_CHOICES) -> Checkpoint:
    """Reads OpenAI's archive, a state dict with its constants, or LongCLIP's state dict.

    choices: may repeat the facts of the file, not contradict them. A file with a published sha256 gets the name
    "ViT-B-32/openai" (for example) and the licence MIT. Raises ContraltoError.
    """
    path = Path(path)
    file = container.read(path)
    is_long = LONG_POSITIONS in file.tensors
    tensors = _one_table(file.tensors, str(path)) if is_long else file.tensors
    stated = _contract(tensors, str(path))
    architecture = next((name for name in ARCHITECTURES if _same_model(preset(name), stated)), None)
    choices.agree(path, activation="quickgelu")
    if choices.architecture and choices.architecture.removesuffix(QUICKGELU_SUFFIX) != architecture:
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
    native_tensors = import_tensors(tensors, layout, expected(contract), str(path), ignored=open_clip.ignored(tensors))
    return Checkpoint(contract, native_tensors, file.files)


def scale(tensors: Mapping[str, StoredTensor], where: str) -> float:
    """The factor of the cosines, exp(logit_scale), rounded to three digits if that changes it by less than 1e-5.

    Raises WeightsError.
    """
    stored = tensors.get("logit_scale")
    if stored is None or stored.array.size != 1:
        raise WeightsError(f"{where} is no CLIP: it has no logit_scale")
    exact = math.exp(min(value(stored), 700))
    rounded = float(f"{exact:.3g}")
    return rounded if math.isclose(exact, rounded, rel_tol=1e-5) else exact


def value(stored: StoredTensor) -> float:
    """The number in a tensor of one element."""
    bits = stored.array.reshape(())
    return float((bits.astype(np.uint32) << 16).view(np.float32) if stored.dtype == "BF16" else bits)


def _contract(tensors: Mapping[str, StoredTensor], where: str) -> Contract:
    """The contract that the shapes imply, without name, weights and provenance."""
    shapes = {name: stored.shape for name, stored in tensors.items()}
    vocabulary, width = _shape(shapes, "token_embedding.weight", 2, where)
    embedding = _shape(shapes, "text_projection", 2, where)[1]
    hidden = _shape(shapes, "transformer.resblocks.0.mlp.c_fc.weight", 2, where)[0]
    layers = _count(shapes, "transformer.resblocks.")
    text = CausalText(vocabulary, width, layers, max(width // HEAD_WIDTH, 1), hidden, "quickgelu")
    image, size = _resnet(shapes, where) if "visual.layer1.0.conv1.weight" in shapes else _vit(shapes, where)
    return Contract(
        name=where,
        image=Image(image, (size, size), MEAN, STD),
        text=Text(text, TokenizerSpec("clip-bpe", bpe.SHA256), _shape(shapes, "positional_embedding", 2, where)[0]),
        embedding=embedding,
        score=Score(scale=scale(tensors, where)),
    )


def _vit(shapes: Mapping[str, Shape], where: str) -> tuple[ImageTower, int]:
    width, _, patch, _ = _shape(shapes, "visual.conv1.weight", 4, where)
    hidden = _shape(shapes, "visual.transformer.resblocks.0.mlp.c_fc.weight", 2, where)[0]
    side = _grid_side(shapes, "visual.positional_embedding", where)
    layers = _count(shapes, "visual.transformer.resblocks.")
    return ViT(width, layers, max(width // HEAD_WIDTH, 1), patch, hidden, "quickgelu"), patch * side


def _resnet(shapes: Mapping[str, Shape], where: str) -> tuple[ImageTower, int]:
    width = _shape(shapes, "visual.layer1.0.conv1.weight", 4, where)[0]
    one, two, three, four = (_count(shapes, f"visual.layer{n}.") for n in (1, 2, 3, 4))
    side = _grid_side(shapes, "visual.attnpool.positional_embedding", where)
    return ResNet((one, two, three, four), width, max(32 * width // HEAD_WIDTH, 1)), 32 * side


def _shape(shapes: Mapping[str, Shape], name: str, dimensions: int, where: str) -> Shape:
    if name not in shapes:
        raise WeightsError(f"{where} is no CLIP of OpenAI's make: it has no {name}")
    if len(shapes[name]) != dimensions:
        raise WeightsError(f"{where}: {name} has shape {shapes[name]}, which should have {dimensions} dimensions")
    return shapes[name]


def _grid_side(shapes: Mapping[str, Shape], name: str, where: str) -> int:
    """Side of the grid, in cells. The table has one row for the class token (or the mean), then one for each cell."""
    rows = _shape(shapes, name, 2, where)[0]
    side = math.isqrt(max(rows - 1, 0))
    if side**2 + 1 != rows:
        raise WeightsError(f"{where}: {name} has {rows} rows, which are not one and a square grid")
    return side


def _count(shapes: Mapping[str, Shape], prefix: str) -> int:
    """The number of distinct name parts that directly follow the prefix, such as layer numbers."""
    return len({name[len(prefix) :].partition(".")[0] for name in shapes if name.startswith(prefix)})


def _same_model(one: Contract, other: Contract) -> bool:
    """Whether two contracts have the same towers, inputs and embedding width."""
    pairs = (one.image, other.image), (replace(one.text, tokenizer=other.text.tokenizer), other.text)
    return all(a == b for a, b in pairs) and one.embedding == other.embedding


def _one_table(tensors: Mapping[str, StoredTensor], where: str) -> dict[str, StoredTensor]:
    """The tensors with LongCLIP's two position tables merged into one."""
    first, rest = tensors.get("positional_embedding"), tensors[LONG_POSITIONS]
    if first is None or first.shape != rest.shape or first.dtype != rest.dtype or len(first.shape) != 2:
        raise WeightsError(
            f"{where}: positional_embedding and {LONG_POSITIONS} must be two tables of one shape and dtype"
        )
    table = np.concatenate([first.array[:KEPT_POSITIONS], rest.array[KEPT_POSITIONS:]])
    others = {name: stored for name, stored in tensors.items() if name != LONG_POSITIONS}
    return others | {"positional_embedding": StoredTensor(first.dtype, table)}
