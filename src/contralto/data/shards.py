"""File patterns as WebDataset users write them: `data-{000000..000099}.tar`, `{a,b}.tar`, `*.tar`, and several
patterns joined by `::`."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from contralto.errors import DataError, one_line

MAX_SHARD_NAMES = 1_000_000
"""Limit of names that one pattern expands to: a longer list is a typing error."""

_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?|([A-Za-z])\.\.([A-Za-z])")


def expand(pattern: str) -> list[Path]:
    """The files of a pattern, sorted by the numbers in their names. They need not exist.

    Braces expand a list (`{a,b}`) or a range (`{000..099}`, `{0..90..10}`, `{a..f}`); they may be nested and repeated.
    `*`, `?` and `[]` match existing files; if they match none, the name itself is returned, so that it is reported as
    missing. `::` separates patterns. A file with exactly this name takes precedence.
    Raises DataError if the pattern expands to more than `MAX_SHARD_NAMES` names.
    """
    if Path(pattern).exists():
        return [Path(pattern)]
    paths: dict[Path, None] = {}
    for part in filter(None, pattern.split("::")):
        for name in [part] if Path(part).exists() else _expand_braces(part):
            globbed = [] if Path(name).exists() else glob.glob(name)
            for path in globbed or [name]:
                paths[Path(path)] = None
            if len(paths) > MAX_SHARD_NAMES:
                raise DataError(f"{one_line(pattern, 200)} expands to more than {MAX_SHARD_NAMES} files")
    return sorted(paths, key=natural_key)


def is_pattern(text: str) -> bool:
    """Whether the text has pattern characters."""
    return "::" in text or "{" in text or glob.has_magic(text)


def shard_files(names: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files of one or several paths and patterns, in the given order.

    Raises DataError, with the names, if files of a pattern are missing.
    """
    paths: list[Path] = []
    for name in [names] if isinstance(names, str | Path) else names:
        paths += existing_files(str(name)) if is_pattern(str(name)) else [Path(name)]
    return paths


def existing_files(pattern: str) -> list[Path]:
    """The files of a pattern, see `expand`. Raises DataError if any is missing."""
    files = expand(pattern)
    missing = [path for path in files if not path.exists()]
    if len(missing) == len(files):
        raise DataError(f"{one_line(pattern, 200)}: no such file or folder")
    if missing:
        names = ", ".join(one_line(path.name, 80) for path in missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise DataError(f"{one_line(pattern, 200)}: {len(missing)} of its {len(files)} files are missing: {names}")
    return files


def natural_key(path: Path) -> list[tuple[bool, int, str]]:
    """Sort key that puts 2.tar before 10.tar."""
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", str(path))]


def _expand_braces(pattern: str) -> Iterator[str]:
    """Every name that the braces expand to. Braces without a list or range are literal."""
    start = pattern.find("{")
    while start >= 0:
        end = _closing(pattern, start)
        if end is not None and (inner := _alternatives(pattern[start + 1 : end])) is not None:
            for middle in inner:
                for rest in _expand_braces(pattern[end + 1 :]):
                    yield pattern[:start] + middle + rest
            return
        start = pattern.find("{", start + 1)
    yield pattern


def _closing(pattern: str, start: int) -> int | None:
    depth = 0
    for place in range(start, len(pattern)):
        depth += {"{": 1, "}": -1}.get(pattern[place], 0)
        if depth == 0:
            return place
    return None


def _alternatives(inner: str) -> Iterator[str] | None:
    """The alternatives within a pair of braces; None if the text is neither a list nor a range."""
    if (match := _RANGE.fullmatch(inner)) is not None:
        return _numbers(*match.groups()[:3]) if match[1] else _letters(match[4], match[5])
    parts = _split_list(inner)
    return (name for part in parts for name in _expand_braces(part)) if len(parts) > 1 else None


def _split_list(inner: str) -> list[str]:
    """The parts between commas, except commas in inner braces."""
    parts, depth = [""], 0
    for sign in inner:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _numbers(first: str, last: str, step: str | None) -> Iterator[str]:
    """A range of numbers. If an end starts with 0, all are zero-padded to the wider end."""
    padded = any(re.match(r"-?0\d", end) for end in (first, last))
    width = max(len(first), len(last)) if padded else 0
    low, high = int(first), int(last)
    by = max(1, abs(int(step or 1)))
    numbers = range(low, high + 1, by) if low <= high else range(low, high - 1, -by)
    return (str(number).zfill(width) for number in numbers)


def _letters(first: str, last: str) -> Iterator[str]:
    low, high = ord(first), ord(last)
    return (chr(code) for code in (range(low, high + 1) if low <= high else range(low, high - 1, -1)))
