"""WebDataset tars: the members of a sample share a key: `<key>.jpg` with `<key>.json`, `.txt` or `.cls`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from contralto.data.source import Sample, SampleError
from contralto.data.tar import Member, members
from contralto.errors import DataError, one_line
from contralto.image.formats import is_picture


class WebDataset:
    """One tar or several, uncompressed, read by index without unpacking. A `Source`.

    Key: the member's path up to the first dot of its file name. Captions: `.json` with `captions` (a list) or `caption`
    (a string), else `.txt`, a caption a line. Label: `.cls`, a whole number. A picture without any of them, or a
    text without a picture, is left out and counted. Raises DataError for a damaged tar or one without samples.
    """

    def __init__(self, tars: str | Path | Sequence[str | Path]) -> None:
        paths = [Path(tars)] if isinstance(tars, str | Path) else [Path(tar) for tar in tars]
        if not paths:
            raise DataError("WebDataset was given no tar")
        self.name = paths[0].stem
        self.skipped: Counter[str] = Counter()
        self._samples: list[dict[str, Member]] = []
        for path in paths:
            self._samples += self._complete(path)
        if not self._samples:
            raise DataError(f"{paths[0]} holds no pair of a picture with .json, .txt or .cls: {dict(self.skipped)}")

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        parts = self._samples[index]
        found, number = captions(parts), label(parts)
        if not found and number is None:
            raise SampleError(str(parts["picture"]), "has no caption")
        return Sample(parts["picture"].read(), found, parts["picture"].name, number)

    def _complete(self, path: Path) -> list[dict[str, Member]]:
        """The samples of one tar that have a picture and something said about it."""
        samples = grouped(members(path))
        complete = [parts for parts in samples.values() if "picture" in parts and parts.keys() & {"json", "txt", "cls"}]
        for parts in samples.values():
            if "picture" not in parts:
                self.skipped["no picture"] += 1
            elif not parts.keys() & {"json", "txt", "cls"}:
                self.skipped["no caption"] += 1
        return complete


def grouped(files: Iterable[Member]) -> dict[str, dict[str, Member]]:
    """The members of a tar by their sample's key, in the tar's order; then "picture", or the extension, -> member.

    Raises DataError for two members that would be the same part of a sample.
    """
    samples: dict[str, dict[str, Member]] = {}
    for member in files:
        folder, _, file = member.name.removeprefix("./").rpartition("/")
        if file.startswith("."):
            continue  # what some systems leave beside each file
        stem, _, extension = file.partition(".")
        part = "picture" if is_picture(f".{extension}") else extension.lower()
        parts = samples.setdefault(f"{folder}/{stem}" if folder else stem, {})
        if part in parts:
            raise DataError(f"{one_line(str(member))}: a second {part or 'file'} of the same key")
        parts[part] = member
    return samples


def captions(parts: Mapping[str, Member]) -> tuple[str, ...]:
    """A sample's captions, those of its `.json` first; none if it has none. Raises SampleError."""
    found = _from_json(parts["json"]) if "json" in parts else ()
    if not found and "txt" in parts:
        found = tuple(line.strip() for line in _text(parts["txt"]).splitlines() if line.strip())
    return found


def label(parts: Mapping[str, Member]) -> int | None:
    """A sample's class index, None if it has none. Raises SampleError."""
    return _label(parts["cls"]) if "cls" in parts else None


def _from_json(member: Member) -> tuple[str, ...]:
    try:
        value = json.loads(_text(member))
    except (ValueError, RecursionError) as error:
        raise SampleError(str(member), "is not JSON") from error
    found = value.get("captions", value.get("caption", [])) if isinstance(value, dict) else None
    captions = [found] if isinstance(found, str) else found
    if not isinstance(captions, list) or not all(isinstance(caption, str) for caption in captions):
        raise SampleError(str(member), "is no object with a list of strings `captions` or a string `caption`")
    return tuple(caption.strip() for caption in captions if caption.strip())


def _label(member: Member) -> int:
    text = _text(member).strip()
    if not text.isascii() or not text.isdigit():
        raise SampleError(str(member), "holds no class index")
    return int(text)


def _text(member: Member) -> str:
    try:
        return member.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SampleError(str(member), "is not UTF-8") from error
