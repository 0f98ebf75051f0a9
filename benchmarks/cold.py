"""Cold start: from process start to a zero-shot answer, `contralto classify` with nano beside transformers' CLIP.

    python benchmarks/cold.py [RUNS]

transformers gets a ViT-B/32 folder with random weights (its speed does not depend on their values), because nothing
is downloaded here; so the two do not run the same model, and the table says so. Runs alternate; medians are printed.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

LABELS = ["cat", "dog", "red car"]
OURS = [sys.executable, "-m", "contralto", "classify"]

PEER = """
import sys
from PIL import Image
import torch
from transformers import CLIPModel, CLIPProcessor
folder, picture, *labels = sys.argv[1:]
model, processor = CLIPModel.from_pretrained(folder), CLIPProcessor.from_pretrained(folder)
inputs = processor(text=[f"a photo of a {label}." for label in labels], images=Image.open(picture),
                   return_tensors="pt", padding=True)
with torch.inference_mode():
    print(model(**inputs).logits_per_image.softmax(dim=-1).tolist())
"""


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as scratch:
        folder, picture = Path(scratch, "peer"), Path(scratch, "picture.jpg")
        Image.radial_gradient("L").resize((640, 480)).convert("RGB").save(picture)
        make_peer(folder)
        commands = {
            "contralto classify (nano)": [*OURS, str(picture), "--labels", *LABELS],
            "transformers (ViT-B/32, random weights)": [sys.executable, "-c", PEER, str(folder), str(picture), *LABELS],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for run in range(runs + 1):  # the first fills the page cache and is not counted
            for name, command in commands.items():
                start = time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                if run:
                    seconds[name].append(time.perf_counter() - start)
    ours, peer = (statistics.median(values) for values in seconds.values())
    for name, values in seconds.items():
        spread = f"{min(values):.2f} to {max(values):.2f}, {runs} runs"
        print(f"{name:42} median {statistics.median(values):6.2f} s   ({spread})")
    print(f"ratio {peer / ours:.1f}x")


def make_peer(folder: Path) -> None:
    """A folder that transformers loads as CLIP: default configuration (ViT-B/32), random weights, our vocabulary."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizerFast

    from contralto.text import bpe

    folder.mkdir()
    vocabulary, merges = bpe.shipped().published()
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    tokenizer = CLIPTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt"))
    CLIPProcessor(CLIPImageProcessor(), tokenizer).save_pretrained(folder)
    CLIPModel(CLIPConfig()).save_pretrained(folder)


if __name__ == "__main__":
    main()
