"""Regular expressions that name the modules of a model, in a configuration from a stranger.

Python's `re` may need a time exponential in the length of the pattern. This matcher follows all positions that a
pattern can reach in a name at once, so its time is bounded, and it takes the forms that occur in names of modules:
characters, `.`, `\\d`, `\\w`, `[...]`, groups, `|`, `* + ? {m,n}`, `^` and `$`. Its plain twin is `re` itself, in
tests/weights/test_module_pattern.py.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Final

from contralto.errors import WeightsError, one_line

MAX_PATTERN: Final = 1000  # characters
MAX_NESTED: Final = 4  # groups
MAX_COUNT: Final = 16  # of a repetition such as {3}

Positions = set[int]
Step = Callable[[str, Positions], Positions]
"""(a name, positions in it) -> the positions where a match that begins at one of them can end."""

CLASSES: Final = {"d": "[0-9]", "w": "[A-Za-z0-9_]", "s": r"[\s]"}
REPEAT: Final = re.compile(r"[*+?]|\{(\d{1,2})(?:,(\d{0,2}))?\}")


@functools.lru_cache(maxsize=1000)
def compiled(pattern: str) -> Callable[[str], bool]:
    """A function of a name: whether the whole name matches. Raises WeightsError for a pattern that is not taken."""
    if len(pattern) > MAX_PATTERN:
        raise _refused(pattern, f"it is longer than {MAX_PATTERN} characters")
    parser = _Parser(pattern)
    step = parser.alternatives(0)
    if parser.rest:
        raise _refused(pattern, "a parenthesis is not opened")
    return lambda name: len(name) in step(name, {0})


def _refused(pattern: str, why: str) -> WeightsError:
    return WeightsError(f"the pattern {one_line(pattern, 80)!r} of modules is refused: {why}")


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern, self._at = pattern, 0

    @property
    def rest(self) -> str:
        return self._pattern[self._at :]

    def alternatives(self, nested: int) -> Step:
        """One or more sequences with | in between, up to a closing parenthesis or the end."""
        if nested > MAX_NESTED:
            raise _refused(self._pattern, f"its groups are nested more than {MAX_NESTED} deep")
        branches = [self._sequence(nested)]
        while self.rest.startswith("|"):
            self._at += 1
            branches.append(self._sequence(nested))
        return branches[0] if len(branches) == 1 else _any_of(branches)

    def _sequence(self, nested: int) -> Step:
        steps: list[Step] = []
        while self.rest and self.rest[0] not in "|)":
            step = self._atom(nested)
            if repeat := REPEAT.match(self.rest):
                self._at += repeat.end() + self.rest[repeat.end() :].startswith("?")  # a lazy one reaches the same ends
                step = _repeated(step, *self._counts(repeat))
            steps.append(step)
        return _in_order(steps)

    def _counts(self, repeat: re.Match[str]) -> tuple[int, int | None]:
        if repeat[0] in ("*", "+", "?"):
            return (int(repeat[0] == "+"), 1 if repeat[0] == "?" else None)
        low, high = repeat[1], repeat[1] if repeat[2] is None else repeat[2]
        if max(int(low), int(high or 0)) > MAX_COUNT:
            raise _refused(self._pattern, f"it repeats more than {MAX_COUNT} times")
        return int(low), int(high) if high else None

    def _atom(self, nested: int) -> Step:
        first = self.rest[0]
        self._at += 1
        match first:
            case "(":
                return self._group(nested)
            case "^":
                return lambda _, starts: starts & {0}
            case "$":
                return lambda name, starts: starts & {len(name)}
            case ".":
                return _character(lambda _: True)
            case "[":
                inside = re.match(r"\^?(?:\\.|[^\]\\])+\]", self.rest)
                if inside is None:
                    raise _refused(self._pattern, "a [ is not closed")
                self._at += inside.end()
                return _one_of(f"[{inside[0]}", self._pattern)
            case "\\":
                escaped = self.rest[:1]
                self._at += 1
                if escaped in CLASSES:
                    return _one_of(CLASSES[escaped], self._pattern)
                if not escaped or escaped.isalnum():
                    raise _refused(self._pattern, f"\\{escaped} is not taken")
                return _character(lambda character: character == escaped)
            case "*" | "+" | "?" | "{":
                raise _refused(self._pattern, f"{first} has nothing to repeat")
            case _:
                return _character(lambda character: character == first)

    def _group(self, nested: int) -> Step:
        if self.rest.startswith("?"):
            if not self.rest.startswith("?:"):
                raise _refused(self._pattern, "(?... is not taken, but for (?:...)")
            self._at += 2
        step = self.alternatives(nested + 1)
        if not self.rest:
            raise _refused(self._pattern, "a parenthesis is not closed")
        self._at += 1
        return step


def _character(allowed: Callable[[str], bool]) -> Step:
    return lambda name, starts: {at + 1 for at in starts if at < len(name) and allowed(name[at])}


def _one_of(characters: str, pattern: str) -> Step:
    """A class in brackets, whose time is that of one character."""
    try:
        expression = re.compile(characters)
    except re.error as error:
        raise _refused(pattern, str(error)) from error
    return _character(lambda character: expression.match(character) is not None)


def _in_order(steps: Sequence[Step]) -> Step:
    return lambda name, starts: functools.reduce(lambda reached, step: step(name, reached), steps, starts)


def _any_of(branches: Sequence[Step]) -> Step:
    return lambda name, starts: set().union(*(branch(name, starts) for branch in branches))


def _repeated(step: Step, low: int, high: int | None) -> Step:
    def run(name: str, starts: Positions) -> Positions:
        current = starts
        for _ in range(low):
            current = step(name, current)
        reached, count = set(current), low
        while current and (high is None or count < high):
            current = step(name, current) - reached
            reached |= current
            count += 1
        return reached

    return run
