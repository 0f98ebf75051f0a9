"""The tokenizer in a folder of transformers: which one it is, and how it frames and pads."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from contralto.contract import preset
from contralto.errors import ContraltoError
from contralto.text import bpe
from contralto.weights.transformers import config, tokenizer_config, writing

CLIP_TOWERS = config.towers({"model_type": "clip"}, "config.json")
SIGLIP_TOWERS = config.towers({"model_type": "siglip"}, "config.json")


def test_what_contralto_wrote_beside_a_configuration_is_checked_like_a_contract(tmp_path: Path) -> None:
    ours = writing.config(preset("tiny"))["contralto"]["text"]
    assert tokenizer_config.read(tmp_path, CLIP_TOWERS, ours, "config.json")[0].context == 32
    for changes, message in (({"pad": "x"}, "pad must be of type int"), ({"clean": "x"}, "clean must be one of"),
                             ({"more": 1}, "unknown field 'more'")):  # fmt: skip
        with pytest.raises(ContraltoError, match=message):
            tokenizer_config.read(tmp_path, CLIP_TOWERS, ours | changes, "config.json")


def test_every_file_of_clips_tokenizer_must_be_clips_own(tmp_path: Path) -> None:
    ids, merges = bpe.clip_vocabulary().published()
    (tmp_path / "vocab.json").write_text(json.dumps(ids))
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"pad_token": {"content": "!"}}))
    assert tokenizer_config.read(tmp_path, CLIP_TOWERS, {}, "")[0].pad == 0
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<|endoftext|>"}))
    assert tokenizer_config.read(tmp_path, CLIP_TOWERS, {}, "")[0].pad == bpe.END_ID
    changed = {"model": {"vocab": ids, "merges": [merges[1], merges[0], *merges[2:]]}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(changed))
    with pytest.raises(ContraltoError, match="is not CLIP's own, which is built in"):
        tokenizer_config.read(tmp_path, CLIP_TOWERS, {}, "")


def test_siglips_padding_is_the_end_token_of_its_sentencepiece_model(tmp_path: Path) -> None:
    names = [b"<pad>", b"</s>", b"<unk>", "▁a".encode()]
    kinds = (3, 3, 2, 1)  # control, control, unknown, normal
    pieces = [b"\n" + bytes([len(name)]) + name + b"\x15" + struct.pack("<f", -1.0) + bytes([24, kind])
              for name, kind in zip(names, kinds, strict=True)]  # fmt: skip
    (tmp_path / "spiece.model").write_bytes(b"".join(b"\n" + bytes([len(piece)]) + piece for piece in pieces))
    text, _ = tokenizer_config.read(tmp_path, SIGLIP_TOWERS, {}, "")
    assert (text.tokenizer.kind, text.tokenizer.file, text.pad) == ("sentencepiece", "spiece.model", 1)
    assert (text.frame, text.clean, text.context, text.pool) == ("end", "siglip", 64, "last")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<pad>"}))
    with pytest.raises(ContraltoError, match="the pad token '<pad>' is not SigLIP's"):
        tokenizer_config.read(tmp_path, SIGLIP_TOWERS, {}, "")


def test_a_pad_token_that_is_stated_is_never_replaced_by_another(tmp_path: Path) -> None:
    added = [{"id": 0, "content": "<pad>"}, {"id": 1, "content": "<eos>"}]
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    text, _ = tokenizer_config.read(tmp_path, SIGLIP_TOWERS, {}, "")
    assert (text.tokenizer.kind, text.pad, text.clean) == ("tokenizers", 0, "lower")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"padding_side": "left"}))
    with pytest.raises(ContraltoError, match=r"padding_side is not 'right'"):
        tokenizer_config.read(tmp_path, SIGLIP_TOWERS, {}, "")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<filler>"}))
    with pytest.raises(ContraltoError, match="has not the pad token '<filler>'"):
        tokenizer_config.read(tmp_path, SIGLIP_TOWERS, {}, "")
