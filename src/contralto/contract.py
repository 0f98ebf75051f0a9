"""The contract: everything that makes weights a model, in one JSON file beside them.

Towers, pixel and text preparation, pooling, score rule, weight file and provenance. Reading is strict: an unknown
field, a value of another type or a newer version is an error. `Contract.hash` keys every cache.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from contralto.architecture import (
    Bert,
    CausalText,
    ConvNeXt,
    EfficientNet,
    Eva,
    FastViT,
    ImageTower,
    NoHead,
    ResNet,
    TextTower,
    ViT,
)
from contralto.architecture.codec import from_json, to_json
from contralto.errors import ContractError

VERSION = 1
FILE_NAME = "contralto.json"
LARGEST = 2**20  # of any size in a tower: a stranger's contract must not ask for a billion channels
DEEPEST = 1000  # blocks of a tower: each has names and shapes, which are listed before any weights are read
MAY_BE_0 = ("positions", "squeeze", "top", "types")  # sizes of parts that a tower may do without


@dataclass(frozen=True)
class Image:
    """From a decoded picture to embeddings. `size` is (height, width) in pixels; mean and std are of [0, 1] values.

    resized: the (height, width) that `resize` aims at, if it is more than `size`, which is then its centre (ALIGN).
    convert: when other colours become RGB. "last", after the crop, as OpenAI's and open_clip's code does: a picture is
        resized in its own mode, so that one with a palette is not interpolated. "first", before the resize, as
        transformers' code does.
    """

    tower: ImageTower
    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: Literal["shortest", "squash"] = "shortest"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    crop: Literal["center"] = "center"
    resized: tuple[int, int] | None = None
    alpha: Literal["white", "drop"] = "white"
    convert: Literal["last", "first"] = "last"


@dataclass(frozen=True)
class Tokenizer:
    """kind of tokenizer; sha256 of its vocabulary; file beside the weights, or null if Contralto ships it.

    sentencepiece: a SentencePiece model (.model); tokenizers: a tokenizer.json of the package tokenizers.
    """

    kind: Literal["clip-bpe", "wordpiece", "sentencepiece", "tokenizers"]
    sha256: str
    file: str | None = None


@dataclass(frozen=True)
class Text:
    """From a string to embeddings. `context`: most tokens, both ends included; `pad`: id that fills the rest.

    clean: see contralto.text.clean. frame: which of the tokenizer's start and end tokens stand around a text.
    pool: "eot" the row at the end token, "last" the last row of the context, "first" the first row, "mean" of the rows
        that are not padding.
    """

    tower: TextTower
    tokenizer: Tokenizer
    context: int
    pad: int = 0
    clean: Literal["clip", "whitespace", "canonicalize", "siglip", "lower", "none"] = "clip"
    frame: Literal["both", "start", "end"] = "both"
    pool: Literal["eot", "mean", "first", "last"] = "eot"

    @property
    def trims(self) -> bool:
        """Whether columns that are padding in every row may be cut off without a change of any embedding.

        So it is where nothing that counts can see them: behind a causal mask, and in BERT, which masks padding. In a
        Transformer without a mask every position sees all others, and one that pools its last row means that of the
        whole context, so ids must come in their full context.
        """
        return isinstance(self.tower, Bert) or (self.tower.mask == "causal" and self.pool != "last")


@dataclass(frozen=True)
class Score:
    """softmax over scale * cosine, or the sigmoid of scale * cosine + bias."""

    rule: Literal["softmax", "sigmoid"] = "softmax"
    scale: float = 100.0
    bias: float | None = None


@dataclass(frozen=True)
class Weights:
    """The weight file beside the contract; of weights in several files, the index that names them.

    sha256: of the file; of several, see contralto.weights.checkpoint. dtype: how most of the numbers are stored.
    """

    file: str
    sha256: str
    dtype: Literal["float32", "float16", "bfloat16", "int8"]


@dataclass(frozen=True)
class Provenance:
    """Where the weights are from; free text, null where nobody has said."""

    source: str | None = None
    trained_on: str | None = None
    converted_from: str | None = None


@dataclass(frozen=True)
class Contract:
    """A model, completely stated. `licence` is null where none was given: it is never assumed."""

    name: str
    image: Image
    text: Text
    embedding: int
    score: Score = Score()
    weights: Weights | None = None
    provenance: Provenance = Provenance()
    licence: str | None = None
    contract: int = VERSION

    def __post_init__(self) -> None:
        _validate(self)

    @functools.cached_property
    def hash(self) -> str:
        """sha256 (hex) of the canonical JSON: the same for the same contract on every machine.

        Fields at their default are left out, so that a field that a later version adds changes no hash.
        """
        exact = from_json(Contract, to_json(self))  # as a reader of the file sees it: 1 given for 1.0 is 1.0
        canonical = json.dumps(to_json(exact, defaults=False), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def to_json(self) -> str:
        """The text of `contralto.json`."""
        return json.dumps(to_json(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, source: str = "contract") -> Contract:
        """Reads the text of a `contralto.json`; `source` names it in errors. Raises ContractError."""
        try:
            value = json.loads(text if isinstance(text, str) else text.decode(), object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise ContractError(f"{source} is not JSON: {error}") from error
        version = value.get("contract") if isinstance(value, dict) else None
        if type(version) is not int:
            raise ContractError(f"{source} is not a Contralto contract: it states no version")
        if version < 1:
            raise ContractError(f"{source} is of contract version {version}, which never was")
        if version > VERSION:
            raise ContractError(f"{source} is of contract version {version}, this contralto reads {VERSION}: upgrade")
        return from_json(cls, value, source)

    @classmethod
    def read(cls, folder: str | Path) -> Contract:
        """Reads `folder/contralto.json`. Raises ContractError."""
        path = Path(folder) / FILE_NAME
        try:
            return cls.from_json(path.read_bytes(), str(path))
        except OSError as error:
            raise ContractError(f"{path}: {error.strerror or error}") from error

    def replace(self, **changes: object) -> Contract:
        """A copy with these fields changed, validated again."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


