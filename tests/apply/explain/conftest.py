"""Real models: one of random weights with a class token, and nano."""

from __future__ import annotations

import pytest
from support.fake_engine import write_random

import contralto
from contralto import contract


@pytest.fixture(scope="session")
def token_clip(tmp_path_factory):
    """The preset `tiny`, whose tower has a class token."""
    path = tmp_path_factory.mktemp("tiny")
    write_random(path, contract.preset("tiny"))
    return contralto.load(path, precision="fp32")


@pytest.fixture(scope="session")
def nano():
    return contralto.load("nano", precision="fp32")
