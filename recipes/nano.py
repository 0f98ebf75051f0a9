"""The model inside Contralto, from two openly licensed towers.

The steps of `contralto train nano` take five minutes on two cores, without the features. The recipe reads the data that
docs/nano.md lists from $NANO_DATA, else from ../shared/data. Downloads and features are cached in runs/nano-cache.

It aligns EfficientNet-Lite0 and MiniLM with 6,000 captioned photographs and with sources that need no captions: the
picture tower's own classifier, WordNet, emoji. Both towers stay locked (LiT: Zhai et al. 2022): features are computed
once, and only the heads learn. docs/nano.md gives the results and the reason for each part. Read `recipe`, then
nano_parts in the order of its `__init__.py`.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import os
import shutil
from pathlib import Path

import torch
from nano_parts import features, start, tasks, words
from nano_parts.heads import image_head, text_head
from nano_parts.material import Material, Texts
from nano_parts.measure import validation

from contralto.contract import Contract, Provenance
from contralto.engine.graph.whole_tower import write_graphs
from contralto.errors import DataError
from contralto.files import copy_files, written_whole
from contralto.model.clip import CLIP, create
from contralto.text.tokenizer import Tokenizer, load
from contralto.train.recipe import Phase, Recipe
from contralto.weights import native, training_pictures

VOCABULARY = "vocab.txt"


def recipe(
    steps: int = 1300,
    data: Path | None = None,
    cache: Path = Path("runs/nano-cache"),
    towers: start.Towers = start.PUBLISHED,
) -> Recipe:
    """steps: of the only phase. data, cache: replace the folders named above. towers: the starting point."""
    data = Path(os.environ.get("NANO_DATA", "../shared/data")) if data is None else data
    if not data.is_dir():
        raise DataError(f"{data}: there is no such folder; NANO_DATA names the folder with the data of docs/nano.md")
    folder = cache / cache_key(data, towers)
    folder.mkdir(parents=True, exist_ok=True)
    model, contract, classifier = build_model(towers, data, cache, folder / VOCABULARY)
    tokenizer = load(contract.text, folder)
    tower = features.Runner(model, contract)
    nouns = words.common_nouns(data)
    material = gather(model, contract, tokenizer, tower, nouns, classifier, data, folder)
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
        warmup=min(50, steps // 5),
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
        validate=validation(data, tower, folder, tokenizer),
        validate_every=325,
        checkpoint_every=50,
        files=(folder / VOCABULARY,),
        finish=functools.partial(finish, data=data),
    )


def cache_key(data: Path, towers: start.Towers) -> str:
    """The cache folder's name. Other data files or other towers have other features, so another name."""
    files = sorted((path.relative_to(data).as_posix(), path.stat().st_size) for path in data.rglob("*.*"))
    sources = (files, towers.image.sha256, towers.text.sha256, towers.contract.hash)
    return hashlib.sha256(repr(sources).encode()).hexdigest()[:16]


def build_model(
    towers: start.Towers, data: Path, cache: Path, vocabulary: Path
) -> tuple[CLIP, Contract, tuple[torch.Tensor, torch.Tensor]]:
    """The model from both towers, with the reduced vocabulary and random heads; its contract; and the picture tower's
    classifier: weight (classes, features) and bias (classes,)."""
    pieces = start.vocabulary(towers, cache)
    if not vocabulary.exists():
        ids = words.reduced_vocabulary(pieces, data)
        with written_whole(vocabulary) as file:
            file.write("".join(f"{pieces[number]}\n" for number in ids).encode())
    content = vocabulary.read_bytes()
    id_of = {piece: number for number, piece in enumerate(pieces)}
    ids = [id_of[piece] for piece in content.decode().splitlines()]
    contract = run_contract(towers.contract, hashlib.sha256(content).hexdigest(), len(ids))
    model, _ = create(contract)
    image, weight, bias = start.image_tower(towers, cache)
    arrays = image | start.text_tower(towers, cache, ids, contract.text.context)
    state = model.state_dict()
    with torch.no_grad():
        for name, array in arrays.items():
            state[name].copy_(torch.from_numpy(array))
    return model, contract, (torch.from_numpy(weight), torch.from_numpy(bias))


