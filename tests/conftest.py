"""Every test has its own cache folder, never the user's, and each process computes on one thread."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# torch and numpy read it when they are imported, here and in the processes that tests start. Threads of OpenMP wait by
# spinning: where pytest-xdist keeps all cores busy, two of them take up to four times the CPU seconds of one.
os.environ["OMP_NUM_THREADS"] = "1"

NUMBERS = itertools.count()


def pytest_collection_finish() -> None:
    """Freezes the imported modules and collected tests, which live to the end: the garbage collector would walk through
    all of them again and again, a seventh of the run's CPU time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the caches of this run; fixtures that tests share use this folder itself as their cache."""
    path = tmp_path_factory.mktemp("caches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTRALTO_CACHE", str(path))
        yield path


@pytest.fixture(autouse=True)
def own_cache(caches: Path) -> Iterator[Path]:
    """A cache for each test, so no test reads the cache of another one. The folder is created at its first use."""
    path = caches / str(next(NUMBERS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTRALTO_CACHE", str(path))
        yield path
