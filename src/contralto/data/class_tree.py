"""Class folders on the disk or within a tar, `[split/]class/[deeper/]picture`: one reading for measuring and training.

A folder is listed when it is asked for, so that who reads one split does not wait for the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeAlias

from contralto.data.left_out import LeftOut
from contralto.data.splits import ALL, is_split, split_name
from contralto.data.tar import Contents, Member, parts_of
from contralto.errors import DataError
from contralto.filenames import is_system_name
from contralto.image.formats import is_picture

Stored: TypeAlias = Path | Member

NO_PICTURE = "left out, no pictures by their names"
NO_CLASS = "left out, pictures that lie in no class folder"
NO_SPLIT = "left out, folders beside those of the splits"
ONLY_OTHERS = "left out, folders of files that are no pictures"

COMPANIONS = (
    *(".txt", ".md", ".rst", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".html", ".htm", ".yaml", ".yml", ".toml"),
    *(".db", ".ini", ".log", ".npy", ".npz", ".mat", ".pkl", ".py", ".sh", ".url", ".license", "license", "readme"),
)
"""Files that nobody takes for pictures: they are not worth a note."""


class Labelled(NamedTuple):
    """A picture of a class: the name of the class's folder, the picture's path below the set, the picture."""

    folder: str
    key: str
    picture: Stored


class Listing(NamedTuple):
    """What lies in a folder, sorted by name. unusable: key -> why an entry cannot be used."""

    folders: Mapping[str, Folder]
    files: Mapping[str, Stored]
    unusable: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Folder:
    """key: its path below the set, "" for the set itself. names: what lies in it, as far as one asks. linked: where it
    leads if it is a link, else None."""

    key: str
    list: Callable[[], Listing]
    names: Callable[[], Iterator[str]]
    linked: str | None = None

    @cached_property
    def listing(self) -> Listing:
        return self.list()

    def below(self, name: str) -> str:
        """The key of what lies in it under that name."""
        return f"{self.key}/{name}" if self.key else name

    def walk(self) -> Iterator[Folder]:
        """The folder and all below it. Where several links lead to one folder, the first counts."""
        waiting, links = [self], set[str]()
        while waiting:
            folder = waiting.pop()
            if folder.linked is not None:
                if folder.linked in links:
                    continue
                links.add(folder.linked)
            yield folder
            waiting += reversed(list(folder.listing.folders.values()))

    @cached_property
    def is_class(self) -> bool:
        """Whether it has a picture in it or below, or nothing at all: a folder of documents is no class."""
        if any(map(is_picture, self.names())):  # the usual case, in which a folder is not listed whole
            return True
        below = [folder.listing.files for folder in self.walk()]
        return any(is_picture(name) for files in below for name in files) or not any(below)


class ClassTree:
    """The class folders of all splits. splits: name -> the folder that its class folders lie in.

    Raises DataError where the folder cannot be read, or two folders are one split.
    """

    def __init__(self, path: Path, contents: Contents | None = None) -> None:
        """path: the folder, or the tar whose contents these are."""
        self.root = _without_wrapper(_on_disk(path) if contents is None else _in_tar(contents))
        if self.root.key in self.root.listing.unusable:
            raise DataError(f"{path} {self.root.listing.unusable[self.root.key]}")
        found = {name: one for name, one in self.root.listing.folders.items() if is_split(name) and one.listing.folders}
        self.splits = {split_name(name): one for name, one in found.items()} or {ALL: self.root}
        if len(self.splits) < len(found):
            there = ", ".join(found)
            raise DataError(f"{path} has more than one folder for the same split ({there}): rename or remove one")

    def classes(self) -> list[str]:
        """The names of the class folders of all splits, sorted."""
        listed = (one.listing.folders.items() for one in self.splits.values())
        return sorted({name for folders in listed for name, folder in folders if folder.is_class})

    def pictures(self, split: str, left_out: LeftOut) -> list[Labelled]:
        """All pictures of a split, in a fixed order: those in deeper folders are of the class that they lie in."""
        found = pictures_of(self.splits[split], left_out, beside=None if split == ALL else self.root)
        above = self.root.below("")
        return [one._replace(key=one.key.removeprefix(above)) for one in found] if above else found


def pictures_below(path: Path) -> Iterator[tuple[str, Stored]]:
    """Every picture in a folder or below it, with its path from there."""
    for folder in _on_disk(path).walk():
        yield from ((folder.below(name), one) for name, one in folder.listing.files.items() if is_picture(name))


def pictures_of(above: Folder, left_out: LeftOut, beside: Folder | None = None) -> list[Labelled]:
    """The pictures in the class folders of `above`, sorted by folder and name; those of a tar in its own order.

    beside: the folder that the splits lie in, if there are any.
    """
    if beside is not None:
        _pass_over_beside(beside, left_out)
    _pass_over_files(above, left_out)
    found = []
    for name, folder in above.listing.folders.items():
        if not folder.is_class:
            left_out.pass_over(ONLY_OTHERS, folder.key)
        for deeper in folder.walk():
            for key, reason in deeper.listing.unusable.items():
                left_out.fail(key, reason)
            for file, picture in deeper.listing.files.items():
                if is_picture(file):
                    found.append(Labelled(name, deeper.below(file), picture))
                elif folder.is_class:
                    _pass_over(deeper.below(file), left_out)
    return sorted(found, key=lambda one: one.picture.offset if isinstance(one.picture, Member) else 0)


def _pass_over_beside(root: Folder, left_out: LeftOut) -> None:
    _pass_over_files(root, left_out)
    for name, folder in root.listing.folders.items():
        if not (is_split(name) and folder.listing.folders) and any(one.listing.files for one in folder.walk()):
            left_out.pass_over(NO_SPLIT, folder.key)


def _pass_over_files(folder: Folder, left_out: LeftOut) -> None:
    """Of a folder that class folders, or folders of splits, lie in."""
    for key, reason in folder.listing.unusable.items():
        left_out.fail(key, reason)
    for name in folder.listing.files:
        if is_picture(name):
            left_out.pass_over(NO_CLASS, folder.below(name))
        else:
            _pass_over(folder.below(name), left_out)


def _pass_over(key: str, left_out: LeftOut) -> None:
    if not key.lower().endswith(COMPANIONS):
        left_out.pass_over(NO_PICTURE, key)


def _without_wrapper(root: Folder) -> Folder:
    """The folder in which splits or classes lie: a single folder that holds folders alone is stepped into, as `set/` of
    `set.tar`."""
    while len(root.listing.folders) == 1 and not any(map(is_picture, root.listing.files)):
        (name, only), *_ = root.listing.folders.items()
        if is_split(name) or not only.listing.folders or any(map(is_picture, only.listing.files)):
            break
        root = only
    return root


def _on_disk(path: Path) -> Folder:
    return _folder(path, "", os.path.realpath(path), ())


def _folder(path: Path, key: str, real: str, above: Sequence[str], linked: str | None = None) -> Folder:
    """real: where the folder lies. above: where those that it was reached through lie, so that no link leads round."""
    return Folder(key, lambda: _listed(path, key, (*above, real)), lambda: _names(path), linked)


def _names(path: Path) -> Iterator[str]:
    try:
        with os.scandir(path) as entries:
            yield from (entry.name for entry in entries if not is_system_name(entry.name))
    except (OSError, ValueError):
        return  # which is told when the folder is listed


def _listed(path: Path, key: str, chain: Sequence[str]) -> Listing:
    """chain: where the folder lies, last, and where those that it was reached through lie."""
    folders: dict[str, Folder] = {}
    files: dict[str, Stored] = {}
    unusable: dict[str, str] = {}
    try:
        with os.scandir(path) as entries:
            seen = sorted((entry for entry in entries if not is_system_name(entry.name)), key=lambda entry: entry.name)
    except (OSError, ValueError) as error:
        return Listing({}, {}, {key: f"cannot be read: {getattr(error, 'strerror', None) or error}"})
    for entry in seen:
        name = f"{key}/{entry.name}" if key else entry.name
        if not _is_folder(entry):
            files[entry.name] = path / entry.name
        elif not entry.is_symlink():
            real = os.path.join(chain[-1], entry.name)
            folders[entry.name] = _folder(path / entry.name, name, real, chain)
        else:
            target = os.path.realpath(path / entry.name)
            if any(one == target or one.startswith(os.path.join(target, "")) for one in chain):
                unusable[name] = "is a link to a folder that it lies in"
            else:
                folders[entry.name] = _folder(path / entry.name, name, target, chain, linked=target)
    return Listing(folders, files, unusable)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Also for a link; one that leads in a circle is taken for a file, which fails when it is read."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _in_tar(contents: Contents) -> Folder:
    """Folders as the members' names have them. Of two members of one name the first counts, as nothing is unpacked."""
    folders: dict[str, dict[str, None]] = {"": {}}
    files: dict[str, dict[str, Stored]] = {"": {}}
    twice: dict[str, dict[str, str]] = {}

    def folder(parts: Sequence[str]) -> str:
        for end in range(1, len(parts) + 1):
            here, above = "/".join(parts[:end]), "/".join(parts[: end - 1])
            folders[above][here] = None
            folders.setdefault(here, {})
            files.setdefault(here, {})
        return "/".join(parts)

    for name in contents.folders:
        if not any(map(is_system_name, parts := parts_of(name))):
            folder(parts)
    for member in contents.files:
        parts = parts_of(member.name)
        if parts and not any(map(is_system_name, parts)):
            here = folder(parts[:-1])
            if parts[-1] in files[here]:
                twice.setdefault(here, {})["/".join(parts)] = "is in the tar twice: the first is taken"
            else:
                files[here][parts[-1]] = member

    def listing(here: str) -> Listing:
        below = {one.rpartition("/")[2]: lazily(one) for one in sorted(folders[here])}
        return Listing(below, dict(sorted(files[here].items())), twice.get(here, {}))

    def lazily(here: str) -> Folder:
        return Folder(here, lambda: listing(here), lambda: iter(files[here]))

    return lazily("")