def run_contract(contract: Contract, vocabulary: str, pieces: int) -> Contract:
    """The contract of this run. vocabulary: sha256 of the vocabulary file. pieces: its number of word pieces."""
    text = contract.text
    return contract.replace(
        text=dataclasses.replace(
            text,
            tower=dataclasses.replace(text.tower, vocabulary=pieces),
            tokenizer=dataclasses.replace(text.tokenizer, sha256=vocabulary, file=VOCABULARY),
        ),
        provenance=Provenance(
            source="recipes/nano.py",
            trained_on="Flickr8k train (non-commercial research and education), coco-mini, six small labelled sets, "
            "emoji (Noto, Twemoji), WordNet; the starting towers on ImageNet-1k and on sentence pairs",
            converted_from="EfficientNet-Lite0 (Apache-2.0), all-MiniLM-L6-v2 (Apache-2.0)",
        ),
        licence="Apache-2.0",
    )


def gather(
    model: CLIP,
    contract: Contract,
    tokenizer: Tokenizer,
    tower: features.Runner,
    nouns: list[str],
    classifier: tuple[torch.Tensor, torch.Tensor],
    data: Path,
    cache: Path,
) -> Material:
    """Features of all pictures and texts from the locked towers."""
    captioned = features.captioned(tower, data, cache)
    labelled = features.labelled(tower, data, cache)
    emoji = features.emoji(tower, data, cache)
    classes = words.classes(data)
    every = [text for one in captioned.about for text in one["captions"]] + list(nouns)
    every += [text for group in (classes.texts, classes.glosses, classes.nodes) for texts in group for text in texts]
    every += [text for one in emoji.about for text in words.emoji_texts(one["name"], one["keywords"])]
    every += [form.format(one["class"]) for set_ in labelled for one in set_.about for form in tasks.LABEL_TEXTS]
    texts = Texts(tokenizer, every)
    texts.features = features.cached(cache / "texts.npy", lambda: texts.tower_features(model, contract.text).numpy())
    return Material(captioned, labelled, emoji, classes, texts, classifier)


@torch.no_grad()
def align(model: CLIP, material: Material) -> None:
    """Initialises the heads. The text head is an isometry, so MiniLM's similarities hold from the start. The picture
    head is the original classifier, with each class at the embedding of its name, plus a random linear map."""
    random = torch.Generator().manual_seed(0)
    names = material.texts.features[material.class_texts[:, 0]]
    gain = 1 / material.texts.features.std(dim=0).mean()
    text, image = text_head(model), image_head(model)
    rotation, _ = torch.linalg.qr(torch.randn(text.linear.weight.shape, generator=random))
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


def finish(model: CLIP, contract: Contract, out: Path, *, data: Path) -> None:
    """Writes out/nano, the shipped folder, with matrices in int8 (depthwise convolutions in float16), and the list of
    its training pictures."""
    arrays = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    exact = {name for name in arrays if name.endswith(("depthwise.conv.weight", "stem.conv.weight"))}
    folder = out / "nano"
    folder.mkdir(exist_ok=True)
    copy_files([out / VOCABULARY], folder)
    score = dataclasses.replace(contract.score, scale=model.logit_scale.exp().item())
    native.write(folder, contract.replace(score=score), arrays, "int8", exact=exact)
    write_graphs(folder)
    training_pictures.write(folder, features.digests(data))
    shutil.copyfile(Path(__file__).parent / "nano_parts/card.md", folder / "README.md")


def _even(shape: torch.Size, random: torch.Generator) -> torch.Tensor:
    """Uniform within +-1 / sqrt(inputs)."""
    return (2 * torch.rand(shape, generator=random) - 1) / math.sqrt(shape[1])