def presets() -> list[str]:
    """Names of the presets that Contralto carries, sorted."""
    folder = resources.files("contralto.architecture") / "presets"
    return sorted(p.name.removesuffix(".json") for p in folder.iterdir() if p.name.endswith(".json"))


def preset(name: str) -> Contract:
    """The contract of a preset: an architecture with everything around it, but no weights. Raises ContractError."""
    if name not in presets():
        close = difflib.get_close_matches(name, presets(), n=4, cutoff=0.4)
        hint = f": is it {', '.join(close)}?" if close else "; contralto models lists names that begin with one"
        raise ContractError(f"no preset is called {name!r}{hint}")
    file = resources.files("contralto.architecture") / "presets" / f"{name}.json"
    return Contract.from_json(file.read_bytes(), f"preset {name}")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return value


def _validate(contract: Contract) -> None:
    """Rules that tie fields together; the codec has checked each alone."""
    image, text = contract.image, contract.text

    def require(holds: bool, rule: str) -> None:
        if not holds:
            raise ContractError(f"contract {contract.name!r}: {rule}")

    require(contract.embedding > 0 and text.context > 1, "embedding and context must be positive")
    require(all(side > 0 for side in image.size), "image.size must be positive")
    require(all(value > 0 for value in image.std), "image.std must be positive")
    require(0 < contract.score.scale < math.inf, "score.scale must be positive and finite")
    for tower in (image.tower, text.tower):
        sizes = all(0 < number <= LARGEST for number in _numbers(to_json(tower)))
        require(sizes, f"the numbers of a {tower.kind} tower must be positive and at most {LARGEST}")
        require(_blocks(tower) <= DEEPEST, f"a {tower.kind} tower must have at most {DEEPEST} blocks")
    _validate_pictures(image, require)
    require(text.tower.width % text.tower.heads == 0, "text tower's width must be a multiple of its heads")
    if isinstance(text.tower, Bert):
        require(text.pool in ("mean", "first"), "a bert text tower pools by mean or first")
        require(text.tower.positions in (0, max(text.tower.positions, text.context)), "positions must cover context")
    if isinstance(text.tower, CausalText):
        require(text.pool in ("eot", "last"), "a causal text tower pools at eot or last")
        trimmed = text.pool == "eot" or text.tower.mask == "none"  # batches behind a causal mask are cut to their texts
        require(trimmed, "a text tower that pools at last must have no mask")
    if text.pool == "eot":
        require(text.frame in ("both", "end"), "a text tower that pools at eot needs an end token")
    for side in (image, text):
        head = getattr(side.tower, "head", None)
        if isinstance(head, NoHead):
            width = getattr(side.tower, "features", None) or getattr(side.tower, "width", None)
            require(width == contract.embedding, "a tower without head must be as wide as the embedding")
    for file in (contract.weights.file if contract.weights else None, text.tokenizer.file):
        plain = file is None or (Path(file).name == file and file not in ("", ".", ".."))
        require(plain, f"{file!r} must be a plain file name")


