"""Files are written whole or not at all: a temporary file beside the target, flushed to the disk, then renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from contralto.errors import DataError, one_line

SYSTEM_NAMES = frozenset(
    {
        *("__macosx", "temporary items", "network trash folder", "lost+found", "lost.dir", "found.000", "__pycache__"),
        *("@eadir", "@tmp", "#recycle", "@recycle", "#snapshot", "~snapshot", "@recently-snapshot"),
        *("$recycle.bin", "recycler", "recycled", "system volume information"),
    }
)


def is_system_name(name: str) -> bool:
    """Whether a file or folder of this name is none of the user's data: it is hidden, or a system made it for itself,
    as macOS does beside what it unpacks, a NAS for its thumbnails, Windows for what was deleted."""
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends well; else `path` stays as it was.

    Its folder must exist. Raises OSError as the file system does.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with open(beside, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def text_of(path: str | os.PathLike[str], what: str) -> str:
    """The text of a UTF-8 file, without a mark at its beginning. Raises DataError, which calls it "{what} {path}"."""
    where = one_line(os.fspath(path), 200)
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{what} {where}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{what} {where} is not UTF-8 text") from error


def copy_files(files: Iterable[Path], folder: Path) -> None:
    """Copies each file into the folder under its own name, whole or not at all; one that lies there already stays.

    Raises OSError as the file system does.
    """
    for path in files:
        target = folder / path.name
        if not (target.exists() and target.samefile(path)):
            with open(path, "rb") as source, written_whole(target) as file:
                shutil.copyfileobj(source, file)
