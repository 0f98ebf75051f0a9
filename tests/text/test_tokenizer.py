"""Framing, limits, errors, and use from threads, forks and pickles."""

import dataclasses
import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import varied_texts as varied

from contralto.contract import preset
from contralto.errors import ContractError, TextError
from contralto.text import bpe
from contralto.text.tokenizer import Tokenizer, WordCache, load

SPEC = preset("ViT-B-32").text
START, END = 49_406, 49_407


@pytest.fixture
def tokenizer() -> Tokenizer:
    return load(SPEC)


def test_rows_are_framed_and_padded(tokenizer: Tokenizer) -> None:
    ids = tokenizer.tokenize(["a diagram", ""])
    assert ids.dtype == np.int64
    assert ids.tolist() == [[START, 320, 22697, END] + [0] * 73, [START, END] + [0] * 75]
    assert tokenizer.tokenize("a diagram").tolist() == ids[:1].tolist()
    assert tokenizer.tokenize([]).shape == (0, 77)


def test_the_contract_sets_pad_context_and_cleaning() -> None:
    small = load(dataclasses.replace(SPEC, context=5, pad=END, clean="none"))
    assert small.tokenize("cat").tolist() == [[START, 2368, END, END, END]]
    assert small.encode("Cat") != small.encode("cat")
    assert small.encode("x \tcat\n&amp;")[1:-1] == bpe.clip_vocabulary().ids("x \tcat\n&amp;")


def test_a_text_may_fill_the_context_but_not_exceed_it(tokenizer: Tokenizer) -> None:
    assert tokenizer.tokenize("x " * 75).tolist() == [[START] + [343] * 75 + [END]]
    with pytest.raises(TextError) as caught:
        tokenizer.tokenize(["fine", "x " * 76])
    beginning = "x " * 30
    expected = f'text 1 "{beginning}…": 78 tokens, the limit is 77: shorten it'
    assert str(caught.value) == expected


def test_truncation_keeps_the_end_and_names_what_was_cut(tokenizer: Tokenizer) -> None:
    texts = ["fine", "x " * 76, "x " * 75, "a " + "y " * 500]
    result = tokenizer.tokenize_each(texts, truncate=True)
    assert result.cut == [1, 3]
    assert result.failures == []
    assert result.ids[1].tolist() == [START] + [343] * 75 + [END]
    assert result.ids[3, :2].tolist() == [START, 320]
    assert result.ids[3, -1] == END
    np.testing.assert_array_equal(tokenizer.tokenize(texts, truncate=True), result.ids)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("half \ud83d", 'text 1 "half \\\\ud83d": holds half of a surrogate pair'),
        ("\ude00\ud83d", "half of a surrogate pair"),
        (b"bytes", "text 1 b'bytes': a text must be a str, not bytes"),
        (None, "text 1 None: a text must be a str, not NoneType"),
        (["a"], "must be a str, not list"),
        ("&#" + "1" * 9999, "more than 4,300 digits"),
    ],
)
def test_what_is_not_text_fails_alone(tokenizer: Tokenizer, bad: str, reason: str) -> None:
    with pytest.raises(TextError, match=reason):
        tokenizer.tokenize(["a", bad, "b"])
    result = tokenizer.tokenize_each(["a", bad, "b"])
    assert [failure.index for failure in result.failures] == [1]
    np.testing.assert_array_equal(result.ids, tokenizer.tokenize(["a", "b"]))


