"""The tokenizer in a folder of transformers, as the text part of a contract.

| family | files | clean | frame | padded with |
|---|---|---|---|---|
| CLIP | vocab.json and merges.txt, or tokenizer.json, as CLIP's | clip | both | the pad token: 49407, or 0 ("!") |
| OWL-ViT, OWLv2 | as CLIP's | clip | both | the pad token, else 0 ("!") |
| SigLIP | spiece.model, or tokenizer.json | siglip | end | </s>, 1 |
| SigLIP 2 | tokenizer.json | lower | end | <pad>, 0 |
| ALIGN | vocab.txt or tokenizer.json of uncased BERT | none | both | [PAD], 0 |

Sources: transformers 5.23 (SiglipTokenizer, Siglip2Tokenizer, CLIPTokenizer, BertTokenizer).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from contralto.architecture.codec import from_json, to_json
from contralto.contract import Text, TokenizerSpec
from contralto.errors import ContractError
from contralto.text import bpe, foreign
from contralto.weights import tokenizer_files
from contralto.weights.config_section import read_json
from contralto.weights.layouts.transformers import Family
from contralto.weights.transformers.config import Towers

POOLS = {"clip": "eot", "owlvit": "eot", "owlv2": "eot", "siglip": "last", "align": "first"}
SENTENCEPIECE = ("spiece.model", "sentencepiece.model", "tokenizer.model")
CLIP_PAD, OWL_PAD, SIGLIP_PAD = "<|endoftext|>", "!", "</s>"


def read(folder: Path, stated: Towers, ours: dict[str, Any], where: str) -> tuple[Text, str]:
    """The contract's text part, and a note on facts that are implied, not stated.

    ours: fields that Contralto wrote into config.json; they take precedence. Raises ContractError.
    """
    pool = POOLS[stated.family]
    if ours:
        return from_json(Text, {"tower": to_json(stated.text), "pool": pool} | ours, f"{where}: contralto.text"), ""
    settings, clean, implied = _tokenizer(folder, stated.family, stated.text.vocabulary)
    text = Text(
        stated.text,
        settings.tokenizer,
        stated.context,
        pad=settings.pad,
        clean=clean,  # type: ignore[arg-type]
        frame=settings.frame,
        pool=pool,  # type: ignore[arg-type]
    )
    return text, implied


def _tokenizer(folder: Path, family: Family, vocabulary: int) -> tuple[tokenizer_files.TokenizerSettings, str, str]:
    if family in ("clip", "owlvit", "owlv2"):
        pad, implied = _clip(folder, vocabulary, CLIP_PAD if family == "clip" else OWL_PAD)
        return tokenizer_files.TokenizerSettings(TokenizerSpec("clip-bpe", bpe.SHA256), "both", pad), "clip", implied
    if family == "align":
        return tokenizer_files.find(folder, "ALIGN"), "none", ""
    settings = _settings(folder)
    if settings.get("padding_side", "right") != "right":  # SigLIP pools the last token, so padding matters
        raise ContractError(f"{folder}: padding_side is not 'right' in tokenizer_config.json, as SigLIP was trained")
    model = next((folder / name for name in SENTENCEPIECE if (folder / name).is_file()), None)
    has_json = (folder / "tokenizer.json").is_file()
    if not has_json or str(settings.get("tokenizer_class", "")).startswith("SiglipTokenizer"):
        # SigLIP is published with this class, which canonicalises the text first.
        if model is not None:
            return _sentencepiece(model), "siglip", ""
        if not has_json:
            raise ContractError(f"{folder} has no tokenizer: neither {SENTENCEPIECE[0]} nor tokenizer.json is there")
        return _framed_json(folder), "siglip", ""
    # Siglip2Tokenizer pads left by default, but SigLIP 2 was trained and is published with padding on the right.
    implied = "" if "padding_side" in settings else "padding_side is not stated: right, as SigLIP 2 was trained"
    return _framed_json(folder), "lower", implied


def _sentencepiece(path: Path) -> tokenizer_files.TokenizerSettings:
    """SiglipTokenizer: the end token follows a text and also pads it."""
    data = path.read_bytes()
    named = _token(_settings(path.parent), "pad_token") or SIGLIP_PAD
    if named != SIGLIP_PAD:
        raise ContractError(f"{path.parent}: the pad token {named!r} is not SigLIP's, which is {SIGLIP_PAD!r}")
    pad = foreign.from_sentencepiece(data, str(path)).end
    return tokenizer_files.TokenizerSettings(
        TokenizerSpec("sentencepiece", hashlib.sha256(data).hexdigest(), path.name), "end", pad
    )


def _framed_json(folder: Path) -> tokenizer_files.TokenizerSettings:
    """A tokenizer.json of SigLIP. The tokenizer class adds the end token if the file does not."""
    path = folder / "tokenizer.json"
    stated, named = read_json(path), _token(_settings(folder), "pad_token")
    ids = {one.get("content"): one.get("id") for one in stated.get("added_tokens", ()) if isinstance(one, dict)}
    pad = next((ids[name] for name in ([named] if named else ["<pad>", SIGLIP_PAD]) if name in ids), None)
    if not isinstance(pad, int):
        what = f"the pad token {named!r} of tokenizer_config.json" if named else "a pad token"
        raise ContractError(f"{path} has not {what} among its added tokens")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return tokenizer_files.TokenizerSettings(TokenizerSpec("tokenizers", sha256, path.name), "end", pad)


def _clip(folder: Path, vocabulary: int, default_pad: str) -> tuple[int, str]:
    """The pad id for CLIP's own tokenizer. A tokenizer in the folder must be that one."""
    ids, merges = bpe.clip_vocabulary().published()
    if vocabulary != len(ids):
        raise ContractError(f"{folder}: a vocabulary of {vocabulary} is not CLIP's own ({len(ids)}), which is built in")
    vocabularies: list[tuple[Any, list[str]]] = []
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        lines = (folder / "merges.txt").read_bytes().decode("utf-8", "replace").split("\n")
        vocabularies.append(
            (read_json(folder / "vocab.json"), [line for line in lines[1:] if line])
        )  # the first is a heading
    if (folder / "tokenizer.json").is_file():
        model = read_json(folder / "tokenizer.json").get("model") or {}
        pairs = [" ".join(pair) if isinstance(pair, list) else pair for pair in model.get("merges", ())]
        vocabularies.append((model.get("vocab"), pairs))
    if any(one != (ids, merges) for one in vocabularies):
        raise ContractError(f"{folder}: its tokenizer is not CLIP's own, which is built in, but another vocabulary")
    implied = "" if vocabularies else "no tokenizer in the folder: CLIP's own"
    pad = _token(_settings(folder), "pad_token") or default_pad
    if pad not in ids:
        raise ContractError(f"{folder}: the pad token {pad!r} is not in the vocabulary")
    return ids[pad], implied


def _settings(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json over special_tokens_map.json."""
    settings: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            settings |= read_json(folder / name)
    return settings


def _token(settings: dict[str, Any], name: str) -> str | None:
    token = settings.get(name)
    token = token.get("content") if isinstance(token, dict) else token
    return token if isinstance(token, str) else None
