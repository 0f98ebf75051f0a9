"""WebDataset tars. The members of a sample share a key: `<key>.jpg` with `<key>.json`, `.txt` or `.cls`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from contralto.data.omissions import Omissions
from contralto.data.sample import Sample, SampleError
from contralto.data.shards import shard_files
from contralto.data.table_files import captions_of
from contralto.data.tar import Member, members, parts_of
from contralto.errors import DataError
from contralto.filenames import is_system_name
from contralto.image.formats import SUFFIXES, is_picture


class WebDataset:
    """One tar or several, uncompressed, read by index without unpacking. A `Source`.

    tars: paths and patterns, such as `data-{000..099}.tar` or `*.tar` (see `data.shards`).
    Key: the member's path up to the first dot of its file name. Captions: `.json` with `captions` (a list) or `caption`
    (a string); without these, `.txt` with one caption per line. Label: `.cls`, a whole number. A picture without
    caption and label, or a text without a picture, is skipped and counted. Raises DataError if a file of a pattern is
    missing, and if a tar is damaged or has no samples.
    """

    def __init__(self, tars: str | Path | Sequence[str | Path]) -> None:
        paths = shard_files(tars)
        if not paths:
            raise DataError("WebDataset was given no tar")
        self.name = paths[0].stem
        left_out = Omissions()
        self._samples: list[dict[str, Member]] = []
        for path in paths:
            self._samples += _complete(path, left_out)
        self.skipped = left_out.counts()
        if not self._samples:
            raise DataError(f"{paths[0]} holds no pair of a picture with .json, .txt or .cls: {self.skipped}")

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        parts = self._samples[index]
        texts, class_index = captions(parts), label(parts)
        if not texts and class_index is None:
            raise SampleError(str(parts["picture"]), "has no caption")
        return Sample(parts["picture"].read(), texts, parts["picture"].name, class_index)


def _complete(path: Path, left_out: Omissions) -> list[dict[str, Member]]:
    """The samples of one tar that have a picture, and a caption or label."""
    complete = []
    for key, parts in samples_by_key(members(path), left_out).items():
        if "picture" not in parts:
            left_out.fail(f"{path}: {key}", "no picture")
        elif not parts.keys() & {"json", "txt", "cls"}:
            left_out.fail(f"{path}: {key}", "no caption")
        else:
            complete.append(parts)
    return complete


def samples_by_key(files: Iterable[Member], left_out: Omissions) -> dict[str, dict[str, Member]]:
    """The samples of a tar by key, in the tar's order. A sample maps "picture", or the file extension, to a member.

    If both `k.jpg` and `k.mask.png` exist, `k.jpg` is the picture: its extension has no second dot. A sample with two
    members for one part fails. Files that operating systems create are ignored.
    """
    samples: dict[str, dict[str, Member]] = {}
    failed: set[str] = set()
    for member in files:
        if any(map(is_system_name, parts_of(member.name))):
            continue
        folder, _, file = member.name.removeprefix("./").rpartition("/")
        stem, _, extension = file.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        parts = samples.setdefault(key, {})
        part = "picture" if is_picture(f".{extension}") else extension.lower()
        if part == "picture" and part in parts and _is_plain(member) != _is_plain(parts[part]):
            parts[part] = max(member, parts[part], key=_is_plain)
        elif part in parts:
            left_out.fail(f"{member.tar}: {key}", f"has a second {part or 'file'} of the same key")
            failed.add(key)
        else:
            parts[part] = member
    return {key: parts for key, parts in samples.items() if key not in failed}


def _is_plain(member: Member) -> bool:
    """Whether the name is the key followed directly by a picture's suffix."""
    return "." + member.name.rpartition("/")[2].partition(".")[2].lower() in SUFFIXES


def captions(parts: Mapping[str, Member]) -> tuple[str, ...]:
    """A sample's captions, from its `.json`; if that has none, from its `.txt`; may be empty.

    Raises SampleError if a file cannot be read and the other file has no captions.
    """
    fault: SampleError | None = None
    for read, part in ((_in_json, "json"), (_in_text, "txt")):
        try:
            if part in parts and (texts := read(parts[part])):
                return texts
        except SampleError as error:
            fault = fault or error
    if fault is not None:
        raise fault
    return ()


def label(parts: Mapping[str, Member]) -> int | None:
    """A sample's class index, None if it has none. Raises SampleError."""
    text = _text(parts["cls"]).strip() if "cls" in parts else ""
    if not text or text == "null":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise SampleError(str(parts["cls"]), "holds no class index")
    return int(text)


def _in_json(member: Member) -> tuple[str, ...]:
    try:
        value = json.loads(_text(member))
    except (ValueError, RecursionError) as error:
        raise SampleError(str(member), "is not JSON") from error
    if not isinstance(value, dict):
        raise SampleError(str(member), "is no object with a list of strings `captions` or a string `caption`")
    return captions_of(value.get("captions")) or captions_of(value.get("caption"))


def _in_text(member: Member) -> tuple[str, ...]:
    return captions_of(_text(member).splitlines())


def _text(member: Member) -> str:
    try:
        return member.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SampleError(str(member), "is not UTF-8") from error
