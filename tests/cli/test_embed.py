"""`contralto embed`: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
import os

import numpy as np
from support.command_line import errors, spoil


def test_embed_prints_rows_of_pictures_and_texts(cli, folder, clip):
    result = cli("embed", folder, "--text", "red", "--json")
    assert result.code == 0
    paths = [str(folder / f"{name}.png") for name in ("blue", "green", "red")]
    assert [one.get("path") for one in result.objects[:3]] == paths
    assert list(result.objects[3]) == ["text", "embedding"]
    expected = clip.encode_image([str(folder / "blue.png")])[0]
    np.testing.assert_array_equal(np.array(result.objects[0]["embedding"], np.float32), expected)
    assert len(cli("embed", folder, "--text", "red").out.splitlines()) == 4


def test_embed_out_holds_all_arrays(cli, folder, clip, tmp_path):
    bad, out = spoil(folder), tmp_path / "rows.npz"
    result = cli("embed", folder, "--text", "red", "x" * 301, "--out", out, "--json")
    assert result.code == 3
    assert result.objects[-1] == {"out": str(out), "rows": 4, "failed": 2}
    assert len(result.objects) == 5
    assert {one["path"] for one in errors(result)} == {bad, "x" * 301}
    with np.load(out) as arrays:
        names = {"paths", "embeddings", "texts", "text_embeddings", "failed", "reasons", "contract"}
        assert set(arrays) == names
        assert arrays["paths"].tolist() == [str(folder / f"{n}.png") for n in ("blue", "green", "red")]
        assert arrays["embeddings"].shape == (3, clip.contract.embedding)
        assert arrays["embeddings"].dtype == np.float32
        assert arrays["texts"].tolist() == ["red"]
        assert arrays["text_embeddings"].shape == (1, clip.contract.embedding)
        assert arrays["failed"].tolist() == [bad]
        assert json.loads(str(arrays["contract"]))["name"] == clip.contract.name
    assert {*os.listdir(tmp_path)} == {"rows.npz", "p", "cache"}


def test_embed_strict_fails_and_leaves_an_older_file_alone(cli, folder, tmp_path):
    spoil(folder)
    out = tmp_path / "rows.npz"
    out.write_bytes(b"older")
    result = cli("embed", folder, "--strict", "--out", out)
    assert result.code == 1
    assert "not written" in result.err
    assert out.read_bytes() == b"older"


def test_embed_refuses_an_out_that_cannot_be_a_file_before_it_works(cli, folder, clip, tmp_path):
    for out in (tmp_path, tmp_path / "nowhere" / "rows.npz"):
        result = cli("embed", folder, "--out", out)
        assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert clip.seen == []


def test_texts_only_and_too_long_texts(cli, clip):
    assert cli("embed", "--text", "red", "--json").code == 0
    result = cli("embed", "--text", "x" * 301)
    assert (result.code, result.out) == (1, "")
    assert cli("embed", "--text", "x" * 301, "--truncate", "--json").code == 0
