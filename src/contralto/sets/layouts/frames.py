"""Videos as frames: one picture per video, or a folder of frames, of which the middle one counts.

Video files are not decoded, because decoders differ in the choice of the middle frame: users extract the frames first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from contralto.errors import DataError, one_line
from contralto.filenames import is_system_name
from contralto.image.formats import is_picture
from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.class_index import index_of
from contralto.sets.layouts.documents import csv_columns
from contralto.sets.layouts.locate import MissingPath, first_existing, folder_names, picture_files
from contralto.sets.list_files import read_lines


def ucf101(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """A folder of frames per class, and the lists of three splits: train, test; train2, test2; train3, test3."""
    part, number = (split, "1") if split.isalpha() else (split[:-1], split[-1])
    chosen = first_existing(root, f"ucfTrainTestlist/{part}list0{number}.txt", f"{part}list0{number}.txt")
    frames = _Frames(first_existing(root, "UCF-101-midframes", "UCF-101-frames", "frames"))
    index_by_name = {_plain(class_.folder): index for index, class_ in enumerate(classes)}
    items = []
    for line in read_lines(
        chosen
    ):  # ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi, in the lists for training with the label
        action, _, video = line.split(" ")[0].removesuffix(".avi").partition("/")
        label = index_of(index_by_name, _plain(action), chosen)
        # one class is HandstandPushups in some of the released names and HandStandPushups in others
        path = frames.middle(action, video) or frames.middle(action, video.replace("HandStand", "Handstand"))
        if path is None:
            raise DataError(f"{frames.folder} has no frame of {one_line(line, 80)!r}, which {chosen.name} names")
        items.append(Item(path.relative_to(root).as_posix(), path, label))
    return items


def kinetics700(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """Frames `<youtube id>_<start>_<end>`, optionally in a folder per class, and the released list of a split.

    Some videos are no longer on YouTube: videos without a frame are left out.
    """
    released = {"val": "validate"}.get(split, split)  # in the first release
    listed = first_existing(
        root, f"annotations/{split}.csv", f"{split}.csv", f"annotations/{released}.csv", f"{released}.csv"
    )
    frames = _Frames(first_existing(root, split, f"frames/{split}"))
    index_by_name = {_plain(class_.folder or class_.name): index for index, class_ in enumerate(classes)}
    items = []
    for action, video, start, end in csv_columns(listed, "label", "youtube_id", "time_start", "time_end"):
        label = index_of(index_by_name, _plain(action), listed)
        path = frames.middle(action, f"{video}_{_seconds(start):06d}_{_seconds(end):06d}")
        if path is not None:
            items.append(Item(path.relative_to(root).as_posix(), path, label))
    if not items:
        raise MissingPath(f"{frames.folder} has a frame of none of the videos that {listed.name} names")
    return items


class _Frames:
    """The frames in a folder. Each class folder is listed once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._folders = {_plain(name): folder / name for name in folder_names(folder)}
        self._listed: dict[Path, dict[str, Path]] = {}

    def middle(self, action: str, video: str) -> Path | None:
        """The video's picture, or picture n // 2 of the n pictures in its folder; None if missing."""
        path = self._paths(self._folders.get(_plain(action), self.folder)).get(video)
        if path is None or not path.is_dir():
            return path
        ordered = sorted(picture_files(path), key=_natural)
        return ordered[len(ordered) // 2] if ordered else None

    def _paths(self, folder: Path) -> dict[str, Path]:
        """Pictures and folders of frames in a folder, by video."""
        if folder not in self._listed:
            visible = (path for path in folder.iterdir() if not is_system_name(path.name))
            videos = (path for path in visible if path.is_dir() or is_picture(path.name))
            self._listed[folder] = {path.name if path.is_dir() else path.stem: path for path in videos}
        return self._listed[folder]


def _plain(name: str) -> str:
    """A class name in one spelling, for variants such as HandstandPushups and Hand_Stand_Pushups."""
    return re.sub(r"[ _]", "", name).casefold()


def _natural(path: Path) -> tuple[list[int], str]:
    """Sort key by the numbers in the name, so that frame 10 comes after frame 9."""
    return [int(number) for number in re.findall(r"\d+", path.stem)], path.name


def _seconds(stated: str) -> int:
    try:
        return int(float(stated))
    except ValueError as error:
        raise DataError(f"a video's start or end is no number of seconds: {one_line(stated, 80)!r}") from error
