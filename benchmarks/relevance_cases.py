"""The questions of `relevance.py`: collections of pictures, the questions about each, and the correct answers.

`relevance_questions.json` has two parts that share no picture and no question. The rule and the constants of
`contralto.search.relevance` were chosen with the part `fit`; nothing was chosen with the part `test`. nano was not
trained on any of these pictures.

    fit   half of Flickr8k dev, half of openclipart, the val pictures of fashion-products, textures10, trash6 and tiny32
    test  the other half of Flickr8k dev, the val pictures of grocery81, scenes15 and clothing10, and stamps

A picture of Flickr8k is correct if at least two of its five captions contain each part of the question (one pattern
per part). A doubtful picture is left out: each part occurs, but some part in one caption only. A picture of another
data set is correct if its class, group or folder is among the named ones; a drawing that is not correct, but has a
word of the question in its title, is left out. A question without an answer is asked of pictures whose captions have
no word of it; it is not asked of a data set that `perhaps` names. Each question is asked of the data set itself and of
collections of other sizes, filled with pictures of the data sets in `beside`, which contain no answer.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import contralto
from contralto.data.tar import members
from contralto.search import query

QUESTIONS = json.loads(Path(__file__).with_name("relevance_questions.json").read_text(encoding="utf-8"))
SIZES = ((5, 1), (20, 2), (50, 17), (200, 10), (1000, 10))  # pictures, and how many of them are right
ABSENT, ELSEWHERE, TAKEN_OUT = "nothing, absent", "nothing, of another set", "nothing, the right ones taken out"
NAMES = ("noun", "phrase", "place")
SMALL = ("a", "an", "the", "in", "on", "of", "at", "to", "with", "and", "or", "by", "under", "old", "for", "something")


class Picture(NamedTuple):
    captions: tuple[str, ...]
    kinds: frozenset[str]  # class, group, folder


class Collection(NamedTuple):
    """Pictures and their unit rows (N, d)."""

    pictures: list[Picture]
    rows: np.ndarray


class About(NamedTuple):
    """Which question it is, of which kind: one that nothing fits begins with "nothing"."""

    kind: str
    question: str
    asked: query.Query


class Case(NamedTuple):
    """A question to a collection of unit rows (N, d), of which (N,) are right."""

    kind: str
    question: str
    asked: query.Query
    size: str
    rows: np.ndarray
    right: np.ndarray


def collections(clip: contralto.Clip, data: Path, part: str) -> dict[str, Collection]:
    """The sets of a part by name."""
    return {name: _collection(clip, data, name, part) for name in QUESTIONS[part]}


def in_words(clip: contralto.Clip, sets: dict[str, Collection], part: str) -> Iterator[Case]:
    """Questions by a text; those of the kind "not" exclude another text."""
    for name, kinds in QUESTIONS[part].items():
        for kind, questions in kinds.items():
            for text, *told in questions:
                excluded, (said, *unwanted) = (told[:1], told[1:]) if kind == "not" else ([], told)
                right, doubtful = _right(sets[name].pictures, text, said, *unwanted)
                about = About(kind, f"{name}: {text} {excluded}", query.encode_query(clip, text, away=excluded))
                rows, beside = sets[name].rows[~doubtful], _beside(sets, part, name, text)
                yield from _sized(about, rows, right[~doubtful], beside)
                about = about._replace(kind=TAKEN_OUT)
                yield from _nothing(about, rows[~right[~doubtful]], beside)
        for text in QUESTIONS["absent"][part]:
            if text not in QUESTIONS["perhaps"].get(name, ()):
                about = About(ABSENT, f"{name}: {text}", query.encode_query(clip, text))
                yield from _nothing(about, _without(sets[name], text), _beside(sets, part, name, text))
        for other in QUESTIONS["beside"][part][name]:
            for text in (question[0] for kind in NAMES for question in QUESTIONS[part][other].get(kind, ())):
                about = About(ELSEWHERE, f"{name}: {text}", query.encode_query(clip, text))
                yield from _nothing(about, _without(sets[name], text), sets[name].rows[:0])


def by_picture(clip: contralto.Clip, sets: dict[str, Collection], part: str, named: bool) -> Iterator[Case]:
    """The first picture of a kind asks for the others of its kind, with or without the text."""
    for name, kinds in QUESTIONS[part].items():
        if name == "flickr8k":  # many pictures have something in common with the first
            continue
        for text, said in (question for questions in kinds.values() for question in questions):
            right, doubtful = _right(sets[name].pictures, text, said)
            first = int(np.flatnonzero(right)[0])
            words = clip.encode_text([text])[0] if named else None
            asked = query.Query(words, sets[name].rows[first], np.empty((0, 1), np.float32))
            about = About(name, f"{name}: {text}", asked)
            rest = np.setdiff1d(np.flatnonzero(~doubtful), first)
            rows, right, beside = sets[name].rows[rest], right[rest], _beside(sets, part, name, text)
            yield from _sized(about, rows, right, beside)
            yield from _nothing(about._replace(kind=TAKEN_OUT), rows[~right], beside)


def _collection(clip: contralto.Clip, data: Path, name: str, part: str) -> Collection:
    path, shown = _files(data, name)
    chosen = [member for member in members(path) if member.name in shown]
    if name in ("flickr8k", "openclipart"):
        half = {"fit": 0, "test": 1}[part]
        chosen = [member for member in chosen if _number(member.name) % 2 == half]
    return Collection([shown[member.name] for member in chosen], clip.encode_image([m.read() for m in chosen]))


def _files(data: Path, name: str) -> tuple[Path, dict[str, Picture]]:
    """The tar of a set, and what is known of each of its pictures by the member's name."""
    if name == "flickr8k":
        path = data / "flickr8k/flickr8k-dev.tar"
        said = {m.name: json.loads(m.read())["captions"] for m in members(path) if m.name.endswith(".json")}
        return path, {f"{key[:-5]}.jpg": Picture(tuple(c.lower() for c in said[key]), frozenset()) for key in said}
    if name in ("stamps", "openclipart"):
        told = json.loads((data / f"drawn/{name}.json").read_text())
        return data / f"drawn/{name}.tar", {f"{name}/{one['id']}.jpg": _drawn(one) for one in told}
    told = json.loads((data / f"sets/{name}.json").read_text())
    classes = [{"dir": one.replace(" ", "_"), "name": one} if isinstance(one, str) else one for one in told["classes"]]
    kinds = {one["dir"]: frozenset([one["name"], one.get("coarse", one["name"])]) for one in classes}
    path = data / f"sets/{name}.tar"
    val = [m.name for m in members(path) if m.name.startswith("val/")]
    return path, {file: Picture((), kinds[file.split("/")[1]]) for file in val}