def _validate_pictures(image: Image, require: Callable[[bool, str], None]) -> None:
    tower = image.tower
    if image.resized is not None:
        covers = all(r >= s for r, s in zip(image.resized, image.size, strict=True))
        require(covers, "image.resized must cover image.size")
    if isinstance(tower, ViT):
        require(tower.class_token or tower.pool != "class", "a vit without class token cannot pool by it")
        require(all(s >= tower.patch for s in image.size), "image.size must hold at least one patch")
        require(tower.width % tower.heads == 0, "image tower's width must be a multiple of its heads")
        parted = tower.stem == "patch" or (tower.patch % 4 == 0 and tower.width % 4 == 0)
        require(parted, "a vit's patch and width must be multiples of 4 for a stem of convolutions")
    if isinstance(tower, ResNet):
        require(all(s % 32 == 0 for s in image.size), "image.size must be a multiple of 32 for a ResNet")
        require(tower.width % 2 == 0, "a ResNet's width must be even")
        require(32 * tower.width % tower.heads == 0, "32 x a ResNet's width must be a multiple of heads")
    if isinstance(tower, EfficientNet):
        narrowest = min([tower.stem, *(stage.channels for stage in tower.stages)])
        require(0 <= tower.squeeze <= narrowest, "squeeze must be at least 0 and leave each block a unit")
    if isinstance(tower, Eva):
        require(all(s >= tower.patch for s in image.size), "image.size must hold at least one patch")
        require(tower.width % (4 * tower.heads) == 0, "an eva's heads must be multiples of 4 wide")
    if isinstance(tower, ConvNeXt):
        require(all(s >= 32 for s in image.size), "image.size must be at least 32 for a convnext")
    if isinstance(tower, FastViT):
        require(len(tower.stages) > 0, "a fastvit needs a stage")
        require(all(stage.width >= 8 for stage in tower.stages), "a fastvit's stages must have 8 channels or more")
        attending = [stage.width for stage in tower.stages if stage.mixer == "attention"]
        require(all(w % tower.head_width == 0 for w in attending), "widths must be multiples of head_width")
        steps = all(after.width % before.width == 0 for before, after in pairwise(tower.stages))
        require(steps, "the width of a fastvit's stage must be a multiple of the one before")


def _blocks(tower: ImageTower | TextTower) -> int:
    layers = getattr(tower, "layers", 0)
    stages = (getattr(stage, "repeats", 0) + getattr(stage, "layers", 0) for stage in getattr(tower, "stages", ()))
    return sum(stages) + (sum(layers) if isinstance(layers, tuple) else layers)


def _numbers(value: Any, name: str = "") -> Iterator[float]:
    """All sizes and epsilons in the JSON of a tower; those in MAY_BE_0 only if they are not 0."""
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _numbers(child, str(key))
    elif isinstance(value, int | float) and not isinstance(value, bool) and (value or name not in MAY_BE_0):
        yield value
