"""Texts that a vocabulary cannot read, for each kind of vocabulary."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.foreign_tokenizers import gemma, unigram
from support.small_wordpiece import VOCABULARY, make, spec
from tokenizers import Tokenizer as Peer
from tokenizers import models, pre_tokenizers

from contralto.contract import preset
from contralto.errors import TextError
from contralto.text import foreign
from contralto.text.tokenizer import Tokenizer, UnreadText, load

WORDLESS = ["", "  ", "!!!", "…?!", "-- // __", "\t\n", "¿"]


def wordpiece(clean: str = "none") -> Tokenizer:
    return Tokenizer(dataclasses.replace(spec(""), clean=clean), make(VOCABULARY))


def byte_pairs() -> Tokenizer:
    return load(preset("tiny").text)


def of(peer: Peer) -> Tokenizer:
    """A tokenizer with a vocabulary of the package tokenizers."""
    stated = dataclasses.replace(spec(""), frame="end")
    return Tokenizer(stated, foreign.from_json(peer.to_str().encode(), "tokenizer.json"))


def level() -> Peer:
    peer = Peer(models.WordLevel({"[UNK]": 0, "</s>": 1, "dog": 2, "!": 3}, "[UNK]"))
    peer.pre_tokenizer = pre_tokenizers.Whitespace()
    return peer


@pytest.mark.parametrize(
    ("text", "words", "rest"),
    [
        ("犬", ("犬",), False),
        ("犬!", ("犬",), False),
        ("the 犬", ("犬",), True),
        ("猫 dog 犬 猫", ("猫", "犬"), True),
        ("😀", ("😀",), False),
        ("Ⴀdog", ("ⴀdog",), False),
        ("x" * 101, ("x" * 101,), False),
    ],
)
def test_wordpiece_names_the_words_that_it_lacks(text, words, rest):
    assert wordpiece().unread(text) == [UnreadText(0, words, rest)]
    assert wordpiece().unread(["the dog", text]) == [UnreadText(1, words, rest)]


@pytest.mark.parametrize("text", ["the dog", "Café!", "日本語", "$5", "a"])
def test_what_is_read_whole_is_not_named(text):
    assert wordpiece().unread([text]) == []


@pytest.mark.parametrize("text", WORDLESS)
@pytest.mark.parametrize(
    "make_one", [wordpiece, lambda: load(preset("tiny").text), lambda: of(unigram()), lambda: of(gemma())]
)
def test_a_text_without_a_word_is_named_whatever_the_vocabulary(make_one, text):
    assert make_one().unread(["a", text]) == [UnreadText(1, (), False)]


def test_what_cleaning_leaves_nothing_of_is_named():
    assert wordpiece("clip").unread("&nbsp;&nbsp;") == [UnreadText(0, (), False)]
    assert wordpiece("siglip").unread("_-_") == [UnreadText(0, (), False)]


@given(st.text(st.characters(categories=["L", "N", "S"]), min_size=1))
def test_byte_pairs_know_everything(text):
    assert byte_pairs().unread(text) == []


def test_bytes_in_place_of_what_is_missing_are_known():
    assert of(gemma()).unread(["犬", "😀 dog"]) == []


def test_other_vocabularies_name_what_stands_in_the_text():
    assert of(unigram()).unread(["a red dog", "ქართ", "a dog ქ"]) == [
        UnreadText(1, ("ქართ",), False),
        UnreadText(2, ("ქ",), True),
    ]
    assert of(level()).unread(["dog", "cat", "dog 犬!", "犬 cat"]) == [
        UnreadText(1, ("cat",), False),
        UnreadText(2, ("犬",), True),
        UnreadText(3, ("犬", "cat"), False),
    ]


def test_what_lies_behind_the_context_is_not_judged():
    assert wordpiece().unread("dog " * 30 + "犬") == []


def test_what_is_no_text_is_an_error():
    with pytest.raises(TextError, match="text 1 None"):
        wordpiece().unread(["a", None])
