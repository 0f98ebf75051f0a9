"""Reads a tokenizer's kind, frame and padding from the files of a foreign model, and copies these files.

`tokenizer.json` states the frame (tokens around a text); `tokenizer_config.json`, in older folders
`special_tokens_map.json`, the padding token. A `vocab.txt` is BERT's WordPiece.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

from contralto.contract import Text, TokenizerSpec
from contralto.errors import ContractError
from contralto.files import copy_files, written_whole
from contralto.weights.config_section import read_json

Frame = Literal["both", "start", "end"]
TOKENIZER_CONFIG_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


class TokenizerSettings(NamedTuple):
    """The facts about a tokenizer that a contract states."""

    tokenizer: TokenizerSpec
    frame: Frame
    pad: int


def find(folder: Path, where: str) -> TokenizerSettings:
    """The tokenizer in the folder. where: the field that asks for it, for errors. Raises ContractError."""
    if (folder / "vocab.txt").is_file():
        return _wordpiece(folder)
    if (folder / "tokenizer.json").is_file():
        return _tokenizers(folder)
    raise ContractError(f"{where} names a tokenizer, but neither vocab.txt nor tokenizer.json lies in {folder}")


def copy(text: Text, source: Path, target: Path) -> None:
    """Copies a tokenizer's file and its configuration files. Raises OSError, ContractError.

    A tokenizer.json does not state the padding, so a missing tokenizer_config.json is written for it.
    """
    if not (source / str(text.tokenizer.file)).is_file():
        raise ContractError(f"{source / str(text.tokenizer.file)} is missing: the tokenizer's file is needed")
    names = {text.tokenizer.file, *TOKENIZER_CONFIG_FILES}
    copy_files((source / name for name in sorted(filter(None, names)) if (source / name).is_file()), target)
    settings = target / "tokenizer_config.json"
    if text.tokenizer.kind == "tokenizers" and not settings.is_file():
        names_of = {number: name for name, number in _added(_json(target / str(text.tokenizer.file))).items()}
        stated = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": text.context}
        with written_whole(settings) as file:
            file.write((json.dumps(stated | {"pad_token": names_of.get(text.pad)}, indent=2) + "\n").encode())


def _wordpiece(folder: Path) -> TokenizerSettings:
    """BERT's uncased tokenizer: [CLS] and [SEP] around a text."""
    path = folder / "vocab.txt"
    if not _json(folder / "tokenizer_config.json").get("do_lower_case", True):
        raise ContractError(f"{folder / 'tokenizer_config.json'}: do_lower_case false is not supported")
    words = _bytes(path).decode("utf-8", "replace").splitlines()
    if "[PAD]" not in words:
        raise ContractError(f"{path} has no [PAD]")
    return TokenizerSettings(TokenizerSpec("wordpiece", _sha256(path), path.name), "both", words.index("[PAD]"))


def _tokenizers(folder: Path) -> TokenizerSettings:
    path = folder / "tokenizer.json"
    stated = _json(path)
    frame = _frame(stated.get("post_processor"))
    if frame is None:
        raise ContractError(f"{path}: its post_processor puts no start or end token around a text, or not only these")
    token = _pad_token(folder)
    pad = _added(stated).get(token or "")
    if pad is None:
        raise ContractError(f"{folder}: neither tokenizer_config.json nor special_tokens_map.json states a pad_token")
    return TokenizerSettings(TokenizerSpec("tokenizers", _sha256(path), path.name), frame, pad)


def _added(stated: dict[str, Any]) -> dict[str, int]:
    """The special tokens of a tokenizer.json and their ids."""
    tokens = (token for token in stated.get("added_tokens") or () if isinstance(token, dict))
    return {str(token.get("content")): token["id"] for token in tokens if isinstance(token.get("id"), int)}


def _frame(processor: Any) -> Frame | None:
    """The frame that a post-processor puts around one text; None if it is none of `Frame`."""
    if not isinstance(processor, dict):
        return None
    if processor.get("type") == "Sequence":
        frames = [frame for one in processor.get("processors", ()) if (frame := _frame(one))]
        return frames[0] if len(frames) == 1 else None
    if processor.get("type") in ("BertProcessing", "RobertaProcessing"):
        return "both"
    if processor.get("type") != "TemplateProcessing":
        return None
    order = "".join("t" if "Sequence" in piece else "s" for piece in processor.get("single", ()))
    frames_by_order: dict[str, Frame] = {"sts": "both", "st": "start", "ts": "end"}
    return frames_by_order.get(order)


def _pad_token(folder: Path) -> str | None:
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        token = _json(folder / name).get("pad_token")
        if isinstance(token, dict):
            token = token.get("content")
        if isinstance(token, str):
            return token
    return None


def _json(path: Path) -> dict[str, Any]:
    """The object in a file; empty if the file is absent."""
    if not path.is_file():
        return {}
    return read_json(path)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ContractError(f"{path}: {error.strerror or error}") from error


def _sha256(path: Path) -> str:
    return hashlib.sha256(_bytes(path)).hexdigest()
