"""Foreign vocabularies: small ones, trained here, against the package tokenizers and transformers."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.foreign_tokenizers import bert, gemma, unigram
from support.varied_texts import mixtures
from tokenizers import Tokenizer as Peer

from contralto.architecture import Bert, CausalText
from contralto.contract import Text, TokenizerSpec
from contralto.errors import ContractError, ContraltoError, TextError
from contralto.text import foreign
from contralto.text.tokenizer import load

TOWER = CausalText(400, 8, 1, 1, 8, "gelu", mask="none")


def varied(count: int) -> list[str]:
    """Strings of all scripts. Surrogate pairs are joined, as the package cannot read them."""
    return [text.encode("utf-16", "surrogatepass").decode("utf-16") for text in mixtures(count, seed=7)]


PEERS = {"unigram": (unigram, "end"), "gemma": (gemma, "end"), "bert": (bert, "both")}


def spec(data: bytes, kind: str, file: str, frame: str = "end", context: int = 16, **given: object) -> Text:
    stated = TokenizerSpec(kind, hashlib.sha256(data).hexdigest(), file)  # type: ignore[arg-type]
    pool = "last" if frame == "end" else "first"
    tower = Bert(400, 8, 1, 1, 8) if pool == "first" else TOWER
    clean = given.pop("clean", "none")
    return Text(tower, stated, context, frame=frame, clean=clean, pool=pool, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PEERS)
def test_ids_are_the_packages_own_on_texts_of_every_script(name: str, tmp_path: Path) -> None:
    make, frame = PEERS[name]
    peer = make()
    peer.save(str(tmp_path / "tokenizer.json"))
    data = (tmp_path / "tokenizer.json").read_bytes()
    ours = load(spec(data, "tokenizers", "tokenizer.json", frame), tmp_path)
    texts = list(varied(7_000))
    for text in texts:
        wanted = peer.encode(text, add_special_tokens=False).ids
        before, after = ([2], [3]) if name == "bert" else ([], [1])
        assert ours.encode(text) == before + wanted + after
    assert len({tuple(ours.encode(text)) for text in texts}) > 1_000


def test_framing_padding_and_truncation(tmp_path: Path) -> None:
    plain = unigram()
    peer = Peer.from_str(plain.to_str())
    peer.enable_padding(length=5, pad_id=0)  # these settings of the file are ignored
    peer.enable_truncation(3)
    peer.save(str(tmp_path / "tokenizer.json"))
    data = (tmp_path / "tokenizer.json").read_bytes()
    ours = load(spec(data, "tokenizers", "tokenizer.json", context=8, pad=1), tmp_path)
    short, long = "a dog", "a red dog on the blue mat on the red sea"
    ids = plain.encode(short, add_special_tokens=False).ids
    assert ours.tokenize(short).tolist() == [[*ids, 1, *[1] * (7 - len(ids))]]
    with pytest.raises(TextError, match="the limit is 8"):
        ours.tokenize(long)
    cut = plain.encode(long, add_special_tokens=False).ids[:7]
    assert ours.tokenize(long, truncate=True).tolist() == [[*cut, 1]]
    assert ours.decode(ours.tokenize(short)[0]) == short
    with pytest.raises(ContractError, match="has no start token"):
        load(spec(data, "tokenizers", "tokenizer.json", frame="start", pad=0), tmp_path)


def test_the_frame_start_leaves_the_end_out(tmp_path: Path) -> None:
    """CLIPA: [CLS], the text, and padding in place of BERT's [SEP]."""
    bert().save(str(tmp_path / "tokenizer.json"))
    data = (tmp_path / "tokenizer.json").read_bytes()
    both = load(spec(data, "tokenizers", "tokenizer.json", "both", 8), tmp_path)
    start = load(spec(data, "tokenizers", "tokenizer.json", "start", 8), tmp_path)
    ids = both.tokenize("a dog")
    assert np.array_equal(start.tokenize("a dog"), np.where(ids == 3, 0, ids))
    long = "a red dog on the blue mat on the red sea"
    cut = both.tokenize(long, truncate=True)  # as open_clip truncates: the end token's position stays, as padding
    assert np.array_equal(start.tokenize(long, truncate=True), np.where(cut == 3, 0, cut))
    with pytest.raises(TextError, match="the limit is 7"):
        start.tokenize(long)


