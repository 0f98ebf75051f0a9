"""The texts of nano: class names in many templates, their hypernyms in WordNet, emoji, and the reduced vocabulary."""

from __future__ import annotations

import functools
import gzip
import json
import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from contralto.data.webdataset import WebDataset
from contralto.text.wordpiece import WordPiece

VOCABULARY = 12_288
SETS = ("clothing10", "fashion-products", "grocery81", "scenes15", "textures10", "trash6")  # the labelled ones
CLASS_TEXTS = 24  # wordings of each ImageNet class
BROADEST = 450  # a hypernym of more of the 1,000 classes than this says too little
Noun = dict[str, Any]
PLAIN = ["{}", "{}", "a {}", "a photo of a {}.", "a photo of a {}.", "a picture of a {}."]
DRAWN = ["a drawing of a {}.", "a sketch of a {}.", "a painting of a {}.", "a cartoon of a {}."]


@dataclass(frozen=True)
class Classes:
    """ImageNet's 1,000 classes and their hypernyms in WordNet.

    texts: for each class CLASS_TEXTS wordings, the first is the bare name. glosses: for each class its definition and
    its direct hypernym. nodes: the wordings of each hypernym. above: bool (1000, nodes), true where a node is a
    hypernym of the class.
    """

    texts: list[list[str]]
    glosses: list[list[str]]
    nodes: list[list[str]]
    above: Tensor


def classes(data: Path, seed: int = 0) -> Classes:
    """Reads words/ in the data folder."""
    stated = json.loads((data / "words/imagenet1k.json").read_bytes())
    nouns = wordnet(data)
    templates = json.loads((data / "words/templates.json").read_bytes())["imagenet_80"] + PLAIN + DRAWN
    draw = random.Random(seed)
    texts = []
    for one in stated:
        names = [one["name"]] * 3 + [_plain(lemma) for lemma in one["lemmas"]]
        drawn = [draw.choice(templates).format(draw.choice(names)) for _ in range(CLASS_TEXTS - 2)]
        texts.append([one["name"], f"a photo of a {one['name']}.", *drawn])
    above = [_above(one["wnid"], nouns) for one in stated]
    counts = Counter(node for nodes in above for node in nodes)
    nodes = sorted(node for node in counts if counts[node] <= BROADEST)
    index = {node: number for number, node in enumerate(nodes)}
    matrix = torch.zeros(len(stated), len(nodes), dtype=torch.bool)
    for row, hypernyms in enumerate(above):
        matrix[row, [index[node] for node in hypernyms if node in index]] = True
    wordings = []
    for node in nodes:
        name = _plain(nouns[node]["lemmas"][0])
        drawn = [draw.choice(templates).format(name) for _ in range(3)]
        lemmas = [_plain(lemma) for lemma in nouns[node]["lemmas"][:3]]
        wordings.append([*lemmas, f"a photo of a {name}.", *drawn, _gloss(nouns[node])])
    return Classes(texts, [_glosses(one, nouns) for one in stated], wordings, matrix)


@functools.cache
def wordnet(data: Path) -> dict[str, Noun]:
    """The noun synsets by id."""
    with gzip.open(data / "words/wordnet-nouns.jsonl.gz", "rt", encoding="utf-8") as lines:
        return {noun["id"]: noun for noun in map(json.loads, lines)}


def common_nouns(data: Path, count: int = 8000, seed: int = 1) -> list[str]:
    """Nouns for things, beings, places and matter, at random."""
    wanted = ("animal", "artifact", "food", "plant", "body", "object", "person", "phenomenon", "substance", "location")
    nouns = [noun for noun in wordnet(data).values() if noun["lexfile"] in wanted and not noun.get("instance_of")]
    names = sorted({_plain(noun["lemmas"][0]) for noun in nouns})
    return random.Random(seed).sample(names, min(count, len(names)))


def emoji_texts(name: str, keywords: list[str]) -> list[str]:
    """Texts for an emoji; its name occurs most often."""
    together = ", ".join(keywords[:5])
    return [name] * 3 + [
        f"{name} emoji",
        f"a drawing of {name}",
        f"a cartoon {name}",
        *keywords[:6],
        together,
        together,
    ]


