"""The tokenizer that lies in a folder of transformers, as a contract states it.

| family | files | clean | frame | padded with |
|---|---|---|---|---|
| CLIP | vocab.json and merges.txt, or tokenizer.json, as CLIP's | clip | both | the pad token: 49407, or 0 ("!") |
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
from contralto.contract import Text, Tokenizer
from contralto.errors import ContractError
from contralto.text import bpe, foreign
from contralto.weights import tokenizer_files
from contralto.weights.layouts.transformers import Family
from contralto.weights.section import read_json
from contralto.weights.transformers.config import Towers

SENTENCEPIECE = ("spiece.model", "sentencepiece.model", "tokenizer.model")
CLIP_PAD, SIGLIP_PAD = "<|endoftext|>", "</s>"


def read(folder: Path, stated: Towers, ours: dict[str, Any], where: str) -> tuple[Text, str]:
    """The contract's text part, and what of it was implied rather than read, to be said.

    ours: what Contralto itself has written into config.json, if anything; it goes first. Raises ContractError.
    """
    pool = {"clip": "eot", "siglip": "last", "align": "first"}[stated.family]
    if ours:
        return from_json(Text, {"tower": to_json(stated.text), "pool": pool} | ours, f"{where}: contralto.text"), ""
    found, clean, implied = _found(folder, stated.family, stated.text.vocabulary)
    text = Text(
        stated.text,
        found.tokenizer,
        stated.context,
        pad=found.pad,
        clean=clean,  # type: ignore[arg-type]
        frame=found.frame,
        pool=pool,  # type: ignore[arg-type]
    )
    return text, implied


def _found(folder: Path, family: Family, vocabulary: int) -> tuple[tokenizer_files.Found, str, str]:
    if family == "clip":
        pad, implied = _clip(folder, vocabulary)
        return tokenizer_files.Found(Tokenizer("clip-bpe", bpe.SHA256), "both", pad), "clip", implied
    if family == "align":
        return tokenizer_files.find(folder, "ALIGN"), "none", ""
    settings = _settings(folder)
    if settings.get("padding_side", "right") != "right":  # the last row counts, so that it matters
        raise ContractError(f"{folder}: padding_side is not 'right' in tokenizer_config.json, as SigLIP was trained")
    model = next((folder / name for name in SENTENCEPIECE if (folder / name).is_file()), None)
    has_json = (folder / "tokenizer.json").is_file()
    if not has_json or str(settings.get("tokenizer_class", "")).startswith("SiglipTokenizer"):
        # The published SigLIP has no class of its own but this one, whose text is canonicalised first.
        if model is not None:
            return _sentencepiece(model), "siglip", ""
        if not has_json:
            raise ContractError(f"{folder} has no tokenizer: neither {SENTENCEPIECE[0]} nor tokenizer.json is there")
        return _framed_json(folder), "siglip", ""
    # Siglip2Tokenizer pads on the left where nothing is stated; SigLIP 2 was trained, and is published, with the right.
    side = "" if "padding_side" in settings else "padding_side is not stated: right, as SigLIP 2 was trained"
    return _framed_json(folder), "lower", side


def _sentencepiece(path: Path) -> tokenizer_files.Found:
    """SiglipTokenizer's: a text is followed by the end token, and so is that until the context is full."""
    data = path.read_bytes()
    named = _token(_settings(path.parent), "pad_token") or SIGLIP_PAD
    if named != SIGLIP_PAD:
        raise ContractError(f"{path.parent}: the pad token {named!r} is not SigLIP's, which is {SIGLIP_PAD!r}")
    pad = foreign.from_sentencepiece(data, str(path)).end
    return tokenizer_files.Found(Tokenizer("sentencepiece", hashlib.sha256(data).hexdigest(), path.name), "end", pad)


def _framed_json(folder: Path) -> tokenizer_files.Found:
    """A tokenizer.json of SigLIP's: its end token is set by the class where the file does not say so."""
    path = folder / "tokenizer.json"
    stated, named = read_json(path), _token(_settings(folder), "pad_token")
    ids = {one.get("content"): one.get("id") for one in stated.get("added_tokens", ()) if isinstance(one, dict)}
    pad = next((ids[name] for name in ([named] if named else ["<pad>", SIGLIP_PAD]) if name in ids), None)
    if not isinstance(pad, int):
        what = f"the pad token {named!r} of tokenizer_config.json" if named else "a pad token"
        raise ContractError(f"{path} has not {what} among its added tokens")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return tokenizer_files.Found(Tokenizer("tokenizers", sha256, path.name), "end", pad)


def _clip(folder: Path, vocabulary: int) -> tuple[int, str]:
    """The pad id of CLIP's own tokenizer, which the folder must hold, if it holds one at all."""
    ids, merges = bpe.shipped().published()
    if vocabulary != len(ids):
        raise ContractError(f"{folder}: a vocabulary of {vocabulary} is not CLIP's own ({len(ids)}), which is built in")
    found: list[tuple[Any, list[str]]] = []
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        lines = (folder / "merges.txt").read_bytes().decode("utf-8", "replace").split("\n")
        found.append((read_json(folder / "vocab.json"), [line for line in lines[1:] if line]))  # the first is a heading
    if (folder / "tokenizer.json").is_file():
        model = read_json(folder / "tokenizer.json").get("model") or {}
        pairs = [" ".join(pair) if isinstance(pair, list) else pair for pair in model.get("merges", ())]
        found.append((model.get("vocab"), pairs))
    if any(one != (ids, merges) for one in found):
        raise ContractError(f"{folder}: its tokenizer is not CLIP's own, which is built in, but another vocabulary")
    implied = "" if found else "no tokenizer in the folder: CLIP's own"
    pad = _token(_settings(folder), "pad_token") or CLIP_PAD
    if pad not in ids:
        raise ContractError(f"{folder}: the pad token {pad!r} is not in the vocabulary")
    return ids[pad], implied


def _settings(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json over special_tokens_map.json."""
    found: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            found |= read_json(folder / name)
    return found


def _token(settings: dict[str, Any], name: str) -> str | None:
    token = settings.get(name)
    token = token.get("content") if isinstance(token, dict) else token
    return token if isinstance(token, str) else None
