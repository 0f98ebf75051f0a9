"""CLIP's byte-pair encoding against published ids, the plain twin (support/plain_bpe.py), and transformers."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import ftfy
import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from support import plain_bpe
from support import varied_texts as varied

from contralto.contract import preset
from contralto.errors import ContractError
from contralto.text import bpe
from contralto.text.tokenizer import Tokenizer, load


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load(preset("ViT-B-32").text)


@pytest.fixture(scope="module", autouse=True)
def repaired_once() -> Iterator[None]:
    """Half of the time of this file is ftfy's, which both readings call with the same texts: it repairs each once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ftfy, "fix_text", functools.cache(ftfy.fix_text))
        yield


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Each text, and the text cleaned. Surrogate pairs are joined here, because transformers cannot read them."""
    joined = {text.encode("utf-16", "surrogatepass").decode("utf-16") for text in varied.everything()}
    return {text: plain_bpe.clean(text) for text in sorted(joined)}


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("hello world!", [3306, 1002, 256]),
        ("a photo of a cat", [320, 1125, 539, 320, 2368]),
        ("a photo of a dog.", [320, 1125, 539, 320, 1929, 269]),
        ("a diagram", [320, 22697]),
        ("CLIP", [9289]),
        ("It's 2024, isn't it?", [585, 568, 273, 271, 273, 275, 267, 2923, 713, 585, 286]),
        ("1234", [272, 273, 274, 275]),
        ("12.5%", [272, 273, 269, 276, 260]),
        ("café", [15304]),
        ("é", [4166]),
        ("naïve", [1097, 35689, 563]),
        ("日本語", [39121, 44353, 34002, 508]),
        ("😀", [7334]),
        ("Ω", [38065]),
        ("it’s", [585, 568]),
        ("don’T", [847, 713]),
        ("ﬁne", [3797]),
        ("&amp;lt;b&amp;gt;", [283, 321, 285]),
        ("_a_", [318, 320, 318]),
        ("", []),
        ("<|endoftext|> x", [49407, 343]),
    ],
)
def test_published_ids(tokenizer: Tokenizer, text: str, ids: list[int]) -> None:
    assert tokenizer.encode(text) == [49406, *ids, 49407]


def test_the_file_is_the_published_merge_table() -> None:
    """The sha256 is of lines 2 to 48,895 of OpenAI's file: `zcat FILE | sed -n 2,48895p | sha256sum`."""
    vocabulary, lines = bpe.clip_vocabulary().published()
    published = "".join(line + "\n" for line in lines).encode()
    assert hashlib.sha256(published).hexdigest() == "d308b7377a8ceaa9707a21614fe8c831b9196e197b7aeb69833359362907af02"
    assert len(vocabulary) == len(bpe.clip_vocabulary()) == 49_408
    assert (vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]) == (49_406, 49_407)


def test_the_file_can_be_made_again_from_the_published_merges() -> None:
    vocabulary, lines = bpe.clip_vocabulary().published()
    halves = [[vocabulary[half] for half in line.split(" ")] for line in lines]
    data = np.array(halves, "<u2").tobytes()
    assert data == (Path(bpe.__file__).parent / "clip-bpe.bin").read_bytes()
    assert hashlib.sha256(data).hexdigest() == bpe.SHA256


def test_a_pair_ranks_after_the_merges_that_made_its_halves() -> None:
    """`_piece` relies on this to merge from the lowest id to the highest."""
    vocabulary, lines = bpe.clip_vocabulary().published()
    for number, line in enumerate(lines, 512):
        left, right = line.split(" ")
        assert vocabulary[left + right] == number > max(vocabulary[left], vocabulary[right])


def test_a_damaged_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "clip-bpe.bin").write_bytes(b"\0" * 195_576)
    monkeypatch.setattr(bpe.resources, "files", lambda package: tmp_path)
    with pytest.raises(ContractError, match=f"clip-bpe.bin has sha256 [0-9a-f]{{64}}, not {bpe.SHA256}"):
        bpe.clip_vocabulary.__wrapped__()


def test_equal_to_the_plain_reading(tokenizer: Tokenizer, texts: dict[str, str]) -> None:
    assert len(texts) > 100_000
    different = [text for text, clean in texts.items() if tokenizer.encode(text)[1:-1] != plain_bpe.encode(clean)]
    assert different == []


def test_equal_to_transformers_where_that_is_right(texts: dict[str, str], tmp_path: Path) -> None:
    """On cleaned texts, as transformers does not clean; every difference has one of the known `reasons`."""
    from transformers import CLIPTokenizer

    vocabulary, merges = bpe.clip_vocabulary().published()
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges), "utf-8")
    peer = CLIPTokenizer(vocab=str(tmp_path / "vocab.json"), merges=str(tmp_path / "merges.txt")).backend_tokenizer
    cleaned = sorted(set(texts.values()))
    encodings = peer.encode_batch(cleaned, add_special_tokens=False)
    ours = load(dataclasses.replace(preset("ViT-B-32").text, clean="none"))
    different = [text for text, theirs in zip(cleaned, encodings, strict=True) if ours.encode(text)[1:-1] != theirs.ids]
    assert [ascii(text) for text in different if not reasons(text)] == []
    assert len(cleaned) - len(different) > 100_000


def reasons(text: str) -> list[str]:
    """The reasons why transformers' Rust tokenizer differs from the published one on a cleaned text."""
    from tokenizers import normalizers

    holds_by_reason = {
        "composes what only became composable in lower case": normalizers.NFC().normalize_str(text) != text,
        "lowers letters that are newer than this Python": normalizers.Lowercase().normalize_str(text) != text,
        "does not ignore case, and U+017F is an s": "'ſ" in text,
        "takes a marker even within punctuation": "<|startoftext|>" in text or "<|endoftext|>" in text,
        "has other tables of letters, numbers and spaces": any(map(is_of_another_kind, set(text))),
    }
    return [reason for reason, holds in holds_by_reason.items() if holds]


@functools.cache
def is_of_another_kind(character: str) -> bool:
    """Whether the two disagree if a character is a letter, a number or a mark."""
    from tokenizers import Regex, pre_tokenizers

    def theirs(kind: str) -> bool:
        return not pre_tokenizers.Split(Regex(kind), "removed").pre_tokenize_str(character)

    def ours(kind: str) -> bool:
        return regex.fullmatch(kind, character, regex.IGNORECASE) is not None

    return any(theirs(kind) != ours(kind) for kind in (r"\p{L}", r"\p{N}", r"[^\s\p{L}\p{N}]"))


def test_a_marker_counts_only_where_a_piece_begins(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("x<|endoftext|>")[1:-1] == [343, 49407]
    assert 49407 not in tokenizer.encode("x-<|endoftext|>")[1:-1]
    assert tokenizer.encode("<|STARTOFTEXT|>")[1:-1] == [49406]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_text_has_tokens_that_spell_it(text: str) -> None:
    vocabulary = bpe.clip_vocabulary()
    assert all(0 <= token < len(vocabulary) for token in vocabulary.ids(text))
    assert plain_bpe.encode(text) == vocabulary.ids(text)


@given(st.text(st.sampled_from("aab"), min_size=1, max_size=60))
def test_overlapping_pairs_merge_from_the_left(word: str) -> None:
    assert bpe.clip_vocabulary().ids(word) == plain_bpe.encode(word)


def test_a_very_long_word_takes_no_quadratic_time() -> None:
    ids = bpe.clip_vocabulary().ids(
        "ab" * 100_000
    )  # half a second; rescanning the word for each merge would take minutes
    assert bpe.clip_vocabulary().text(ids) == "ab" * 100_000
