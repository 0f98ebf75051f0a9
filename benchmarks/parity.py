"""The differences between Contralto and transformers, with the same random weights, moved through a saved folder.

    python benchmarks/parity.py [--small] [--only NAME ...]

transformers builds and saves each architecture, and `contralto.load` loads it. The output has, for each engine, the
largest differences of ids, pixels, features before the projection, unit embeddings, logits, and gradients of the
model's own loss (relative to the largest gradient), and the seconds for loading and computing of both. --small: the
same architectures with a few layers. Exits 1 if a bound of BOUNDS is broken.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import parity_peers as peers
import torch
import torch.nn.functional as F

import contralto
from contralto.encoder.golden import pictures
from contralto.engine.machine import instructions
from contralto.loss.infonce import infonce
from contralto.weights.checkpoint import StoredTensor
from contralto.weights.layouts.conversion import import_tensors
from contralto.weights.names import expected

BOUNDS = {"ids": 0.0, "pixels": 1e-5, "features": 2e-4, "rows": 1e-5, "openvino rows": 1e-4, "gradients": 1e-3}
TEXTS = ["a photo of a cat", "two dogs play in the snow near a red house", "it's 12.5% café, isn't it?", "the"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="only a few layers of each")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(peers.PEERS), help=", ".join(peers.PEERS))
    args = parser.parse_args()
    print(f"instructions: {' '.join(instructions())}; torch {torch.__version__}, {torch.get_num_threads()} threads")
    heads = ("pixels", "features", "rows", "logits", "gradients", "load", "peer", "run", "peer")
    print(f"{'model':18} {'engine':9} {'ids':>4} " + " ".join(f"{head:>9}" for head in heads))
    broken = []
    for name in args.only or peers.PEERS:
        for engine, results in compare(name, args.small):
            broken += [f"{name}, {engine}: {what} {results[what]:.1e}" for what in broken_bounds(engine, results)]
            print(row(name, engine, results), flush=True)
    sys.exit("\n".join(["outside the bounds:", *broken]) if broken else None)


def compare(name: str, small: bool) -> Iterator[tuple[str, dict[str, float]]]:
    """(engine, results) for both engines; the peer is built, saved and loaded once."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        peers.PEERS[name](folder, small)
        begin = time.perf_counter()
        peer = peers.Peer(folder)
        peer_load = time.perf_counter() - begin
        theirs = peer.run(pictures(), TEXTS)
        for engine in ("eager", "openvino"):
            begin = time.perf_counter()
            clip = contralto.load(folder, engine=engine, precision="fp32")
            load = time.perf_counter() - begin
            pixels, ids = clip.preprocess(pictures()), clip.tokenize(TEXTS)
            clip.encode_pixels(pixels[:1]), clip.encode_text(TEXTS[:1])  # the first use loads the towers
            begin = time.perf_counter()
            images, texts = clip.encode_pixels(theirs.pixels), clip.encode_text(TEXTS)
            seconds = time.perf_counter() - begin
            results = {
                "ids": float((ids[:, : theirs.ids.shape[1]] != theirs.ids).sum()),
                "pixels": apart(pixels, theirs.pixels),
                "rows": max(apart(images, theirs.images), apart(texts, theirs.texts)),
                "logits": apart(logits(clip, images, texts), theirs.logits),
                "load": load,
                "peer load": peer_load,
                "run": seconds,
                "peer run": theirs.seconds,
            }
            if engine == "eager":
                results |= inner(clip, peer, theirs)
            yield engine, results


def inner(clip: contralto.Clip, peer: Any, theirs: Any) -> dict[str, float]:
    """Largest differences of the features before the projection, and of the gradients of all weights."""
    model = clip.torch()
    pixels, ids = torch.from_numpy(theirs.pixels), torch.from_numpy(clip.tokenize(TEXTS))[: len(theirs.pixels)]
    with torch.no_grad():
        features = apart(model.image.features(pixels).numpy(), theirs.features)
    images, texts = model.encode_image(pixels), model.encode_text(ids)
    if model.logit_bias is None:
        loss = infonce(images, texts, model.logit_scale)
    else:
        product = F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
        signs = 2 * torch.eye(len(product)) - 1
        loss = -F.logsigmoid(signs * (model.logit_scale.exp() * product + model.logit_bias)).sum() / len(product)
    loss.backward()  # type: ignore[no-untyped-call]
    ours = {name: value.grad.numpy() for name, value in model.named_parameters() if value.grad is not None}
    wanted = gradients(clip, peer.gradients(theirs, len(ids)))
    largest = max(float(np.abs(value).max()) for value in wanted.values())
    worst = max(apart(ours[name], value) for name, value in wanted.items()) / largest
    return {"features": features, "gradients": worst}


def gradients(clip: contralto.Clip, theirs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Their gradients under our names, converted in the same way as the weights."""
    shapes = {name: shape for name, shape in expected(clip.contract).items() if not name.startswith("logit_")}
    layout = [part for part in peers.layout(clip.contract) if part.native[0] in shapes and part.foreign in theirs]
    held = {name for part in layout for name in part.native}
    stored = {part.foreign: StoredTensor("F32", theirs[part.foreign]) for part in layout}
    moved = import_tensors(stored, layout, {name: shape for name, shape in shapes.items() if name in held}, "gradients")
    return {name: tensor.array for name, tensor in moved.items()}


def logits(clip: contralto.Clip, images: np.ndarray, texts: np.ndarray) -> np.ndarray:
    return clip.contract.score.scale * images @ texts.T + (clip.contract.score.bias or 0.0)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape, f"{one.shape} is not {other.shape}"
    return float(np.abs(one - other).max())


def broken_bounds(engine: str, results: dict[str, float]) -> list[str]:
    bounds = BOUNDS | ({"rows": BOUNDS["openvino rows"]} if engine == "openvino" else {})
    return [what for what, value in results.items() if what in bounds and not value <= bounds[what]]


def row(name: str, engine: str, results: dict[str, float]) -> str:
    apart = ("pixels", "features", "rows", "logits", "gradients")
    cells = [f"{results[what]:9.1e}" if what in results else f"{'-':>9}" for what in apart]
    cells += [f"{results[what]:9.2f}" for what in ("load", "peer load", "run", "peer run")]
    return f"{name:18} {engine:9} {results['ids']:4.0f} " + " ".join(cells)


if __name__ == "__main__":
    logging.getLogger("transformers").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="transformers")
    main()
