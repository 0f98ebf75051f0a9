"""A JSON file of annotations and its pictures, which lie in a folder of their own."""

from __future__ import annotations

from pathlib import Path

from contralto.errors import DataError, one_line

HEAD_BYTES = 4096
"""Size of the start of a JSON file, which holds its first names and its first entry."""


def file_head(path: Path) -> bytes:
    """The start of a file, which tells what kind it is. Raises DataError."""
    try:
        with open(path, "rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def picture_folder(path: Path, name: str) -> Path:
    """The folder that holds the picture of that name, for the annotations at `path`. Raises DataError."""
    here = path.resolve().parent
    folders = [
        here,
        *(folder for parent in (here, here.parent) for folder in sorted(parent.iterdir()) if folder.is_dir()),
    ]
    for folder in folders:
        if (folder / name).is_file():
            return folder
    raise DataError(
        f"{path}: its picture {one_line(name, 120)!r} is not in {here} nor in a folder within or next to it: "
        "put the folder of pictures there (COCO's val2017)"
    )