def _drawn(told: dict[str, Any]) -> Picture:
    """A folder counts by itself and with the one above it."""
    kind = told["kind"]
    said = told.get("caption") or " ".join([told["name"], *told["words"]])
    return Picture((said.lower(),), frozenset([*kind, "/".join(kind[:2])]))


def _right(
    pictures: list[Picture], text: str, said: list[str], unwanted: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Which pictures are right, and of which it is in doubt."""
    if not any(one.captions[1:] for one in pictures):
        right = np.array([not one.kinds.isdisjoint(said) for one in pictures])
        words = _words(text)
        return right, ~right & np.array([_captions(one, words) > 0 for one in pictures])
    counts = np.array([[_captions(one, part) for part in said] for one in pictures])
    bad = np.array([0 if unwanted is None else _captions(one, unwanted) for one in pictures])
    right = (counts >= 2).all(axis=1) & (bad == 0)
    return right, ~right & (counts >= 1).all(axis=1) & (bad <= 1)


def _captions(picture: Picture, pattern: str) -> int:
    """How many of its captions have words of this pattern."""
    return sum(bool(re.search(rf"\b(?:{pattern})\b", caption)) for caption in picture.captions)


def _without(collection: Collection, text: str) -> np.ndarray:
    """The rows of the pictures whose captions have no word of the text."""
    words = _words(text)
    return collection.rows[[_captions(one, words) == 0 for one in collection.pictures]]


def _words(text: str) -> str:
    """The pattern of its words that mean something, in the singular or the plural."""
    return "|".join(f"{word}s?" for word in re.findall("[a-z]+", text.lower()) if word not in SMALL)


def _beside(sets: dict[str, Collection], part: str, name: str, text: str) -> np.ndarray:
    """The rows of other sets, which have no picture that fits."""
    return np.concatenate([_without(sets[other], text) for other in QUESTIONS["beside"][part][name]])


def _sized(about: About, collection: np.ndarray, right: np.ndarray, beside: np.ndarray) -> Iterator[Case]:
    """The question of the set itself, of the right ones alone, and of collections of other sizes and shares."""
    random = np.random.default_rng(_number(about.question))
    fits = random.permutation(np.flatnonzero(right))
    others = random.permutation(np.concatenate([collection[~right], beside]))
    yield Case(*about, "the set", collection, right)
    yield Case(*about, "all right", collection[right], right[right])
    for size, share in SIZES:
        some = collection[fits[:share]]
        mixed = np.concatenate([some, others[: size - share]])
        yield Case(*about, f"{share} of {size}", mixed, np.arange(len(mixed)) < len(some))


def _nothing(about: About, collection: np.ndarray, beside: np.ndarray) -> Iterator[Case]:
    """The question of a set in which nothing fits, and of collections of the same sizes."""
    others = np.random.default_rng(_number(about.question)).permutation(np.concatenate([collection, beside]))
    for size, rows in [("the set", collection), *((f"0 of {size}", others[:size]) for size, _ in SIZES)]:
        yield Case(*about, size, rows, np.zeros(len(rows), bool))


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
