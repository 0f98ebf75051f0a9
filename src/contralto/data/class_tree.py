"""Class folders on disk or in a tar, `[split/]class/[deeper/]picture`: one reader for evaluation and training.

Read `ClassTree`, then `pictures_of`, then how folders are listed (`_disk_folder`, `_TarTree`). A folder is listed on
first use, so that reading one split does not wait for the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeAlias

from contralto.data.omissions import Omissions
from contralto.data.splits import UNSPLIT, is_split, split_name
from contralto.data.tar import Contents, Member, parts_of
from contralto.errors import DataError
from contralto.filenames import is_system_name
from contralto.image.formats import is_picture

StoredPicture: TypeAlias = Path | Member

NO_PICTURE = "left out, no pictures by their names"
NO_CLASS = "left out, pictures that lie in no class folder"
NO_SPLIT = "left out, folders beside those of the splits"
ONLY_OTHERS = "left out, folders of files that are no pictures"

COMPANIONS = (
    *(".txt", ".md", ".rst", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".html", ".htm", ".yaml", ".yml", ".toml"),
    *(".db", ".ini", ".log", ".npy", ".npz", ".mat", ".pkl", ".py", ".sh", ".url", ".license", "license", "readme"),
)
"""Endings of files that often accompany pictures: such files are not reported."""


class LabelledPicture(NamedTuple):
    """A picture, and the name of its class folder. key: the picture's path below the data set."""

    folder: str
    key: str
    picture: StoredPicture


class Listing(NamedTuple):
    """The entries of a folder, sorted by name. unusable: key -> why an entry cannot be used."""

    folders: Mapping[str, Folder]
    files: Mapping[str, StoredPicture]
    unusable: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Folder:
    """A folder on disk or in a tar, not listed yet.

    key: its path below the data set, "" for the data set itself. read_names: yields the names of its files, and may
    stop early. link_target: the folder that it leads to if it is a link, else None.
    """

    key: str
    read_listing: Callable[[], Listing]
    read_names: Callable[[], Iterator[str]]
    link_target: str | None = None

    @cached_property
    def listing(self) -> Listing:
        return self.read_listing()

    def key_of(self, name: str) -> str:
        """The key of the entry with that name."""
        return f"{self.key}/{name}" if self.key else name

    def walk(self) -> Iterator[Folder]:
        """This folder and all folders below it. If several links lead to one folder, the first counts."""
        waiting, targets = [self], set[str]()
        while waiting:
            folder = waiting.pop()
            if folder.link_target is not None:
                if folder.link_target in targets:
                    continue
                targets.add(folder.link_target)
            yield folder
            waiting += reversed(list(folder.listing.folders.values()))

    @cached_property
    def is_class(self) -> bool:
        """Whether it holds a picture at any depth, or no file at all: a folder of documents is not a class."""
        if any(map(is_picture, self.read_names())):  # the usual case; it does not list the whole folder
            return True
        files_by_folder = [folder.listing.files for folder in self.walk()]
        return any(is_picture(name) for files in files_by_folder for name in files) or not any(files_by_folder)


class ClassTree:
    """The class folders of all splits. splits: name -> the folder that holds its class folders.

    Raises DataError if the folder cannot be read, or if two folders are the same split.
    """

    def __init__(self, path: Path, contents: Contents | None = None) -> None:
        """path: the folder, or the tar with these contents."""
        self.root = _without_wrapper(_root_on_disk(path) if contents is None else _TarTree(contents).folder())
        if self.root.key in self.root.listing.unusable:
            raise DataError(f"{path} {self.root.listing.unusable[self.root.key]}")
        folders = self.root.listing.folders
        split_folders = {name: folder for name, folder in folders.items() if _is_split_folder(name, folder)}
        self.splits = {split_name(name): folder for name, folder in split_folders.items()} or {UNSPLIT: self.root}
        if len(self.splits) < len(split_folders):
            names = ", ".join(split_folders)
            raise DataError(f"{path} has more than one folder for the same split ({names}): rename or remove one")

    def classes(self) -> list[str]:
        """The names of the class folders of all splits, sorted."""
        by_split = (folder.listing.folders.items() for folder in self.splits.values())
        return sorted({name for folders in by_split for name, folder in folders if folder.is_class})

    def pictures(self, split: str, left_out: Omissions) -> list[LabelledPicture]:
        """All pictures of a split, in a fixed order. A picture in a deeper folder belongs to the class above it."""
        pictures = pictures_of(self.splits[split], left_out, split_parent=None if split == UNSPLIT else self.root)
        prefix = self.root.key_of("")
        return [picture._replace(key=picture.key.removeprefix(prefix)) for picture in pictures] if prefix else pictures


def pictures_below(path: Path) -> Iterator[tuple[str, StoredPicture]]:
    """Every picture at any depth of a folder, with its path below the folder."""
    for folder in _root_on_disk(path).walk():
        yield from ((folder.key_of(name), file) for name, file in folder.listing.files.items() if is_picture(name))


def pictures_of(parent: Folder, left_out: Omissions, split_parent: Folder | None = None) -> list[LabelledPicture]:
    """The pictures in the class folders of `parent`, sorted by folder and name; in a tar, in the tar's own order.

    split_parent: the folder that holds the splits, if the data set has splits.
    """
    if split_parent is not None:
        _report_other_folders(split_parent, left_out)
    _report_loose_files(parent, left_out)
    pictures = []
    for name, folder in parent.listing.folders.items():
        if not folder.is_class:
            left_out.ignore(ONLY_OTHERS, folder.key)
        for deeper in folder.walk():
            for key, reason in deeper.listing.unusable.items():
                left_out.fail(key, reason)
            for file_name, file in deeper.listing.files.items():
                if is_picture(file_name):
                    pictures.append(LabelledPicture(name, deeper.key_of(file_name), file))
                elif folder.is_class:
                    _report_other_file(deeper.key_of(file_name), left_out)
    return sorted(pictures, key=lambda item: item.picture.offset if isinstance(item.picture, Member) else 0)


