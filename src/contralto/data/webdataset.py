"""WebDataset tars: the members of a sample share a key: `<key>.jpg` with `<key>.json`, `.txt` or `.cls`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from contralto.data.left_out import LeftOut
from contralto.data.shards import shard_files
from contralto.data.source import Sample, SampleError
from contralto.data.tables import captions_of
from contralto.data.tar import Member, members, parts_of
from contralto.errors import DataError
from contralto.filenames import is_system_name
from contralto.image.formats import SUFFIXES, is_picture


class WebDataset:
    """One tar or several, uncompressed, read by index without unpacking. A `Source`.

    tars: paths and patterns, such as `data-{000..099}.tar` or `*.tar` (see `data.shards`).
    Key: the member's path up to the first dot of its file name. Captions: `.json` with `captions` (a list) or `caption`
    (a string); where that has none, `.txt`, a caption a line. Label: `.cls`, a whole number. A picture without any of
    them, or a text without a picture, is left out and counted. Raises DataError for a pattern that names what is not
    there, and for a damaged tar or one without samples.
    """

    def __init__(self, tars: str | Path | Sequence[str | Path]) -> None:
        paths = shard_files(tars)
        if not paths:
            raise DataError("WebDataset was given no tar")
        self.name = paths[0].stem
        left_out = LeftOut()
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
        found, number = captions(parts), label(parts)
        if not found and number is None:
            raise SampleError(str(parts["picture"]), "has no caption")
        return Sample(parts["picture"].read(), found, parts["picture"].name, number)


def _complete(path: Path, left_out: LeftOut) -> list[dict[str, Member]]:
    """The samples of one tar that have a picture and something said about it."""
    complete = []
    for key, parts in grouped(members(path), left_out).items():
        if "picture" not in parts:
            left_out.fail(f"{path}: {key}", "no picture")
        elif not parts.keys() & {"json", "txt", "cls"}:
            left_out.fail(f"{path}: {key}", "no caption")
        else:
            complete.append(parts)
    return complete


def grouped(files: Iterable[Member], left_out: LeftOut) -> dict[str, dict[str, Member]]:
    """The members of a tar by their sample's key, in the tar's order; then "picture", or the extension, -> member.

    Of `k.jpg` and `k.mask.png` the picture is the one without a further dot. A sample with two members for one part
    fails. What systems leave beside files is passed over.
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
    """Whether the member's name goes on after its key with a picture's suffix and nothing before it."""
    return "." + member.name.rpartition("/")[2].partition(".")[2].lower() in SUFFIXES


def captions(parts: Mapping[str, Member]) -> tuple[str, ...]:
    """A sample's captions: those of its `.json`; if it has none, those of its `.txt`; none if neither has any.

    Raises SampleError for a file that cannot be read, unless the `.txt` has captions in its place.
    """
    fault: SampleError | None = None
    for read, part in ((_in_json, "json"), (_in_text, "txt")):
        try:
            if part in parts and (found := read(parts[part])):
                return found
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
