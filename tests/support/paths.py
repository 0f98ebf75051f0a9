"""Where things lie in a checkout, for tests that run a process of their own or read what lies beside the product."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
TESTS = REPOSITORY / "tests"  # on PYTHONPATH, `support` can be imported
SHARED = REPOSITORY.parent / "shared"  # data and kinds of fault, where a checkout has them beside it
