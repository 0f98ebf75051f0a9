"""The contract: everything that makes weights a model, in one JSON file next to them.

It states the towers, the preparation of pixels and text, pooling, score rule, weight file and provenance. Reading is
strict: an unknown field, a value of another type or a newer version is an error. `Contract.hash` keys every cache.
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
from typing import Any, Literal, assert_never

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
from contralto.architecture.towers import Activation
from contralto.errors import ContractError

CONTRACT_VERSION = 1
FILE_NAME = "contralto.json"
MAX_SIZE = 2**20  # of any number in a tower, so that a contract from a stranger cannot request a billion channels
MAX_BLOCKS = 1000  # per tower: the names and shapes of all blocks are listed before any weights are read
OPTIONAL_SIZES = (
    "positions",
    "squeeze",
    "top",
    "types",
    "prompts",
    "prompt_depth",
)  # 0 means that the tower lacks this part


@dataclass(frozen=True)
class Image:
    """From a decoded picture to embeddings. `size` is (height, width) in pixels; mean and std are for values in [0, 1].

    resize: "shortest": the shorter side; "squash": both sides; "pad": the picture first gets black on the right and
        below until it is square, then is smoothed and resized as in OWLv2 (see `contralto.image.pad`).
    resized: the (height, width) after `resize`, if larger than `size`; the crop then takes its centre (ALIGN).
    convert: when other colour modes become RGB. "last": after the crop, as in OpenAI's and open_clip's code, so a
        picture is resized in its own mode and a palette is not interpolated. "first": before the resize, as in
        transformers' code.
    """

    tower: ImageTower
    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: Literal["shortest", "squash", "pad"] = "shortest"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    crop: Literal["center"] = "center"
    resized: tuple[int, int] | None = None
    alpha: Literal["white", "drop"] = "white"
    convert: Literal["last", "first"] = "last"


@dataclass(frozen=True)
class TokenizerSpec:
    """Kind of tokenizer, sha256 of its vocabulary, and its file next to the weights (null if Contralto ships it).

    sentencepiece: a SentencePiece model (.model). tokenizers: a tokenizer.json of the package tokenizers.
    """

    kind: Literal["clip-bpe", "wordpiece", "sentencepiece", "tokenizers"]
    sha256: str
    file: str | None = None


@dataclass(frozen=True)
class Text:
    """From a string to embeddings. `context`: maximum tokens with start and end tokens; `pad`: id that fills the rest.

    clean: see contralto.text.clean. frame: which of the tokenizer's start and end tokens enclose a text.
    pool: "eot": the end token; "last": the last token of the context; "first": the first token; "mean": the mean of the
        tokens that are not padding.
    """

    tower: TextTower
    tokenizer: TokenizerSpec
    context: int
    pad: int = 0
    clean: Literal["clip", "whitespace", "canonicalize", "siglip", "lower", "none"] = "clip"
    frame: Literal["both", "start", "end"] = "both"
    pool: Literal["eot", "mean", "first", "last"] = "eot"

    @property
    def trims(self) -> bool:
        """Whether columns that are padding in every text can be cut off without changing any embedding.

        They can under a causal mask, and in BERT, which masks padding. Without a mask every token sees the padding, and
        "last" pools the last token of the whole context; such towers need ids of the full context.
        """
        match self.tower:
            case Bert():
                return True
            case CausalText(mask=mask):
                return mask == "causal" and self.pool != "last"
            case _:
                assert_never(self.tower)


@dataclass(frozen=True)
class Score:
    """Softmax over scale * cosine, or sigmoid of scale * cosine + bias."""

    rule: Literal["softmax", "sigmoid"] = "softmax"
    scale: float = 100.0
    bias: float | None = None


@dataclass(frozen=True)
class Detector:
    """The image tower carries heads that give each cell a box and a row to compare with texts: OWL-ViT (Minderer et al.
    2022), or OWLv2 (Minderer et al. 2023), whose heads also judge objectness. Such a model embeds no whole picture.
    """

    objectness: bool
    kind: Literal["owl"] = "owl"


@dataclass(frozen=True)
class Weights:
    """The weight file next to the contract, or the index of several weight files.

    sha256: the sha256 of the file; for several files see contralto.weights.checkpoint. dtype: the dtype of most stored
    numbers.
    """

    file: str
    sha256: str
    dtype: Literal["float32", "float16", "bfloat16", "int8"]


@dataclass(frozen=True)
class Provenance:
    """Where the weights come from: free text, null if unknown."""

    source: str | None = None
    trained_on: str | None = None
    converted_from: str | None = None


@dataclass(frozen=True)
class Contract:
    """The complete description of a model. `licence` is null if none was given; a licence is never assumed."""

    name: str
    image: Image
    text: Text
    embedding: int
    score: Score = Score()
    weights: Weights | None = None
    provenance: Provenance = Provenance()
    licence: str | None = None
    detector: Detector | None = None
    contract: int = CONTRACT_VERSION

    def __post_init__(self) -> None:
        _validate(self)

    @functools.cached_property
    def hash(self) -> str:
        """sha256 (hex) of the canonical JSON: equal contracts have the same hash on every machine.

        Fields at their default are left out, so a field that a later version adds changes no hash.
        """
        exact = from_json(Contract, to_json(self))  # as read from the file: 1 for 1.0 becomes 1.0
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
            raise ContractError(f"{source} states contract version {version}; versions start at 1")
        if version > CONTRACT_VERSION:
            supported = f"this contralto reads {CONTRACT_VERSION}: upgrade"
            raise ContractError(f"{source} states contract version {version}; {supported}")
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

    def with_activation(self, activation: Activation) -> Contract:
        """A copy with this activation in the text tower and in a ViT: published files of both leave it open."""
        image, text = self.image.tower, self.text.tower
        match image:
            case ViT():
                image = dataclasses.replace(image, activation=activation)
            case ResNet() | EfficientNet() | FastViT() | Eva() | ConvNeXt():
                pass
            case _:
                assert_never(image)
        return self.replace(
            image=dataclasses.replace(self.image, tower=image),
            text=dataclasses.replace(self.text, tower=dataclasses.replace(text, activation=activation)),
        )


def presets() -> list[str]:
    """Names of the built-in presets, sorted."""
    folder = resources.files("contralto.architecture") / "presets"
    return sorted(p.name.removesuffix(".json") for p in folder.iterdir() if p.name.endswith(".json"))


def preset(name: str) -> Contract:
    """The contract of a preset: a complete contract without weights. Raises ContractError."""
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
    """Checks rules between fields; the codec has checked each field alone."""
    image, text = contract.image, contract.text

    def require(holds: bool, rule: str) -> None:
        if not holds:
            raise ContractError(f"contract {contract.name!r}: {rule}")

    require(contract.embedding > 0 and text.context > 1, "embedding and context must be positive")
    require(all(side > 0 for side in image.size), "image.size must be positive")
    require(all(value > 0 for value in image.std), "image.std must be positive")
    require(0 < contract.score.scale < math.inf, "score.scale must be positive and finite")
    for tower in (image.tower, text.tower):
        sizes = all(0 < number <= MAX_SIZE for number in _numbers(to_json(tower)))
        require(sizes, f"the numbers of a {tower.kind} tower must be positive and at most {MAX_SIZE}")
        require(_blocks(tower) <= MAX_BLOCKS, f"a {tower.kind} tower must have at most {MAX_BLOCKS} blocks")
    _validate_image(image, require)
    _validate_text(text, require)
    if contract.detector is not None:
        _validate_detector(image, require)
    for tower in (image.tower, text.tower):
        if tower is image.tower and contract.detector is not None:
            continue  # its rows come from the detector's heads
        if not isinstance(tower, ResNet) and isinstance(tower.head, NoHead):
            require(tower.features == contract.embedding, "a tower without head must be as wide as the embedding")
    for file in (contract.weights.file if contract.weights else None, text.tokenizer.file):
        plain = file is None or (Path(file).name == file and file not in ("", ".", ".."))
        require(plain, f"{file!r} must be a plain file name")


def _validate_detector(image: Image, require: Callable[[bool, str], None]) -> None:
    tower = image.tower
    by_class = isinstance(tower, ViT) and tower.pool == "class" and not tower.prompts
    require(by_class, "a detector's image tower is a vit that pools by its class token, without prompts")
    require(isinstance(tower, ViT) and tower.head == NoHead(), "a detector's image tower has no head of its own")
    require(image.resize != "shortest" and image.resized is None, "a detector sees whole pictures: squash or pad")


def _validate_image(image: Image, require: Callable[[bool, str], None]) -> None:
    tower = image.tower
    if image.resize == "pad":
        plain = image.size[0] == image.size[1] and image.resized is None
        require(plain, "image.resize pad makes a square without a crop")
        require(image.convert == "first" and image.interpolation == "bilinear", "pad is bilinear and converts first")
    if image.resized is not None:
        covers = all(r >= s for r, s in zip(image.resized, image.size, strict=True))
        require(covers, "image.resized must cover image.size")
    match tower:
        case ViT():
            require(tower.class_token or tower.pool != "class", "a vit without class token cannot pool by it")
            require(all(s >= tower.patch for s in image.size), "image.size must hold at least one patch")
            require(tower.width % tower.heads == 0, "image tower's width must be a multiple of its heads")
            divisible = tower.stem == "patch" or (tower.patch % 4 == 0 and tower.width % 4 == 0)
            require(divisible, "a vit's patch and width must be multiples of 4 for a stem of convolutions")
            require(
                (tower.prompts == 0) == (tower.prompt_depth == 0), "a vit has both prompts and prompt_depth, or none"
            )
            require(tower.prompt_depth <= tower.layers, "a vit's prompt_depth must be at most its layers")
        case ResNet():
            require(all(s % tower.cell == 0 for s in image.size), "image.size must be a multiple of 32 for a ResNet")
            require(tower.width % 2 == 0, "a ResNet's width must be even")
            require(tower.features % tower.heads == 0, "32 x a ResNet's width must be a multiple of heads")
        case EfficientNet():
            narrowest = min([tower.stem, *(stage.channels for stage in tower.stages)])
            require(0 <= tower.squeeze <= narrowest, "squeeze must be at least 0 and leave each block a unit")
        case Eva():
            require(all(s >= tower.patch for s in image.size), "image.size must hold at least one patch")
            require(tower.width % (4 * tower.heads) == 0, "an eva's heads must be multiples of 4 wide")
        case ConvNeXt():
            require(all(s >= tower.cell for s in image.size), "image.size must be at least 32 for a convnext")
        case FastViT():
            _validate_fastvit(tower, require)
        case _:
            assert_never(tower)


def _validate_fastvit(tower: FastViT, require: Callable[[bool, str], None]) -> None:
    require(len(tower.stages) > 0, "a fastvit needs a stage")
    require(all(stage.width >= 8 for stage in tower.stages), "a fastvit's stages must have 8 channels or more")
    attention_widths = [stage.width for stage in tower.stages if stage.mixer == "attention"]
    require(all(w % tower.head_width == 0 for w in attention_widths), "widths must be multiples of head_width")
    multiples = all(after.width % before.width == 0 for before, after in pairwise(tower.stages))
    require(multiples, "the width of a fastvit's stage must be a multiple of the one before")


def _validate_text(text: Text, require: Callable[[bool, str], None]) -> None:
    tower = text.tower
    require(tower.width % tower.heads == 0, "text tower's width must be a multiple of its heads")
    match tower:
        case Bert():
            require(text.pool in ("mean", "first"), "a bert text tower pools by mean or first")
            require(tower.positions == 0 or tower.positions >= text.context, "positions must cover context")
        case CausalText():
            require(text.pool in ("eot", "last"), "a causal text tower pools at eot or last")
            unmasked = text.pool == "eot" or tower.mask == "none"  # under a causal mask, batches are cut to their texts
            require(unmasked, "a text tower that pools at last must have no mask")
        case _:
            assert_never(tower)
    if text.pool == "eot":
        require(text.frame in ("both", "end"), "a text tower that pools at eot needs an end token")


def _blocks(tower: ImageTower | TextTower) -> int:
    match tower:
        case ViT() | Eva() | CausalText() | Bert():
            return tower.layers
        case ResNet() | ConvNeXt():
            return sum(tower.layers)
        case EfficientNet():
            return sum(stage.repeats for stage in tower.stages)
        case FastViT():
            return sum(stage.layers for stage in tower.stages)
        case _:
            assert_never(tower)


def _numbers(value: Any, name: str = "") -> Iterator[float]:
    """All numbers in the JSON of a tower, without the OPTIONAL_SIZES that are 0."""
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _numbers(child, str(key))
    elif isinstance(value, int | float) and not isinstance(value, bool) and (value or name not in OPTIONAL_SIZES):
        yield value
