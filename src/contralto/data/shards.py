"""Which files a pattern names, as users of WebDataset write them: `data-{000000..000099}.tar`, `{a,b}.tar`, `*.tar`,
and several patterns joined by `::`."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from contralto.errors import DataError, one_line

MAX_SHARD_NAMES = 1_000_000
"""Names that braces may stand for: more are a slip of the pen."""

_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?|([A-Za-z])\.\.([A-Za-z])")


def expanded(pattern: str) -> list[Path]:
    """The files that a pattern stands for, sorted by the numbers in their names, whether they are there or not. A part
    with `*` that matches nothing stands for itself, so that it is missed like a file.

    Braces stand for each of a list (`{a,b}`) or of a range (`{000..099}`, `{0..90..10}`, `{a..f}`); they may be nested
    and come several times. `*`, `?` and `[]` stand for files that are there; `::` parts patterns. A file of the very
    name goes first. Raises DataError for braces that stand for more than `MAX_SHARD_NAMES` names.
    """
    if Path(pattern).exists():
        return [Path(pattern)]
    found: dict[Path, None] = {}
    for part in filter(None, pattern.split("::")):
        for name in [part] if Path(part).exists() else _braced(part):
            globbed = [] if Path(name).exists() else glob.glob(name)
            for path in globbed or [name]:
                found[Path(path)] = None
            if len(found) > MAX_SHARD_NAMES:
                raise DataError(f"{one_line(pattern, 200)} stands for more than {MAX_SHARD_NAMES} files")
    return sorted(found, key=natural)


def is_pattern(text: str) -> bool:
    """Whether it has any of the signs of a pattern."""
    return "::" in text or "{" in text or glob.has_magic(text)


def shard_files(given: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files of one or several paths and patterns, in the order in which those are given.

    Raises DataError for a pattern that nothing matches, and for shards of a pattern that are not there, which it names.
    """
    found: list[Path] = []
    for one in [given] if isinstance(given, str | Path) else given:
        found += checked(str(one)) if is_pattern(str(one)) else [Path(one)]
    return found


def checked(pattern: str) -> list[Path]:
    """As `expanded`. Raises DataError if there is no file, or if some are not there."""
    files = expanded(pattern)
    missing = [path for path in files if not path.exists()]
    if len(missing) == len(files):
        raise DataError(f"{one_line(pattern, 200)} is not there: no such file or folder")
    if missing:
        names = ", ".join(one_line(path.name, 80) for path in missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise DataError(f"{one_line(pattern, 200)}: {len(missing)} of its {len(files)} files are not there: {names}")
    return files


def natural(path: Path) -> list[tuple[bool, int, str]]:
    """Sorts 2.tar before 10.tar."""
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", str(path))]


def _braced(pattern: str) -> Iterator[str]:
    """Every name that a pattern's braces stand for. Braces that hold no list and no range are letters like others."""
    start = pattern.find("{")
    while start >= 0:
        end = _closing(pattern, start)
        if end is not None and (inner := _alternatives(pattern[start + 1 : end])) is not None:
            for middle in inner:
                for rest in _braced(pattern[end + 1 :]):
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
    """What stands between a pair of braces; None if it is neither a list nor a range."""
    if (found := _RANGE.fullmatch(inner)) is not None:
        return _numbers(*found.groups()[:3]) if found[1] else _letters(found[4], found[5])
    parts = _parted(inner)
    return (name for part in parts for name in _braced(part)) if len(parts) > 1 else None


def _parted(inner: str) -> list[str]:
    """Parts between the commas that lie in no inner braces."""
    parts, depth = [""], 0
    for sign in inner:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _numbers(first: str, last: str, step: str | None) -> Iterator[str]:
    """As wide as the wider of the two ends, where one of them begins with 0."""
    padded = any(re.match(r"-?0\d", end) for end in (first, last))
    width = max(len(first), len(last)) if padded else 0
    low, high = int(first), int(last)
    by = max(1, abs(int(step or 1)))
    numbers = range(low, high + 1, by) if low <= high else range(low, high - 1, -by)
    return (str(number).zfill(width) for number in numbers)


def _letters(first: str, last: str) -> Iterator[str]:
    low, high = ord(first), ord(last)
    return (chr(code) for code in (range(low, high + 1) if low <= high else range(low, high - 1, -1)))
