"""Rules about names of files: suffixes of files, names that systems use, and why a name does not refer to a file."""

from __future__ import annotations

import glob
import os
import re

# A reader takes a name with such a suffix for a file, not for a folder.
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
    """Whether a file or folder with this name is not user data: it is hidden, or a system created it.

    Examples: macOS adds __MACOSX to archives, a NAS adds @eaDir for thumbnails, Windows has $RECYCLE.BIN.
    """
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def explain_missing(name: str) -> str | None:
    """Why no file has this name, and what to do. None if the name exists, or could be the name of a file."""
    if os.path.lexists(name):
        return None
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", name)
    if name == "-":
        return "standard input is not read: write the data to a file, and give its path"
    if scheme and scheme[1].lower() == "file":
        return "is a URL: give the path without file://"
    if scheme and scheme[1].lower() in ("http", "https", "ftp"):
        return "is a web address: download it first (curl -O ADDRESS)"
    if scheme:
        return "is a URL, not a file: download it first"
    if name.startswith("~"):
        return "'~' is not expanded: write the whole path"
    if glob.has_magic(name):
        match = next(glob.iglob(name), None)
        return "no file matches the pattern" if match is None else "is a pattern: name the files, or their folder"
    return None
