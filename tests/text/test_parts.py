"""Parts of texts: cases by hand, and every vocabulary against the plain twin."""

from __future__ import annotations

import dataclasses
import hashlib
import random

import pytest
from support import small_wordpiece
from support.foreign_tokenizers import SENTENCES, gemma, unigram
from support.plain_parts import content, plain_sentence_spans, plain_sentences, plain_windows
from support.varied_texts import mixtures

from contralto.contract import Text, TokenizerSpec, preset
from contralto.text.parts import TextPart, sentence_parts, sentences, window_parts
from contralto.text.tokenizer import Tokenizer, load

CLIP = preset("ViT-B-32").text
CONTEXT = 14
ROOM = {"clip": 12, "clip, start": 12, "canonicalize": 12, "wordpiece": 10, "unigram": 13, "gemma": 13}


@pytest.fixture(scope="module", params=ROOM)
def tokenizer(request, tmp_path_factory) -> Tokenizer:
    """A tokenizer of each kind, with a short context."""
    folder = tmp_path_factory.mktemp("words")
    if request.param in ("unigram", "gemma"):
        {"unigram": unigram, "gemma": gemma}[request.param]().save(str(folder / "tokenizer.json"))
        data = (folder / "tokenizer.json").read_bytes()
        tower = dataclasses.replace(CLIP.tower, mask="none")
        stated = TokenizerSpec("tokenizers", hashlib.sha256(data).hexdigest(), "tokenizer.json")
        return load(Text(tower, stated, CONTEXT, frame="end", clean="none", pool="last"), folder)
    if request.param == "wordpiece":
        text = "\n".join(small_wordpiece.VOCABULARY).encode()
        (folder / "vocab.txt").write_bytes(text)
        return load(small_wordpiece.spec(hashlib.sha256(text).hexdigest()), folder)
    if request.param == "clip, start":
        tower = dataclasses.replace(CLIP.tower, mask="none")
        return load(dataclasses.replace(CLIP, tower=tower, context=CONTEXT, frame="start", pool="last"))
    clean = "clip" if request.param == "clip" else "canonicalize"
    return load(dataclasses.replace(CLIP, context=CONTEXT, clean=clean))


def long_texts(count: int) -> list[str]:
    """Texts of several sentences with all kinds of whitespace, and some of every script."""
    draw = random.Random(3)
    ordinary = [word for sentence in SENTENCES for word in sentence.split()]
    mixed = " ".join(mixtures(200, seed=5)).encode("utf-16", "surrogatepass").decode("utf-16")
    odd = mixed.split()
    texts = []
    for number in range(count):
        words = [draw.choice(odd if number % 3 == 0 else ordinary) for _ in range(draw.randint(1, 60))]
        ends = ["", "", "", "", ".", "!", "?", ",", '."']
        gaps = [" ", " ", " ", " ", "  ", "\n", "\t", "\u2028", "\xa0", "\r\n"]
        texts.append("".join(word + draw.choice(ends) + draw.choice(gaps) for word in words))
    return texts


def pairs(parts: list[TextPart]) -> list[tuple[str, int]]:
    return [(part.text, part.tokens) for part in parts]


def test_parts_are_those_of_the_plain_twin(tokenizer: Tokenizer, request: pytest.FixtureRequest) -> None:
    room = ROOM[request.node.callspec.params["tokenizer"]]
    assert tokenizer.room == room
    several = 0
    for text in long_texts(45):
        parts = sentence_parts(text, tokenizer)
        assert pairs(parts) == plain_sentences(text, tokenizer, room)
        assert pairs(window_parts(text, tokenizer)) == plain_windows(text, tokenizer, room)
        several += len(parts) > 1
    assert several > 30


def test_sentences_are_those_of_the_plain_twin() -> None:
    for text in long_texts(300):
        assert sentences(text) == [text[words[0][0] : words[-1][1]] for words in plain_sentence_spans(text)]


def test_every_word_is_in_one_part_and_every_part_fits(tokenizer: Tokenizer) -> None:
    for text in long_texts(30):
        parts = sentence_parts(text, tokenizer)
        assert [word for part in parts for word in part.text.split()] == text.split()
        assert all(part.text in text for part in parts)
        for part in parts:
            assert part.cut == bool(tokenizer.tokenize_each([part.text]).failures)
            assert not part.cut or len(part.text.split()) == 1


def test_a_sentence_ends_before_whitespace_and_at_a_line_s_end() -> None:
    assert sentences(" A dog (3.5 m) runs.  It is e.g. red!\nno end here\nWhy? ") == [
        "A dog (3.5 m) runs.",
        "It is e.g.",
        "red!",
        "no end here",
        "Why?",
    ]
    assert sentences('He said "no." Then he left') == ['He said "no." Then he left']
    assert sentences(" \n ") == []


def clip_of(context: int) -> Tokenizer:
    return load(dataclasses.replace(CLIP, context=context))


def test_cases_worked_out_by_hand() -> None:
    """Each word is one token, and so is each full stop; the context of 8 leaves room for six."""
    tokenizer = clip_of(8)
    assert tokenizer.room == 6
    assert tokenizer.count("a dog runs.") == content(tokenizer, "a dog runs.") == 4
    text = "A dog.  A cat.\nA red car and a blue house by the sea. Ok!"
    assert sentence_parts(text, tokenizer) == [
        TextPart("A dog.  A cat.", 6),
        TextPart("A red car and a blue", 6),
        TextPart("house by the sea.", 5),
        TextPart("Ok!", 2),
    ]
    assert window_parts("a b c d e f g h i j", tokenizer) == [
        TextPart("a b c d e f", 6),
        TextPart("d e f g h i", 6),
        TextPart("g h i j", 4),
    ]


def test_exclamation_marks_are_counted_although_they_are_the_padding() -> None:
    tokenizer = load(dataclasses.replace(CLIP, context=8, pad=256))
    assert tokenizer.tokenize("!").tolist() == [[49_406, 256, 49_407, *[256] * 5]]
    assert sentence_parts("! ! ! ! ! ! ! !", tokenizer)[0] == TextPart("! ! ! ! ! !", 6)


def test_a_word_that_is_too_long_is_cut_and_stands_alone() -> None:
    tokenizer = clip_of(8)
    word = "1234567890"  # a token a digit
    assert sentence_parts(f"a b {word} c. d", tokenizer) == [
        TextPart("a b", 2), TextPart(word, 6, cut=True), TextPart("c.", 2), TextPart("d", 1)
    ]  # fmt: skip
    assert window_parts(f"a b {word} c d", tokenizer) == [
        TextPart("a b", 2), TextPart("b", 1), TextPart(word, 6, cut=True), TextPart("c d", 2)
    ]  # fmt: skip


def test_a_long_text_needs_few_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two or three counts a part: a text of a megabyte cannot stall the process."""
    tokenizer, counted = clip_of(77), []
    count = tokenizer.count
    monkeypatch.setattr(tokenizer, "count", lambda text: counted.append(text) or count(text))
    text = "a red dog runs. " * 5_000
    assert len(counted) == 0
    parts = sentence_parts(text, tokenizer)
    assert len(counted) < 6 * len(parts)
    counted.clear()
    assert len(counted) < 8 * len(window_parts(text, tokenizer))