def test_a_surrogate_pair_is_the_character_that_it_means(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("\ud83d\ude00") == tokenizer.encode("😀")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_all_valid_unicode_can_be_encoded_and_decoded(text: str) -> None:
    tokenizer = load(SPEC)
    ids = tokenizer.encode(text)
    assert (ids[0], ids[-1]) == (START, END)
    assert isinstance(tokenizer.decode(ids), str)


@given(st.lists(st.from_regex("[A-Za-z]+", fullmatch=True)))
def test_words_come_back(words: list[str]) -> None:
    tokenizer = load(SPEC)
    assert tokenizer.decode(tokenizer.encode(" ".join(words))) == " ".join(words).lower()


def test_decode_reads_one_row(tokenizer: Tokenizer) -> None:
    row = tokenizer.tokenize("Isn't it 10!")[0]
    assert tokenizer.decode(row) == "isn 't it 1 0 !"
    assert tokenizer.decode([320, 2368]) == "a cat"
    assert tokenizer.decode([START, START, 320, START, 2368, END, 0, 0]) == "a cat"
    assert tokenizer.decode([160]) == "\ufffd"  # one byte of a character
    for wrong in (-1, 49_408):
        with pytest.raises(TextError, match=f"{wrong}: not an id of a vocabulary of 49408"):
            tokenizer.decode([320, wrong])


def test_the_vocabulary_must_be_the_stated_one() -> None:
    other = dataclasses.replace(SPEC.tokenizer, sha256="ab" * 32)
    with pytest.raises(ContractError, match=f"clip-bpe.bin has sha256 {bpe.SHA256}, the contract states {'ab' * 32}"):
        load(dataclasses.replace(SPEC, tokenizer=other))
    with pytest.raises(ContractError, match="clip-bpe is built in, it must be null"):
        load(dataclasses.replace(SPEC, tokenizer=dataclasses.replace(SPEC.tokenizer, file="merges.txt")))


def test_more_words_than_the_cache_holds(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = varied.mixtures(100)
    expected = [tokenizer.encode(text) for text in texts]
    monkeypatch.setattr(WordCache, "MAX_WORDS", 10)
    small = load(SPEC)
    assert [small.encode(text) for text in texts] == expected
    cache = WordCache(bpe.clip_vocabulary())
    lengths = [len(cache) for number in range(30) if cache[f"word{number}"]]
    assert max(lengths) == 10


def test_threads_share_a_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = varied.mixtures(500)
    expected = load(SPEC).tokenize(texts, truncate=True)
    shared = load(SPEC)
    monkeypatch.setattr(WordCache, "MAX_WORDS", 50)  # so that threads clear the cache while others use it
    with ThreadPoolExecutor(8) as pool:
        for ids in pool.map(lambda _: shared.tokenize(texts, truncate=True), range(16)):
            np.testing.assert_array_equal(ids, expected)


def test_a_tokenizer_can_be_pickled_used_or_not(tokenizer: Tokenizer) -> None:
    for _ in range(2):
        copy = pickle.loads(pickle.dumps(tokenizer))
        np.testing.assert_array_equal(copy.tokenize("a new word"), tokenizer.tokenize("a new word"))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_processes_go_on_using_it(tokenizer: Tokenizer) -> None:
    texts = varied.mixtures(200)
    expected = tokenizer.tokenize(texts[:100], truncate=True), tokenizer.tokenize(texts, truncate=True)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for ids in pool.starmap(tokenizer.tokenize, [(texts, True)] * 4):
            np.testing.assert_array_equal(ids, expected[1])


@given(st.lists(st.one_of(st.text(max_size=20), st.text("ab &\n\t.!<|>", max_size=20)), max_size=8), st.integers(1, 3))
def test_a_list_gives_each_text_the_row_that_it_has_alone(texts: list[str], at_once: int) -> None:
    """Many plain texts at a time take a faster way. Its neighbours do not change the ids of a text."""
    tokenizer = load(preset("ViT-B-32").text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("contralto.text.tokenizer.TEXTS_PER_CHECK", at_once)
        together = tokenizer.tokenize_each(texts)
    rows = [tokenizer.encode(text) for text in texts if not any("\ud800" <= c <= "\udfff" for c in text)]
    assert [row[: len(alone)].tolist() for row, alone in zip(together.ids, rows, strict=True)] == rows
