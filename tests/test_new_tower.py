"""A tower class that the library does not know meets an error at every stop, never another tower's code.

CONTRIBUTING.md lists these stops in order. Remove a stop's `case _: assert_never(...)` and its test here fails.
"""

from __future__ import annotations

import copy
import dataclasses
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest
from support.fake_engine import FakeEngine

from contralto.architecture import CausalText, ViT
from contralto.contract import Contract, Image, Text, TokenizerSpec
from contralto.encoder.featurizer import headless
from contralto.encoder.finish import finish_of
from contralto.encoder.grids import Grids
from contralto.engine import operations
from contralto.engine.graph import whole_tower
from contralto.errors import ContractError
from contralto.weights import positions
from contralto.weights.checkpoint import Checkpoint, StoredTensor
from contralto.weights.layouts import open_clip, timm, transformers
from contralto.weights.names import expected
from contralto.weights.open_clip import writing as open_clip_config
from contralto.weights.transformers import writing as transformers_config


@dataclass(frozen=True)
class Pyramid:
    """A tower with the fields that dispatches might look for, and no `features`, `cell` or `head`."""

    width: int = 16
    layers: int = 1
    heads: int = 2
    mask: str = "causal"
    kind: Literal["pyramid"] = "pyramid"


PLAIN = Contract(
    "plain",
    Image(ViT(16, 1, 2, 8, 32, "gelu"), (16, 16), (0.5,) * 3, (0.5,) * 3),
    Text(CausalText(50, 16, 1, 2, 32, "gelu"), TokenizerSpec("clip-bpe", "0" * 64), context=8),
    embedding=16,
)
TENSORS = {name: StoredTensor("F32", np.zeros(shape, np.float32)) for name, shape in expected(PLAIN).items()}


def unchecked(part: Literal["image", "text"]) -> Contract:
    """PLAIN with a Pyramid for one tower, past the contract's own check, so that the later stops meet it."""
    contract = copy.copy(PLAIN)
    object.__setattr__(contract, part, dataclasses.replace(getattr(PLAIN, part), tower=Pyramid()))
    return contract


def checkpoint(contract: Contract) -> Checkpoint:
    made = Checkpoint(PLAIN, TENSORS, [])
    made.contract = contract
    return made


def module(contract: Contract) -> Any:
    torch = pytest.importorskip("torch")
    from contralto.model.clip import CLIP

    with torch.device("meta"):
        return CLIP(contract)


def graph(contract: Contract, part: Literal["image", "text"]) -> object:
    native: Any = checkpoint(contract)
    native.native = object()  # a graph that stands beside a file; nothing reads it before the stop
    return whole_tower.graph(native, part)


IMAGE_STOPS: dict[str, Callable[[Contract], object]] = {  # file -> what reaches its dispatch
    "contract.py": lambda contract: contract.replace(name="again"),
    "weights/names/model.py": expected,
    "weights/layouts/open_clip.py": lambda contract: open_clip.parts(contract, open_clip.Spelling()),
    "weights/layouts/timm.py": timm.parts,
    "weights/layouts/transformers.py": transformers.parts,
    "weights/open_clip/writing.py": open_clip_config.config,
    "weights/transformers/writing.py": transformers_config._vision,
    "model/clip.py": module,
    "engine/graph/whole_tower.py": lambda contract: graph(contract, "image"),
    "engine/operations.py": operations.picture_operations,
    "encoder/grids.py": lambda contract: Grids(checkpoint(contract), FakeEngine(PLAIN)).places,
    "encoder/finish/choose.py": lambda contract: finish_of(checkpoint(contract), (2, 2)),
}
TEXT_STOPS: dict[str, Callable[[Contract], object]] = {
    "contract.py": lambda contract: contract.text.trims,
    "weights/names/model.py": expected,
    "weights/layouts/open_clip.py": lambda contract: open_clip.parts(contract, open_clip.Spelling()),
    "weights/layouts/transformers.py": transformers.parts,
    "weights/open_clip/writing.py": open_clip_config.config,
    "model/clip.py": module,
    "engine/forest.py": lambda contract: whole_tower.runtime_graph(checkpoint(contract), "text"),
    "engine/graph/whole_tower.py": lambda contract: graph(contract, "text"),
    "engine/operations.py": operations.token_operations,
}


@pytest.mark.parametrize("file", IMAGE_STOPS)
def test_a_stop_refuses_an_unknown_image_tower_by_name(file: str) -> None:
    refuses(file, lambda: IMAGE_STOPS[file](unchecked("image")))


def test_a_graph_up_to_the_grid_refuses_it_too() -> None:
    refuses("engine/graph/whole_tower.py", lambda: whole_tower.grid_graph(checkpoint(unchecked("image"))))


@pytest.mark.parametrize("file", TEXT_STOPS)
def test_a_stop_refuses_an_unknown_text_tower_by_name(file: str) -> None:
    refuses(file, lambda: TEXT_STOPS[file](unchecked("text")))


def refuses(file: str, call: Callable[[], object]) -> None:
    """The error names the tower, and the code that called assert_never is in `file`."""
    with pytest.raises(AssertionError, match="Pyramid") as caught:
        call()
    stop = traceback.extract_tb(caught.value.__traceback__)[-2].filename.replace("\\", "/")
    assert stop.endswith(f"contralto/{file}")


@pytest.mark.parametrize("part", ["image", "text"])
def test_the_codec_reads_no_unknown_kind(part: str) -> None:
    stated = PLAIN.to_json().replace('"vit"' if part == "image" else '"causal"', '"pyramid"')
    with pytest.raises(ContractError, match=rf"{part}\.tower\.kind must be one of .*, got 'pyramid'"):
        Contract.from_json(stated)


def test_a_tower_states_its_cell_features_and_head() -> None:
    """Those who need one of them do not guess it for a tower that has none."""
    broken = checkpoint(unchecked("image"))
    with pytest.raises(AssertionError, match="Pyramid"):
        positions.resized(broken, 32)
    with pytest.raises(AttributeError, match="'Pyramid' object has no attribute 'head'"):
        headless(broken)


def test_a_module_without_first_weights_is_refused() -> None:
    torch = pytest.importorskip("torch")
    clip = module(PLAIN)
    clip.image = torch.nn.Sequential()
    with pytest.raises(AttributeError, match="'Sequential' object has no attribute 'initialise'"):
        clip.initialise(torch.Generator())