def _is_split_folder(name: str, folder: Folder) -> bool:
    return is_split(name) and bool(folder.listing.folders)


def _report_other_folders(root: Folder, left_out: Omissions) -> None:
    """Reports the files and folders next to the split folders."""
    _report_loose_files(root, left_out)
    for name, folder in root.listing.folders.items():
        if not _is_split_folder(name, folder) and any(deeper.listing.files for deeper in folder.walk()):
            left_out.ignore(NO_SPLIT, folder.key)


def _report_loose_files(folder: Folder, left_out: Omissions) -> None:
    """Reports the files next to class folders or split folders."""
    for key, reason in folder.listing.unusable.items():
        left_out.fail(key, reason)
    for name in folder.listing.files:
        if is_picture(name):
            left_out.ignore(NO_CLASS, folder.key_of(name))
        else:
            _report_other_file(folder.key_of(name), left_out)


def _report_other_file(key: str, left_out: Omissions) -> None:
    if not key.lower().endswith(COMPANIONS):
        left_out.ignore(NO_PICTURE, key)


def _without_wrapper(root: Folder) -> Folder:
    """The folder that holds the splits or classes: skips a single folder that holds only folders, as `set/` in
    `set.tar`."""
    while len(root.listing.folders) == 1 and not any(map(is_picture, root.listing.files)):
        (name, only), *_ = root.listing.folders.items()
        if is_split(name) or not only.listing.folders or any(map(is_picture, only.listing.files)):
            break
        root = only
    return root


def _root_on_disk(path: Path) -> Folder:
    return _disk_folder(path, "", (os.path.realpath(path),))


def _disk_folder(path: Path, key: str, chain: Sequence[str], link_target: str | None = None) -> Folder:
    """chain: real paths of the root, of each folder on the way, and last of this folder. It stops circular links."""
    return Folder(key, lambda: _list_on_disk(path, key, chain), lambda: _names_on_disk(path), link_target)


def _names_on_disk(path: Path) -> Iterator[str]:
    try:
        with os.scandir(path) as entries:
            yield from (entry.name for entry in entries if not is_system_name(entry.name))
    except (OSError, ValueError):
        return  # the listing reports the error


def _list_on_disk(path: Path, key: str, chain: Sequence[str]) -> Listing:
    folders: dict[str, Folder] = {}
    files: dict[str, StoredPicture] = {}
    unusable: dict[str, str] = {}
    try:
        with os.scandir(path) as entries:
            visible = sorted((entry for entry in entries if not is_system_name(entry.name)), key=lambda e: e.name)
    except (OSError, ValueError) as error:
        return Listing({}, {}, {key: f"cannot be read: {getattr(error, 'strerror', None) or error}"})
    for entry in visible:
        entry_key = f"{key}/{entry.name}" if key else entry.name
        if not _is_folder(entry):
            files[entry.name] = path / entry.name
        elif not entry.is_symlink():
            real = os.path.join(chain[-1], entry.name)
            folders[entry.name] = _disk_folder(path / entry.name, entry_key, (*chain, real))
        else:
            target = os.path.realpath(path / entry.name)
            if any(real == target or real.startswith(os.path.join(target, "")) for real in chain):
                unusable[entry_key] = "is a link to a folder that it lies in"
            else:
                folders[entry.name] = _disk_folder(path / entry.name, entry_key, (*chain, target), target)
    return Listing(folders, files, unusable)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """True also for a link to a folder. A link that leads in a circle counts as a file, which fails when read."""
    try:
        return entry.is_dir()
    except OSError:
        return False


class _TarTree:
    """The folders of a tar by the names of its members. Of two members with one name, the first counts."""

    def __init__(self, contents: Contents) -> None:
        self._subfolders: dict[str, dict[str, None]] = {"": {}}  # folder key -> keys of its folders, as an ordered set
        self._files: dict[str, dict[str, StoredPicture]] = {"": {}}
        self._unusable: dict[str, dict[str, str]] = {}
        for name in contents.folders:
            if not any(map(is_system_name, parts := parts_of(name))):
                self._add_folder(parts)
        for member in contents.files:
            parts = parts_of(member.name)
            if parts and not any(map(is_system_name, parts)):
                self._add_file(parts, member)

    def folder(self, key: str = "") -> Folder:
        return Folder(key, lambda: self._list(key), lambda: iter(self._files[key]))

    def _list(self, key: str) -> Listing:
        folders = {below.rpartition("/")[2]: self.folder(below) for below in sorted(self._subfolders[key])}
        return Listing(folders, dict(sorted(self._files[key].items())), self._unusable.get(key, {}))

    def _add_folder(self, parts: Sequence[str]) -> str:
        """Adds the folder and those above it, and returns its key."""
        for end in range(1, len(parts) + 1):
            key, parent = "/".join(parts[:end]), "/".join(parts[: end - 1])
            self._subfolders[parent][key] = None
            self._subfolders.setdefault(key, {})
            self._files.setdefault(key, {})
        return "/".join(parts)

    def _add_file(self, parts: Sequence[str], member: Member) -> None:
        folder = self._add_folder(parts[:-1])
        if parts[-1] in self._files[folder]:
            self._unusable.setdefault(folder, {})["/".join(parts)] = "is in the tar twice: the first is taken"
        else:
            self._files[folder][parts[-1]] = member
