"""Vectors learned in place of words before the class name (Zhou et al. 2022, CoOp: shared, class at the end), and
beside the patches of a picture (Jia et al. 2022, VPT).

With `depth` above 1, each of the first layers replaces what stands at their places by vectors of its own (VPT-deep;
Khattak et al. 2023 for the text tower). Of the texts, the result is the matrix of the classes' embeddings; the vectors
of a picture tower become a part of it, see `contralto.model.vit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, assert_never

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from contralto.contract import Contract, Text
from contralto.embeddings import unit
from contralto.errors import ContraltoError, one_line
from contralto.model.text import Bert, CausalText
from contralto.model.vit import PROMPT_DEVIATION, ViT
from contralto.train.tuning.examples import Examples
from contralto.train.tuning.settings import Prompt, TunedTower
from contralto.train.tuning.texts import TokenIds
from contralto.zeroshot import prompts

if TYPE_CHECKING:
    from contralto.model.clip import CLIP

TEMPLATE = "{}."  # what follows the vectors, as in CoOp's code
VECTORS: Final[Mapping[TunedTower, str]] = MappingProxyType({"image": "image.prompts", "text": "text.vectors"})
"""The names of the trained tensors."""


class PromptedText(nn.Module):
    """A text tower that reads learned vectors between the start token, if any, and the text.

    vectors: (depth, tokens, W); the first of them stand before the first block, each next one before its own.
    """

    def __init__(self, tower: CausalText | Bert, how: Prompt, start: int, generator: torch.Generator) -> None:
        """start: how many tokens stand before a text, 0 or 1."""
        super().__init__()
        self.tower, self.start, self.tokens = tower, start, how.tokens
        drawn = torch.empty(how.depth, how.tokens, tower.tokens.weight.shape[1])
        self.vectors = nn.Parameter(drawn.normal_(0, PROMPT_DEVIATION, generator=generator))

    def forward(self, ids: Tensor) -> Tensor:
        """ids (N, L), with room for the vectors -> embeddings (N, E)."""
        match self.tower:
            case CausalText():
                return self.tower.head(self._causal(self.tower, ids))
            case Bert():
                return self.tower.head(self._bert(self.tower, ids))
            case _:
                assert_never(self.tower)

    def _causal(self, tower: CausalText, ids: Tensor) -> Tensor:
        """As `CausalText.features`, with the vectors."""
        if not tower.causal:  # the full context was given: the vectors take the place of padding
            ids = ids[:, : ids.shape[1] - self.tokens]
        x: Tensor = self._with_vectors(tower.tokens(ids), 0, inserted=False)
        x = x + tower.positions[: x.shape[1]]
        for depth, block in enumerate(tower.blocks):
            x = block(x if depth == 0 else self._with_vectors(x, depth), causal=tower.causal)
        end = ids.argmax(dim=1) + self.tokens
        x = x[:, -1] if tower.pools_last else x[torch.arange(len(ids)), end]
        x = tower.norm_post(x)
        return x

    def _bert(self, tower: Bert, ids: Tensor) -> Tensor:
        """As `Bert.features`, with the vectors, which are tokens like others."""
        real = ids != tower.pad
        real = torch.cat([real[:, : self.start], real.new_ones(len(ids), self.tokens), real[:, self.start :]], dim=1)
        x: Tensor = self._with_vectors(tower.tokens(ids), 0, inserted=False)
        if tower.types is not None:
            x = x + tower.types[0]
        x = tower.norm_embedding(x + tower.positions[: x.shape[1]])
        for depth, block in enumerate(tower.blocks):
            x = block(x if depth == 0 else self._with_vectors(x, depth), mask=real[:, None, None, :])
        if tower.pool == "first":
            return x[:, 0]
        weight = real.to(x.dtype)[:, :, None]
        return (x * weight).sum(dim=1) / weight.sum(dim=1)

    def _with_vectors(self, x: Tensor, depth: int, inserted: bool = True) -> Tensor:
        """(N, L, W) with the vectors of this depth: in place of the earlier ones, or put in, so L + tokens long."""
        if depth >= len(self.vectors):
            return x
        after = self.start + self.tokens if inserted else self.start
        vectors = self.vectors[depth].to(x.dtype).expand(len(x), -1, -1)
        return torch.cat([x[:, : self.start], vectors, x[:, after:]], dim=1)


def insert(model: CLIP, how: Prompt, examples: Examples, ids: TokenIds, spec: Contract, seed: int) -> None:
    """Gives the model's towers their vectors.

    Raises ContraltoError for towers that take none, and where the vectors do not fit with the class names.
    """
    how.check_towers(spec.image.tower, spec.text.tower)
    if not examples.classes:
        raise ContraltoError("prompts are learned for classes: examples with captions need Lora or Full")
    generator = torch.Generator().manual_seed(seed)
    if "text" in how.towers:
        _require_room(how, examples, ids, spec.text)
        start = 0 if spec.text.frame == "end" else 1
        model.text = PromptedText(model.text, how, start, generator)  # type: ignore[assignment]
    if "image" in how.towers:
        assert isinstance(model.image, ViT)
        drawn = torch.empty(how.depth, how.tokens, spec.image.tower.features)
        model.image.prompts = nn.Parameter(drawn.normal_(0, PROMPT_DEVIATION, generator=generator))


def _require_room(how: Prompt, examples: Examples, ids: TokenIds, spec: Text) -> None:
    """Raises ContraltoError for a class name that does not fit into the context beside the vectors."""
    for names in examples.classes:
        used = ids.length(_texts(names)) + how.tokens
        if used > spec.context or (used == spec.context and spec.pool == "last"):
            room = f"with {how.tokens} vectors it takes {used} tokens of a context of {spec.context}"
            raise ContraltoError(f"class {one_line(names[0], 80)!r}: {room}: lower Prompt.tokens")


def rates(model: CLIP, how: Prompt) -> dict[str, float]:
    """The phase's rates: everything is locked but the vectors."""
    locked = {name.partition(".")[0]: 0.0 for name, _ in model.named_parameters()}
    return locked | {VECTORS[tower]: 1.0 for tower in how.towers}


@torch.no_grad()
def changes(model: CLIP, how: Prompt, examples: Examples, ids: TokenIds) -> dict[str, NDArray[np.float32]]:
    """What the vectors became.

    `image.prompts` (depth, P, W) where pictures have vectors. `prototypes` (K, d) where texts have: for each class the
    mean of its names' unit embeddings under the vectors, unit again.
    """
    pictures = {}
    if isinstance(model.image, ViT) and "image" in how.towers and model.image.prompts is not None:
        pictures = {VECTORS["image"]: model.image.prompts.numpy().copy()}
    if "text" not in how.towers:
        return pictures
    rows = []
    for names in examples.classes:
        rows.append(unit(model.encode_text(ids.inputs(_texts(names))).numpy()).mean(axis=0))
    return pictures | {"prototypes": unit(np.stack(rows))}


def _texts(names: tuple[str, ...]) -> list[str]:
    return [TEMPLATE.replace(prompts.PLACE, name) for name in names]
