"""A folder that appears whole or not at all: it is filled under another name beside its place, then renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from contralto.errors import ContraltoError, one_line
from contralto.weights.adaptation import is_adaptation


def require_new(folder: Path, force: bool) -> None:
    """Raises ContraltoError, before the work, if the folder exists and may not be replaced, or cannot be made.

    force: an adaptation is replaced. Any other folder with files never is: its owner did not mean all of them.
    """
    if folder.exists() and not folder.is_dir():
        raise ContraltoError(f"{one_line(str(folder))} is a file: give the name of a folder")
    if folder.exists() and any(folder.iterdir()) and not force:
        raise ContraltoError(f"{one_line(str(folder))} exists: give another folder, or --force to replace it")
    if folder.exists() and any(folder.iterdir()) and not is_adaptation(folder):
        raise ContraltoError(f"{one_line(str(folder))} holds no adaptation, and is not replaced: give another folder")
    parent = next(one for one in folder.absolute().parents if one.exists())
    if not parent.is_dir():
        raise ContraltoError(f"{one_line(str(folder))} cannot be written: {one_line(str(parent))} is no folder")
    if not os.access(parent, os.W_OK):
        raise ContraltoError(f"{one_line(str(folder))} cannot be written: no permission in {one_line(str(parent))}")


@contextlib.contextmanager
def folder_written_whole(folder: Path, *, force: bool = False) -> Iterator[Path]:
    """A new, empty folder that takes the name `folder` when the block ends without an error; else it is removed.

    force: an existing adaptation is replaced. Raises ContraltoError as `require_new`, and for errors of the disk.
    """
    require_new(folder, force)
    target = folder.resolve()  # a link stays, and the folder that it names is replaced
    token = secrets.token_hex(6)
    made, former = (target.with_name(f".{target.name}.{token}.{kind}") for kind in ("tmp", "old"))
    try:
        made.mkdir(parents=True)
        yield made
        if target.exists():
            os.rename(target, former)
        os.rename(made, target)
    except OSError as error:
        raise ContraltoError(f"{one_line(str(folder))} cannot be written: {error.strerror or error}") from error
    finally:
        if former.exists() and not target.exists():
            os.rename(former, target)
        shutil.rmtree(made, ignore_errors=True)
        shutil.rmtree(former, ignore_errors=True)
