"""The model inside Contralto: `contralto train recipes/nano.py`, five minutes of steps on two cores, features apart.

Two openly licensed towers, EfficientNet-Lite0 and MiniLM, are brought into one space with 6,000 captioned photographs
and much that needs none: the picture tower's own classifier, WordNet, emoji. The picture tower stays locked (LiT: Zhai
et al. 2022) and so does the text tower: features are computed once, and only the heads learn.
docs/nano.md says what came out and why each part is there. Read `recipe`, then nano_parts in the order it states.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import shutil
import sys
from pathlib import Path

import torch

from contralto.contract import Contract, Provenance, preset
from contralto.engine.graph.files import write_graphs
from contralto.model.clip import CLIP, create
from contralto.text.tokenizer import Tokenizer, load
from contralto.train.recipe import Phase, Recipe
from contralto.weights import native

sys.path.insert(0, str(Path(__file__).parent))  # so that nano_parts is found wherever this file is run from

from nano_parts import features, start, tasks, words
from nano_parts.material import Material, Texts
from nano_parts.measure import validation

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared/data"
CACHE = ROOT / "runs/nano-cache"
VOCABULARY = "vocab.txt"


def recipe(steps: int = 1300) -> Recipe:
    """steps: of the one phase. What is downloaded and computed once lies in runs/nano-cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    model, contract = towers()
    tokenizer = load(contract.text, CACHE)
    tower = features.Runner(model.image, contract.image)
    nouns = words.common_nouns(DATA)
    material = gather(model, tokenizer, tower, contract, nouns)
    align(model, material)
    locked = {"image": 0.0, "image.head": 2.0, "image.head.up": 0.05}
    heads = Phase(
        "heads",
        (
            tasks.captions(material, 384),
            tasks.classes(material, 256),
            tasks.kinds(material, 256),
            tasks.emoji(material, 256),
            tasks.labels(material, 192),
            tasks.likenesses(material, nouns, 384),
        ),
        steps,
        lr=1e-3,
        warmup=50,
        weight_decay=0.2,
        clip_norm=5.0,
        precision="fp32",
        rates=locked | {"text": 0.0, "text.head": 3.0},
        ema=0.997,
    )
    return Recipe(
        "nano",
        build=lambda: (model, contract),
        phases=(heads,),
        validate=validation(DATA, tower, CACHE, tokenizer),
        validate_every=325,
        checkpoint_every=50,
        files=(CACHE / VOCABULARY,),
        finish=finish,
    )


def towers() -> tuple[CLIP, Contract]:
    """The two starting points in one model, the vocabulary cut; the heads are still random."""
    pieces = start.vocabulary(CACHE)
    if not (CACHE / VOCABULARY).exists():
        kept = words.cut_vocabulary(pieces, DATA)
        (CACHE / VOCABULARY).write_text("".join(f"{pieces[number]}\n" for number in kept), "utf-8")
    vocabulary = (CACHE / VOCABULARY).read_bytes()
    place = {piece: number for number, piece in enumerate(pieces)}
    kept = [place[piece] for piece in vocabulary.decode().splitlines()]
    contract = stated(hashlib.sha256(vocabulary).hexdigest())
    model, _ = create(contract)
    image, _, _ = start.image_tower(CACHE)
    arrays = image | start.text_tower(CACHE, kept, contract.text.context)
    own = model.state_dict()
    with torch.no_grad():
        for name, array in arrays.items():
            own[name].copy_(torch.from_numpy(array))
    return model, contract


