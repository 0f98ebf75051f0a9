"""Nonsense to load, create, save and evaluate is one ContraltoError of one line."""

from __future__ import annotations

import io

import pytest

import contralto
from contralto import contract
from contralto.encoder import create

NAN = float("nan")
NO_WORD = [3, True, [], object(), NAN, b"x"]
NO_NAME = [None, 3, True, [], object(), NAN, "", "a\0b", str, io.BytesIO()]
LOAD = {
    "source": [*NO_NAME, "no such model"],
    "engine": [*NO_WORD, None, "fast"],
    "precision": [*NO_WORD, None, "fp8"],
    "device": [*NO_WORD, None, "tpu"],
    "decode": [*NO_WORD, None, "fast"],
    "alpha": [*NO_WORD, None, "black"],
    "reproducible": [None, "no", 1, []],
    "architecture": [*NO_WORD, "no such"],
    "activation": [*NO_WORD, "relu"],
    "image_size": [0, -1, 2.5, "224", [], True, NAN],
    "revision": [*NO_WORD, "main"],
    "progress": ["print", 3],
}


@pytest.mark.parametrize(("argument", "wrong"), [(a, w) for a, several in LOAD.items() for w in several])
def test_load(folder, argument, wrong):
    with pytest.raises(contralto.ContraltoError) as caught:
        contralto.load(**{"source": folder} | {argument: wrong})
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "given", [{"preset": w} for w in NO_NAME] + [{"seed": w} for w in (None, "x", -1, 2.5, NAN, [])]
)
def test_create(given):
    with pytest.raises(contralto.ContraltoError) as caught:
        contralto.create(**{"preset": "tiny"} | given)
    assert str(caught.value).isprintable()


SAVE = {
    "folder": NO_NAME[:-1],
    "model": [None, "tiny", 3, object, type],
    "contract": [None, "tiny", {}, contract.preset("nano")],
    "dtype": [None, "fp32", 3, []],
}


@pytest.fixture(scope="module")
def made():
    return create("tiny")


@pytest.mark.parametrize(("argument", "wrong"), [(a, w) for a, several in SAVE.items() for w in several])
def test_save(made, tmp_path, argument, wrong):
    model, stated = made
    given = {"folder": tmp_path / "new", "model": model, "contract": stated, "dtype": "float32"}
    with pytest.raises(contralto.ContraltoError) as caught:
        contralto.save(**given | {argument: wrong})
    assert str(caught.value).isprintable()
    assert not (tmp_path / "new" / "contralto.json").exists()


def test_save_to_a_file(made, tmp_path):
    (tmp_path / "file").write_bytes(b"kept")
    with pytest.raises(contralto.ContraltoError, match="file cannot be written"):
        contralto.save(tmp_path / "file", *made)
