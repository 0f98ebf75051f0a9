"""Writes files whole or not at all: to a temporary file next to the target, flushed to the disk, then renamed.

`require_file` and `require_folder` check a user's target before the work. Each error of the file system names its file.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from contralto.errors import ContraltoError, DataError, one_line
from contralto.filenames import FILE_SUFFIXES, explain_missing

PATH_LIMIT = 8192  # characters of a path in a message
REPEATED_NAME_BYTES = 200  # a temporary file repeats the target's name; file systems allow 255 bytes


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A binary file that replaces `path` when the block ends without an error; otherwise `path` stays unchanged.

    The folder must exist. If `path` is a link, the file that it points to is replaced. The new file keeps the
    permissions of the old one. A pipe or a character device, such as /dev/null, gets the bytes after the block. Raises
    OSError, which names `path`, even if a library did the writing.
    """
    with _named(path):
        before = _state(path)
        temporary = _temporary_path(path, before)
        raw = _MonitoredFile(temporary, "xb", opener=_private if _is_stream(before) else None)
    file = io.BufferedWriter(raw)
    try:
        try:
            yield file
        except Exception as error:  # a library may have replaced the OSError by an error of its own
            if raw.failed is None:
                raise
            raise _about(raw.failed, path) from error
        with _named(path):
            if raw.failed is not None:
                raise raw.failed
            file.flush()
            os.fsync(raw.fileno())
            file.close()
            _put(temporary, path, before)
    except BaseException:
        with contextlib.suppress(OSError):
            file.close()
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


class _MonitoredFile(io.FileIO):
    """A file that stores the first error of a write in `failed`."""

    failed: OSError | None = None

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            self.failed = self.failed or error
            raise


def _private(path: str, flags: int) -> int:
    """Opens a file that only its owner can read, because all users share the folder for temporary files."""
    return os.open(path, flags, 0o600)


def _state(path: Path) -> os.stat_result | None:
    """The status of `path`, links followed; None if it does not exist. Raises OSError if it cannot be written."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file")
    if not (stat.S_ISREG(state.st_mode) or _is_stream(state)):
        raise OSError(errno.EINVAL, "is neither a file nor a pipe")
    return state


def _is_stream(state: os.stat_result | None) -> bool:
    return state is not None and (stat.S_ISFIFO(state.st_mode) or stat.S_ISCHR(state.st_mode))


def _temporary_path(path: Path, state: os.stat_result | None) -> Path:
    """A new path for the temporary file: next to the target, links followed; for a pipe, in the system's folder."""
    token = f"{secrets.token_hex(6)}.tmp"
    if _is_stream(state):
        import tempfile  # rarely needed, and slow to import

        return Path(tempfile.gettempdir()) / f"contralto.{token}"
    target = Path(os.path.realpath(path))
    return target.with_name(f".{os.fsdecode(os.fsencode(target.name)[:REPEATED_NAME_BYTES])}.{token}")


def _put(temporary: Path, path: Path, state: os.stat_result | None) -> None:
    """Moves the temporary file to the target, or copies its bytes to a pipe or device."""
    if _is_stream(state):
        with open(temporary, "rb") as source, open(path, "wb") as sink:
            shutil.copyfileobj(source, sink)
        temporary.unlink()
        return
    if state is not None:
        if hasattr(os, "chown"):
            with contextlib.suppress(OSError):  # only root may change the owner
                os.chown(temporary, state.st_uid, state.st_gid)
        temporary.chmod(stat.S_IMODE(state.st_mode))
    os.replace(temporary, os.path.realpath(path))


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Makes each OSError in the block name `path`, not the temporary file or nothing."""
    try:
        yield
    except OSError as error:
        raise _about(error, path) from error


def _about(error: OSError, path: Path) -> OSError:
    return OSError(error.errno, error.strerror or str(error), os.fspath(path))


def error_text(error: OSError, where: str | os.PathLike[str] | None = None) -> str:
    """One line: the file that the error names, else `where`, and the message of the system."""
    name = where if error.filename is None else error.filename
    cause = (error.strerror or str(error)).lower()
    return cause if name is None else f"{_shown(name)}: {cause}"


def write_error_text(folder: Path, error: OSError) -> str:
    """One line: the folder that cannot be written, the file if the error names it, and the message of the system."""
    file = "" if error.filename is None else f"{_shown(error.filename)}: "
    return f"{_shown(folder)} cannot be written: {file}{error.strerror or error}"


def _shown(name: object) -> str:
    return one_line(os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else str(name), PATH_LIMIT)


def require_file(path: Path) -> None:
    """Raises ContraltoError (one line) if `written_whole` could not write this file. Call it before the work."""
    if not path.parent.is_dir():
        folder = os.fspath(path.parent)
        raise ContraltoError(f"{_shown(path)}: {explain_missing(folder) or f'there is no folder {_shown(folder)}'}")
    try:
        with _named(path):
            state = _state(path)
            if state is not None and not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            if not _is_stream(state):
                _try(_temporary_path(path, state))
    except OSError as error:
        raise ContraltoError(error_text(error)) from error


def require_folder(path: Path) -> None:
    """Raises ContraltoError (one line) if this folder cannot be created or written. Call it before the work.

    The name of a new folder must not have the suffix of a file: out.html is refused.
    """
    if not path.exists():
        if path.suffix.lower() in FILE_SUFFIXES:
            raise ContraltoError(f"{_shown(path)}: must be a folder, but {path.suffix} is the suffix of a file")
        if path.parts[:1] and path.parts[0].startswith("~"):
            raise ContraltoError(f"{_shown(path)}: {explain_missing(os.fspath(path))}")
    here = path
    while not os.path.lexists(here) and here != here.parent:
        here = here.parent
    try:
        with _named(here):
            if not here.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "is not a folder")
            _try(here / f".contralto.{secrets.token_hex(6)}.tmp")
    except OSError as error:
        raise ContraltoError(error_text(error)) from error


def _try(path: Path) -> None:
    """Creates an empty file and removes it. Raises OSError."""
    with open(path, "xb"):
        pass
    path.unlink()


def text_of(path: str | os.PathLike[str], what: str) -> str:
    """The text of a UTF-8 file, without a byte order mark. Raises DataError, which names the file "{what} {path}"."""
    where = one_line(os.fspath(path), 200)
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{what} {where}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{what} {where} is not UTF-8 text") from error


def copy_files(files: Iterable[Path], folder: Path) -> None:
    """Copies each file into the folder under the same name, whole or not at all. Skips a file that is already there.

    Raises OSError.
    """
    for path in files:
        target = folder / path.name
        if not (target.exists() and target.samefile(path)):
            with open(path, "rb") as source, written_whole(target) as file:
                shutil.copyfileobj(source, file)
