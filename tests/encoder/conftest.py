"""A Clip over an engine that is a few lines of NumPy, and a folder with small random weights for the real ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fake_engine import FakeEngine, write_random

from contralto import contract
from contralto.encoder import Clip
from contralto.text import tokenizer
from contralto.weights import native


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A native folder of the preset `tiny` with random weights."""
    path = tmp_path_factory.mktemp("tiny")
    write_random(path, contract.preset("tiny"))
    return path


@pytest.fixture
def make_clip(folder: Path):
    """make_clip(**options) -> a Clip on a fake engine, which is its `.fake`."""
    checkpoint = native.read(folder)

    def make(**options) -> Clip:
        engine = FakeEngine(checkpoint.contract)
        clip = Clip(checkpoint, tokenizer.load(checkpoint.contract.text), engine, **options)
        clip.fake = engine
        return clip

    return make


@pytest.fixture
def clip(make_clip) -> Clip:
    return make_clip()
