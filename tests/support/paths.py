"""Paths in a checkout, for tests that start a process or read data next to the repository."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
TESTS = REPOSITORY / "tests"  # on PYTHONPATH, `support` can be imported
SHARED = REPOSITORY.parent / "shared"  # data and fault lists, if the checkout has this folder
