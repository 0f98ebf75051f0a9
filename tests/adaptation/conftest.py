"""One small random model and one small set of pictures for all tests of adaptation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.adaptable import measure_little, write_captions, write_folders
from support.small_tuning import contract, small_clip

from contralto.encoder import Clip
from contralto.evaluation.session import Session, open_session


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A random CLIP with a context that holds a prompt of 16 vectors."""
    return small_clip(tmp_path_factory.mktemp("model") / "small", contract(context=32))


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures of each colour to fit, ten to measure."""
    return write_folders(tmp_path_factory.mktemp("sets") / "colours", {"train": 8, "test": 10})


@pytest.fixture(scope="session")
def captions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of captioned pictures: 15 to fit, 9 to measure."""
    return write_captions(tmp_path_factory.mktemp("sets") / "captioned", {"train": 15, "test": 9})


@pytest.fixture(scope="module", autouse=True)
def little_to_measure() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        measure_little(patch)
        yield


@pytest.fixture
def session(clip: Clip) -> Iterator[Session]:
    with open_session(clip) as opened:
        yield opened
