"""WordPiece against hand-made cases and transformers' plain Python version of Google's code."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import varied_texts as varied
from support.small_wordpiece import VOCABULARY, make, spec

from contralto.errors import ContractError
from contralto.text.tokenizer import Tokenizer, load
from contralto.text.wordpiece import WordPiece, words


def tokens(text: str) -> list[str]:
    return [VOCABULARY[number] for number in make(VOCABULARY).ids(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Photo", ["the", "photo"]),
        ("unaffable playing", ["un", "##aff", "##able", "play", "##ing"]),
        ("Café, dogs!", ["cafe", ",", "dog", "##s", "!"]),
        ("a\x00b\u200bc\tthe", ["a", "##b", "##c", "the"]),
        ("日本語かな", ["日", "本", "語", "か", "##な"]),
        ("$5+x_y", ["$", "5", "+", "x", "_", "y"]),
        ("the" + "\u3000" + "dog！", ["the", "dog", "！"]),
        ("ÅΣ", ["a", "##ς"]),
        ("the 😀 dog", ["the", "[UNK]", "dog"]),
        ("[SEP]", ["[", "s", "##e", "##p", "]"]),
        ("a" * 100, ["a"] + ["##a"] * 99),
        ("a" * 101 + " dog", ["[UNK]", "dog"]),
        (" \n", []),
    ],
)
def test_by_hand(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_equal_to_the_plain_python_reading() -> None:
    from transformers.models.bert.tokenization_bert_legacy import BasicTokenizer, WordpieceTokenizer

    split, cut = BasicTokenizer(), WordpieceTokenizer(dict.fromkeys(VOCABULARY), "[UNK]")
    texts = varied.blocks() + varied.mixtures(20_000, seed=1)
    texts = [text.encode("utf-16", "surrogatepass").decode("utf-16") for text in texts]
    vocabulary = make(VOCABULARY)
    for text in texts:
        separate = split.tokenize(text)
        assert words(text) == separate, ascii(text)
        expected = [piece for word in separate for piece in cut.tokenize(word)]
        assert [VOCABULARY[number] for number in vocabulary.ids(text)] == expected, ascii(text)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=6))
def test_the_tokenizer_looks_up_part_by_part_without_a_difference(parts: list[str]) -> None:
    vocabulary = make(VOCABULARY)
    text = " ".join(parts)
    assert Tokenizer(spec(""), vocabulary).encode(text)[1:-1] == vocabulary.ids(text)


def test_load_checks_the_file(tmp_path: Path) -> None:
    data = "\r\n".join(VOCABULARY).encode()
    (tmp_path / "vocab.txt").write_bytes(data)
    right = hashlib.sha256(data).hexdigest()
    tokenizer = load(spec(right), tmp_path)
    start, end = VOCABULARY.index("[CLS]"), VOCABULARY.index("[SEP]")
    assert tokenizer.tokenize("Dogs").tolist() == [
        [start, VOCABULARY.index("dog"), VOCABULARY.index("##s"), end] + [0] * 8
    ]
    assert tokenizer.decode(tokenizer.tokenize("the Dogs!")[0]) == "the dogs !"
    with pytest.raises(ContractError, match=f"vocab.txt has sha256 {right}, the contract states {'0' * 64}"):
        load(spec("0" * 64), tmp_path)
    with pytest.raises(ContractError, match=r"vocab\.txt: No such file"):
        load(spec(right), tmp_path / "absent")
    with pytest.raises(ContractError, match="needs its vocabulary"):
        load(spec(right, None), tmp_path)
    with pytest.raises(ContractError, match="needs its vocabulary"):
        load(spec(right))


@pytest.mark.parametrize("data", [b"\xff\xfe", b"the\ndog\n", b""])
def test_a_file_of_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(ContractError, match=r"vocab\.txt is not a WordPiece vocabulary"):
        WordPiece(data, "vocab.txt")
