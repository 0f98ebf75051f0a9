"""Pictures and texts per second on a GPU: engines compiled and eager against open_clip and transformers, in turns.

    python benchmarks/gpu.py [--device cuda] [--models ViT-B-32 ViT-B-16 ViT-L-14] [--rounds 7] [--quick]

Input arrays and output embeddings are in host memory. All contenders compute in bf16 (float32 on a CPU) and hold the
same random weights; peers load them from files in their own layouts. Captions have about 14 tokens: ours are cut to
their length, as for our users; peers get 77 columns, as for theirs. The inputs of peers are already in page-locked
memory. Each peer runs plainly, under autocast, and through torch.compile. The output has medians, and for pictures the
share of the matrix-product peak of the same run. Exits 1 if the cosine of an embedding to float32 is below 0.999.
--quick: two layers and small batches, to test the script (on a CPU too: --device cpu).
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from gpu_peers import Contender, open_clip, ours, transformers

import contralto
from contralto.architecture import ViT
from contralto.contract import Contract, preset
from contralto.engine.torch_towers import devices
from contralto.model.clip import CLIP
from contralto.weights.native import read

MIN_COSINE = 0.999


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", nargs="+", default=["ViT-B-32", "ViT-B-16", "ViT-L-14"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    device = torch.device(given.device)
    if device.type not in {torch.device(name).type for name in devices()}:
        sys.exit(f"no {given.device} here: PyTorch {torch.__version__} finds {', '.join(devices())}")
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    peak = matrix_peak(device, dtype, 1024 if given.quick else 8192)
    what = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{what}, PyTorch {torch.__version__}, {dtype}: matrix products reach {peak / 1e12:.2f} TFLOP/s")
    for name in given.models[:1] if given.quick else given.models:
        measure(name, device, dtype, peak, given.quick, 2 if given.quick else given.rounds)


def measure(name: str, device: torch.device, dtype: torch.dtype, peak: float, quick: bool, rounds: int) -> None:
    """Prints a line for each tower, batch and contender. Exits if embeddings differ."""
    torch.compiler.reset()  # PyTorch compiles at most 8 variants of a function, and models of a peer share functions
    contract = shortened(preset(name)) if quick else preset(name)
    batches = (1, 3) if quick else (1, 32, 256, 1024)
    with tempfile.TemporaryDirectory() as scratch:
        model, contract = contralto.create(contract)
        contralto.save(Path(scratch, "native"), model, contract)
        clip = contralto.load(Path(scratch, "native"))
        contenders = ours(read(Path(scratch, "native")), device, dtype)
        for layout, make in (("open_clip", open_clip), ("transformers", transformers)):
            clip.save(Path(scratch, layout), layout)
            contenders |= make(Path(scratch, layout), device, dtype)
        for tower, count in [(tower, count) for tower in ("image", "text") for count in batches]:
            batch = pixels(contract, count) if tower == "image" else captions(contract, count)
            check(model, tower, batch[:32], contenders, device)
            seconds = timed(contenders, tower, batch, rounds)
            report(f"{name} {tower} {count}", count, seconds, picture_flops(contract) / peak if tower == "image" else 0)


def timed(contenders: dict[str, Contender], tower: str, batch: np.ndarray, rounds: int) -> dict[str, float]:
    """Median seconds of each contender, in turns. The first rounds compile; they and the preparation are not timed."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    inputs = {name: contender.prepare(batch) for name, contender in contenders.items()}
    for turn in range(rounds + 2):
        for name, contender in contenders.items():
            begin = time.perf_counter()
            contender.run(tower, inputs[name])
            if turn >= 2:
                seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in seconds.items()}


def report(what: str, count: int, seconds: dict[str, float], peak_seconds: float) -> None:
    """Prints a line per contender. peak_seconds: seconds for one item at the peak, 0 if unknown."""
    peers = [value for name, value in seconds.items() if not name.startswith("contralto")]
    plain = seconds.get("open_clip")
    for name, value in seconds.items():
        line = f"{what:22} {name:24} {count / value:10.1f}/s {value * 1e3:9.2f} ms"
        line += f"  {count * peak_seconds / value:4.0%} of the peak" if peak_seconds else ""
        if name.startswith("contralto") and peers:
            line += f"  {min(peers) / value:5.2f} x the fastest peer"
            line += f", {plain / value:5.2f} x open_clip" if plain else ""
        print(line, flush=True)


def check(model: CLIP, tower: str, batch: np.ndarray, contenders: dict[str, Contender], device: torch.device) -> None:
    """Compares the embeddings of every contender with the model in float32."""
    reference = model.to(device)
    with torch.inference_mode():
        encode = reference.encode_image if tower == "image" else reference.encode_text
        want = unit(encode(torch.from_numpy(batch).to(device)).cpu().numpy())
    model.to("cpu")
    for name, contender in contenders.items():
        cosine = float((unit(contender.run(tower, contender.prepare(batch))) * want).sum(axis=1).min())
        if not cosine >= MIN_COSINE:
            sys.exit(f"{name}: {tower} embeddings have a cosine of {cosine:.5f} to float32, less than {MIN_COSINE}")


def unit(embeddings: np.ndarray) -> np.ndarray:
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def matrix_peak(device: torch.device, dtype: torch.dtype, size: int) -> float:
    """FLOP/s of square matrix products: the best of ten measurements of five products each."""
    one, other = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        begin = time.perf_counter()
        for _ in range(5):
            product = one @ other
        product[0, 0].item()  # waits for the GPU
        best = min(best, (time.perf_counter() - begin) / 5)
    return 2 * size**3 / best


def picture_flops(contract: Contract) -> float:
    """Operations for one picture: all matrix products and convolutions of the tower."""
    from torch.utils.flop_counter import FlopCounterMode

    from contralto.model.clip import CLIP

    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        CLIP(contract).eval().image(torch.empty(1, 3, *contract.image.size))
    return float(counter.get_total_flops())


def shortened(contract: Contract) -> Contract:
    image, text = contract.image.tower, contract.text.tower
    assert isinstance(image, ViT)
    return contract.replace(
        image=dataclasses.replace(contract.image, tower=dataclasses.replace(image, layers=2)),
        text=dataclasses.replace(contract.text, tower=dataclasses.replace(text, layers=2)),
    )


def pixels(contract: Contract, count: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, *contract.image.size), np.float32)


def captions(contract: Contract, count: int) -> np.ndarray:
    """ids (count, 77) of 10 to 18 tokens, the first and the last those of CLIP."""
    random, end = np.random.default_rng(0), contract.text.tower.vocabulary - 1
    ids = np.full((count, contract.text.context), contract.text.pad, np.int64)
    for row in ids:
        used = random.integers(10, 19)
        row[:used] = [end - 1, *random.integers(300, 40_000, used - 2), end]
    return ids


if __name__ == "__main__":
    main()
