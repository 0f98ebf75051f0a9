"""Videos as frames: of each video one picture, or a folder of pictures of which the middle one counts.

Video files are not decoded: what a decoder takes for the middle frame differs, so the frames are extracted beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from contralto.errors import DataError, one_line
from contralto.filenames import is_system_name
from contralto.image.formats import is_picture
from contralto.sets.items import Class, Item
from contralto.sets.layouts.documents import table
from contralto.sets.layouts.found import Missing, folders, lines, one_of, pictures
from contralto.sets.layouts.labels import index_of


def ucf101(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """A folder of frames per class, and the lists of the three splits: train, test; train2, test2; train3, test3."""
    part, number = (split, "1") if split.isalpha() else (split[:-1], split[-1])
    chosen = one_of(root, f"ucfTrainTestlist/{part}list0{number}.txt", f"{part}list0{number}.txt")
    frames = _Frames(one_of(root, "UCF-101-midframes", "UCF-101-frames", "frames"))
    place = {_plain(known.folder): index for index, known in enumerate(classes)}
    items = []
    for line in lines(chosen):  # ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi, in the lists for training with the label
        action, _, video = line.split(" ")[0].removesuffix(".avi").partition("/")
        label = index_of(place, _plain(action), chosen)
        # one class is HandstandPushups in some of the released names and HandStandPushups in others
        path = frames.middle(action, video) or frames.middle(action, video.replace("HandStand", "Handstand"))
        if path is None:
            raise DataError(f"{frames.folder} has no frame of {one_line(line, 80)!r}, which {chosen.name} names")
        items.append(Item(path.relative_to(root).as_posix(), path, label))
    return items


def kinetics700(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """Frames `<youtube id>_<start>_<end>`, in folders per class or not, and the released list of a split.

    Videos come and go on YouTube: those of which there is no frame are left out.
    """
    released = {"val": "validate"}.get(split, split)  # in the first release
    listed = one_of(root, f"annotations/{split}.csv", f"{split}.csv", f"annotations/{released}.csv", f"{released}.csv")
    frames = _Frames(one_of(root, split, f"frames/{split}"))
    place = {_plain(known.folder or known.name): index for index, known in enumerate(classes)}
    items = []
    for action, video, start, end in table(listed, "label", "youtube_id", "time_start", "time_end"):
        label = index_of(place, _plain(action), listed)
        path = frames.middle(action, f"{video}_{_seconds(start):06d}_{_seconds(end):06d}")
        if path is not None:
            items.append(Item(path.relative_to(root).as_posix(), path, label))
    if not items:
        raise Missing(f"{frames.folder} has a frame of none of the videos that {listed.name} names")
    return items


class _Frames:
    """What there is of the videos below a folder, listed once for each class."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._folders = {_plain(name): folder / name for name in folders(folder)}
        self._listed: dict[Path, dict[str, Path]] = {}

    def middle(self, action: str, video: str) -> Path | None:
        """The video's picture, or the middle one of its folder: of n pictures that at n // 2. None if there is none."""
        found = self._there(self._folders.get(_plain(action), self.folder)).get(video)
        if found is None or not found.is_dir():
            return found
        ordered = sorted(pictures(found), key=_natural)
        return ordered[len(ordered) // 2] if ordered else None

    def _there(self, folder: Path) -> dict[str, Path]:
        if folder not in self._listed:
            listed = (path for path in folder.iterdir() if not is_system_name(path.name))
            there = (path for path in listed if path.is_dir() or is_picture(path.name))
            self._listed[folder] = {path.name if path.is_dir() else path.stem: path for path in there}
        return self._listed[folder]


def _plain(name: str) -> str:
    """A class's name in one spelling of the several that are about: HandstandPushups, Hand_Stand_Pushups."""
    return re.sub(r"[ _]", "", name).casefold()


def _natural(path: Path) -> tuple[list[int], str]:
    """By the numbers within the name, so that frame 10 comes after frame 9."""
    return [int(number) for number in re.findall(r"\d+", path.stem)], path.name


def _seconds(stated: str) -> int:
    try:
        return int(float(stated))
    except ValueError as error:
        raise DataError(f"a video's start or end is no number of seconds: {one_line(stated, 80)!r}") from error