def reduced_vocabulary(tokens: list[str], data: Path) -> list[int]:
    """Sorted ids of the WordPieces of MiniLM that nano keeps: special tokens, single characters, continuations, and the
    words that WordNet, the captions, emoji and the classes of known data sets use most."""
    piece = WordPiece("".join(f"{token}\n" for token in tokens).encode(), "MiniLM's vocabulary")
    counts: Counter[str] = Counter()
    for weight, texts in _weighted(data):
        for text in texts:
            for chunk in text.split():
                counts[chunk] += weight
    uses: Counter[int] = Counter()
    for chunk, count in counts.items():
        for number in piece.ids(chunk):
            uses[number] += count
    chosen = {0, piece.start, piece.end, *(i for i, token in enumerate(tokens) if token in ("[UNK]", "[MASK]"))}
    chosen |= {i for i, token in enumerate(tokens) if _indispensable(token, uses[i])}
    rest = (i for i, token in enumerate(tokens) if i not in chosen and not token.startswith("["))
    chosen |= set(sorted(rest, key=lambda i: (-uses[i], i))[: VOCABULARY - len(chosen)])
    return sorted(chosen)


def _weighted(data: Path) -> list[tuple[int, list[str]]]:
    """Weight and texts of each source."""
    nouns = wordnet(data).values()
    sets = json.loads((data / "words/templates.json").read_bytes())
    known = [name for one in sets["datasets"].values() for name in one["classes"] if isinstance(name, str)]
    known += [template for one in sets["datasets"].values() for template in one["templates"]] + sets["imagenet_80"]
    stated = json.loads((data / "words/imagenet1k.json").read_bytes())
    emoji = json.loads((data / "emoji/emoji.json").read_bytes())
    captioned = WebDataset(sorted((data / "flickr8k").glob("flickr8k-train-*.tar")))
    return [
        (10, [text for i in range(len(captioned)) for text in captioned[i].captions]),
        (50, [text for one in emoji for text in (one["name"], *one["keywords"])]),
        (50, [name for one in SETS for name in _names(data / f"sets/{one}.json")]),
        (30, [_plain(lemma) for noun in nouns if not noun.get("instance_of") for lemma in noun["lemmas"]]),
        (3, [_plain(lemma) for noun in nouns if noun.get("instance_of") for lemma in noun["lemmas"]]),
        (10, [_gloss(noun) for noun in nouns]),
        (200, known + [text for one in stated for text in (*one["lemmas"], one["name"], one["gloss"])]),
    ]


def _names(path: Path) -> list[str]:
    """Class names and product titles in the JSON of a data set."""
    value = json.loads(path.read_bytes())
    names = [one if isinstance(one, str) else one["name"] for one in value["classes"]]
    return names + [item["title"] for item in value.get("items", [])]


def _indispensable(token: str, uses: int) -> bool:
    bare = token.removeprefix("##")
    if len(bare) == 1:
        return bare.isascii() or uses > 0 or 0xA0 < ord(bare) < 0x250  # Latin letters with marks
    return token.startswith("##") and bare.isascii()


def _glosses(one: Noun, nouns: dict[str, Noun]) -> list[str]:
    gloss = _gloss(nouns[one["wnid"]])
    kinds = [_plain(nouns[node]["lemmas"][0]) for node in nouns[one["wnid"]].get("hypernyms", [])[:1]]
    return [gloss, f"{one['name']}, {gloss}", *(f"a {one['name']}, a kind of {kind}" for kind in kinds)]


def _above(node: str, nouns: dict[str, Noun]) -> set[str]:
    """All hypernyms, direct or not."""
    direct = nouns[node].get("hypernyms", [])
    return set(direct).union(*(_above(one, nouns) for one in direct))


def _plain(lemma: str) -> str:
    """A lemma without underscores and WordNet's markers such as (a)."""
    return re.sub(r"\s*\([a-z]+\)$", "", lemma.replace("_", " "))


def _gloss(noun: Noun) -> str:
    """The definition without its examples."""
    return re.split(r'[;"]', noun["gloss"])[0].strip()