def model_file(peer: Peer, kinds: dict[str, int], settings: bytes = b"") -> bytes:
    """A sentencepiece_model.proto with the pieces of a unigram tokenizer, written by the description of the format."""
    content = b""
    for piece, score in json.loads(peer.to_str())["model"]["vocab"]:
        name = piece.encode()
        entry = bytes([0x0A]) + varint(len(name)) + name + bytes([0x15]) + struct.pack("<f", score)
        entry += bytes([0x18, kinds.get(piece, 1)])
        content += bytes([0x0A]) + varint(len(entry)) + entry
    return content + settings


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


KINDS = {"<pad>": 3, "</s>": 3, "<unk>": 2}


def test_a_sentencepiece_model_gives_the_ids_of_the_same_vocabulary(tmp_path: Path) -> None:
    peer = unigram()
    data = model_file(peer, KINDS)
    (tmp_path / "spiece.model").write_bytes(data)
    ours = load(spec(data, "sentencepiece", "spiece.model", clean="siglip"), tmp_path)
    for text in varied(5_000):
        cleaned = " ".join(text.lower().translate({ord(c): None for c in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"}).split())
        assert ours.encode(text) == [*peer.encode(cleaned, add_special_tokens=False).ids, 1]


def test_control_pieces_are_not_found_in_a_text(tmp_path: Path) -> None:
    """In a text they are ordinary characters, as in SentencePiece."""
    data = model_file(unigram(), KINDS)
    ours = foreign.from_sentencepiece(data, "spiece.model")
    assert not {0, 1} & set(ours.ids("a </s> <pad> dog"))
    assert (ours.end, len(ours)) == (1, SMALL.get_vocab_size())


def test_only_unigram_models_of_sentencepiece_are_read(tmp_path: Path) -> None:
    trainer = bytes([0x12, 2, 0x18, 2])  # TrainerSpec, model_type = BPE
    with pytest.raises(ContractError, match=r"gemma\.model is not of the unigram kind"):
        foreign.from_sentencepiece(model_file(unigram(), KINDS, trainer), "gemma.model")


@given(st.binary(max_size=300), st.integers(0, 4_000), st.integers(0, 255), st.integers(0, 4_000))
@settings(max_examples=200, deadline=None)
def test_damaged_files_are_one_error_each(noise: bytes, place: int, value: int, cut: int) -> None:
    whole = model_file(SMALL, KINDS)
    changed = bytearray(whole)
    changed[place % len(changed)] = value
    for data in (noise, bytes(changed), whole[:cut], whole + noise):
        for read in (foreign.from_sentencepiece, foreign.from_json):
            try:
                read(data, "a file").ids("a dog")
            except ContraltoError as caught:
                error = str(caught)
            else:
                continue
            assert "a file" in error
            assert "\n" not in error


SMALL = unigram()


def test_a_vocabulary_larger_than_the_tower_is_another_models(tmp_path: Path) -> None:
    unigram().save(str(tmp_path / "tokenizer.json"))
    stated = spec((tmp_path / "tokenizer.json").read_bytes(), "tokenizers", "tokenizer.json")
    small = Text(CausalText(20, 8, 1, 1, 8, "gelu", mask="none"), stated.tokenizer, 16, frame="end", pool="last")
    with pytest.raises(ContractError, match=r"tokenizer\.json has \d+ tokens, the text tower 20"):
        load(small, tmp_path)


def test_another_file_than_the_contract_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ContractError, match="it is another vocabulary"):
        load(spec(b"other", "tokenizers", "tokenizer.json"), tmp_path)
    with pytest.raises(ContractError, match=r"is no tokenizer\.json"):
        load(spec(b"{}", "tokenizers", "tokenizer.json"), tmp_path)


def test_threads_and_a_forked_child_get_the_same_ids(tmp_path: Path) -> None:
    gemma().save(str(tmp_path / "tokenizer.json"))
    ours = load(spec((tmp_path / "tokenizer.json").read_bytes(), "tokenizers", "tokenizer.json", context=200), tmp_path)
    texts = list(varied(300))
    wanted = [ours.encode(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ours.encode, texts)) == wanted
    child = os.fork()
    if child == 0:
        os._exit(0 if [ours.encode(text) for text in texts] == wanted else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_half_a_surrogate_pair_is_an_error_of_the_text(tmp_path: Path) -> None:
    gemma().save(str(tmp_path / "tokenizer.json"))
    ours = load(spec((tmp_path / "tokenizer.json").read_bytes(), "tokenizers", "tokenizer.json"), tmp_path)
    with pytest.raises(TextError, match="half of a surrogate pair"):
        ours.encode("a \ud800")
