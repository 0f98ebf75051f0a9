"""Fixtures: a Clip over an engine of a few lines of NumPy, and a folder with small random weights for real engines."""

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
    """make_clip(stated=contract, **options) -> a Clip on a fake engine, which is its `.fake`.

    stated: a contract in place of the folder's.
    """
    read = native.read(folder)

    def make(*, stated: contract.Contract | None = None, **options) -> Clip:
        checkpoint = read if stated is None else read.replace(stated)
        engine = FakeEngine(checkpoint.contract)
        clip = Clip(checkpoint, tokenizer.load(checkpoint.contract.text), engine, **options)
        clip.fake = engine
        return clip

    return make


@pytest.fixture
def clip(make_clip) -> Clip:
    return make_clip()
