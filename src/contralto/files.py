"""Files are written whole or not at all: a temporary file beside the target, flushed to the disk, then renamed.

What a user names as a target is looked at before the work (`require_file`, `require_folder`), and an error of the file
system always names the file that it is about.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import io
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from contralto.errors import ContraltoError, DataError, one_line

NAME_LIMIT = 8192  # of a path in a message
LONGEST = 200  # bytes of a name that a temporary file repeats: file systems take 255

# A name that ends so is taken for a file's by whoever reads it.
FILE_SUFFIXES = frozenset(
    {
        *(".safetensors", ".pt", ".pth", ".bin", ".onnx", ".npz", ".npy", ".parquet", ".csv", ".json", ".jsonl"),
        *(".html", ".htm", ".md", ".pdf", ".txt", ".zip", ".tar", ".gz"),
    }
)
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

    Its folder must exist. A link stays: the file that it points to is replaced. A file that is replaced keeps its
    permissions. A pipe or a character device, such as /dev/null, is written into when the block has ended. Raises
    OSError, which names `path` whatever library did the writing.
    """
    with _named(path):
        before = _state(path)
        beside = _beside(path, before)
        raw = _Watched(beside, "xb", opener=_private if _is_stream(before) else None)
    file = io.BufferedWriter(raw)
    try:
        try:
            yield file
        except Exception as error:  # a library may have turned the system's error into one of its own
            if raw.failed is None:
                raise
            raise _about(raw.failed, path) from error
        with _named(path):
            if raw.failed is not None:
                raise raw.failed
            file.flush()
            os.fsync(raw.fileno())
            file.close()
            _put(beside, path, before)
    except BaseException:
        with contextlib.suppress(OSError):
            file.close()
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


class _Watched(io.FileIO):
    """A file that remembers the first error of writing to it."""

    failed: OSError | None = None

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            self.failed = self.failed or error
            raise


def _private(path: str, flags: int) -> int:
    """Opens a file for nobody else to read: the folder for temporary files is everybody's."""
    return os.open(path, flags, 0o600)


def _state(path: Path) -> os.stat_result | None:
    """What lies at `path`, links followed; None for nothing. Raises OSError for what cannot be written into."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file")
    if not (stat.S_ISREG(found.st_mode) or _is_stream(found)):
        raise OSError(errno.EINVAL, "is neither a file nor a pipe")
    return found


def _is_stream(state: os.stat_result | None) -> bool:
    return state is not None and (stat.S_ISFIFO(state.st_mode) or stat.S_ISCHR(state.st_mode))


def _beside(path: Path, state: os.stat_result | None) -> Path:
    """A new name for a temporary file: in the folder of the target, links followed; that of a pipe has no folder."""
    token = f"{secrets.token_hex(6)}.tmp"
    if _is_stream(state):
        import tempfile  # seldom needed, and not cheap

        return Path(tempfile.gettempdir()) / f"contralto.{token}"
    target = Path(os.path.realpath(path))
    return target.with_name(f".{os.fsdecode(os.fsencode(target.name)[:LONGEST])}.{token}")


def _put(beside: Path, path: Path, state: os.stat_result | None) -> None:
    """What was written goes where it belongs."""
    if _is_stream(state):
        with open(beside, "rb") as source, open(path, "wb") as sink:
            shutil.copyfileobj(source, sink)
        beside.unlink()
        return
    if state is not None:
        if hasattr(os, "chown"):
            with contextlib.suppress(OSError):  # only root may give a file to its owner
                os.chown(beside, state.st_uid, state.st_gid)
        beside.chmod(stat.S_IMODE(state.st_mode))
    os.replace(beside, os.path.realpath(path))


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """An error of the file system names `path`, not a temporary file or nothing."""
    try:
        yield
    except OSError as error:
        raise _about(error, path) from error


def _about(error: OSError, path: Path) -> OSError:
    return OSError(error.errno, error.strerror or str(error), os.fspath(path))


def failure(error: OSError, where: str | os.PathLike[str] | None = None) -> str:
    """One line: the file that the error names, else `where`, and the system's own words."""
    name = where if error.filename is None else error.filename
    cause = (error.strerror or str(error)).lower()
    return cause if name is None else f"{_shown(name)}: {cause}"


def unwritten(folder: Path, error: OSError) -> str:
    """One line: a folder that cannot be written, the file of which that is known, and the system's own words."""
    file = "" if error.filename is None else f"{_shown(error.filename)}: "
    return f"{_shown(folder)} cannot be written: {file}{error.strerror or error}"


def _shown(name: object) -> str:
    return one_line(os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else str(name), NAME_LIMIT)


def require_file(path: Path) -> None:
    """Raises ContraltoError, one line, where `written_whole` could not write: to be asked before the work."""
    if not path.parent.is_dir():
        folder = os.fspath(path.parent)
        raise ContraltoError(f"{_shown(path)}: {why_no_file(folder) or f'there is no folder {_shown(folder)}'}")
    try:
        with _named(path):
            state = _state(path)
            if state is not None and not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            if not _is_stream(state):
                _try(_beside(path, state))
    except OSError as error:
        raise ContraltoError(failure(error)) from error


def require_folder(path: Path) -> None:
    """Raises ContraltoError, one line, where a folder could not be made or written into: before the work.

    A folder that is to be made must not be called as files are, such as out.html.
    """
    if not path.exists():
        if path.suffix.lower() in FILE_SUFFIXES:
            raise ContraltoError(f"{_shown(path)}: a folder is written, and {path.suffix} is the suffix of a file")
        if path.parts[:1] and path.parts[0].startswith("~"):
            raise ContraltoError(f"{_shown(path)}: {why_no_file(os.fspath(path))}")
    here = path
    while not os.path.lexists(here) and here != here.parent:
        here = here.parent
    try:
        with _named(here):
            if not here.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "is no folder")
            _try(here / f".contralto.{secrets.token_hex(6)}.tmp")
    except OSError as error:
        raise ContraltoError(failure(error)) from error


def _try(path: Path) -> None:
    """Makes an empty file and removes it. Raises OSError."""
    with open(path, "xb"):
        pass
    path.unlink()


def why_no_file(name: str) -> str | None:
    """In words, why nothing has this name and what to do; None if something has it, or a file could."""
    if os.path.lexists(name):
        return None
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", name)
    if name == "-":
        return "standard input is not read: write it to a file, and name that"
    if scheme and scheme[1].lower() == "file":
        return "is an address: name the path alone, without file://"
    if scheme and scheme[1].lower() in ("http", "https", "ftp"):
        return "is a web address: download it first (curl -O ADDRESS)"
    if scheme:
        return "is an address, not a file: download it first"
    if name.startswith("~"):
        return "'~' is not expanded: write the whole path"
    if glob.has_magic(name):
        found = next(glob.iglob(name), None)
        return "no file matches the pattern" if found is None else "is a pattern: name the files, or their folder"
    return None


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