def stated(vocabulary: str) -> Contract:
    """The contract; vocabulary: the sha256 of the vocabulary file."""
    contract = preset("nano")
    text = contract.text
    tokenizer = dataclasses.replace(text.tokenizer, sha256=vocabulary, file=VOCABULARY)
    return contract.replace(
        text=dataclasses.replace(text, tokenizer=tokenizer),
        provenance=Provenance(
            source="recipes/nano.py",
            trained_on="Flickr8k train (non-commercial research and education), coco-mini, six small labelled sets, "
            "emoji (Noto, Twemoji), WordNet; the starting towers on ImageNet-1k and on sentence pairs",
            converted_from="EfficientNet-Lite0 (Apache-2.0), all-MiniLM-L6-v2 (Apache-2.0)",
        ),
        licence="Apache-2.0",
    )


def gather(model: CLIP, tokenizer: Tokenizer, tower: features.Runner, contract: Contract, nouns: list[str]) -> Material:
    """Features of all pictures and all texts from the locked towers."""
    _, weight, bias = start.image_tower(CACHE)
    captioned = features.captioned(tower, DATA, CACHE, contract.image)
    labelled = features.labelled(tower, DATA, CACHE, contract.image)
    emoji = features.emoji(tower, DATA, CACHE)
    classes = words.classes(DATA)
    said = [text for one in captioned.about for text in one["captions"]] + list(nouns)
    said += [text for group in (classes.texts, classes.glosses, classes.nodes) for texts in group for text in texts]
    said += [text for one in emoji.about for text in words.emoji_texts(one["name"], one["keywords"])]
    said += [form.format(one["class"]) for set_ in labelled for one in set_.about for form in tasks.LABEL_TEXTS]
    texts = Texts(tokenizer, said)
    texts.features = features.cached(CACHE / "texts.npy", lambda: texts.describe(model).numpy())
    return Material(captioned, labelled, emoji, classes, texts, (torch.from_numpy(weight), torch.from_numpy(bias)))


@torch.no_grad()
def align(model: CLIP, material: Material) -> None:
    """Heads to begin with: the text head an isometry, so that MiniLM's likenesses hold from the start; the picture
    head the original classifier, each class standing where its name does, plus a random map of the features."""
    random = torch.Generator().manual_seed(0)
    names = material.texts.features[material.class_texts[:, 0]]
    gain = 1 / material.texts.features.std(dim=0).mean()
    rotation, _ = torch.linalg.qr(torch.randn(512, 384, generator=random))
    text, image = model.text.head, model.image.head
    text.linear.weight.copy_(rotation * gain)
    text.linear.bias.copy_(-gain * rotation @ names.mean(dim=0))
    text.up.weight.copy_(gain * _even(text.up.weight.shape, random))
    text.up.bias.zero_()
    text.down.weight.zero_()
    text.down.bias.zero_()
    spread = material.captioned.features[:, 0].float().std(dim=0) + 0.05
    image.linear.weight.copy_(_even(image.linear.weight.shape, random) / spread)
    image.linear.bias.copy_(-image.linear.weight @ material.mean)
    image.up.weight.copy_(material.classifier[0])
    image.up.bias.copy_(material.classifier[1])
    image.down.weight.copy_(0.5 * text.linear(names).T)
    image.down.bias.zero_()
    model.logit_scale.fill_(-math.log(0.07))


def finish(model: CLIP, contract: Contract, out: Path) -> None:
    """Writes out/nano: the folder that ships, with matrices in int8 (depthwise convolutions in float16)."""
    arrays = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    exact = {name for name in arrays if name.endswith(("depthwise.conv.weight", "stem.conv.weight"))}
    folder = out / "nano"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(CACHE / VOCABULARY, folder / VOCABULARY)
    score = dataclasses.replace(contract.score, scale=model.logit_scale.exp().item())
    native.write(folder, contract.replace(score=score), arrays, "int8", exact=exact)
    write_graphs(folder)
    shutil.copyfile(Path(__file__).parent / "nano_parts/card.md", folder / "README.md")


def _even(shape: torch.Size, random: torch.Generator) -> torch.Tensor:
    """Uniform within +-1 / sqrt(inputs)."""
    return (2 * torch.rand(shape, generator=random) - 1) / shape[1] ** 0.5
