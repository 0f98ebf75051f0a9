"""Rows as files: each format gives back what was embedded, and a name that promises another one is refused."""

from __future__ import annotations

import builtins
import csv
import json
import os
import subprocess

import numpy as np
import pytest
from support.fake_clip import paint


@pytest.fixture
def folder(tmp_path, clip):
    for name in ("red", "green"):
        paint(tmp_path / "p" / f"{name}.png", name)
    return tmp_path / "p"


TEXTS = ['a "red", thing', "two\nlines", "図"]


def read(path):
    """(path, text, row) of each row, as a reader of the format finds them."""
    if path.suffix.lower() == ".jsonl":
        objects = map(json.loads, path.read_text().splitlines())
        return [(one.get("path"), one.get("text"), np.array(one["embedding"], np.float32)) for one in objects]
    if path.suffix.lower() == ".csv":
        with open(path, encoding="utf-8", newline="") as file:
            head, *lines = csv.reader(file)
        assert head == ["path", "text", *(f"e{i}" for i in range(len(head) - 2))]
        return [(a or None, b or None, np.array(row, np.float32)) for a, b, *row in lines]
    if path.suffix.lower() == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        rows = parquet.read_table(path).to_pylist()
        return [(one["path"], one["text"], np.array(one["embedding"], np.float32)) for one in rows]
    with np.load(path) as arrays:
        pictures = [(str(a), None, row) for a, row in zip(arrays["paths"], arrays["embeddings"], strict=True)]
        return pictures + [(None, str(a), r) for a, r in zip(arrays["texts"], arrays["text_embeddings"], strict=True)]


@pytest.mark.parametrize("name", ["rows.npz", "rows.csv", "rows.jsonl", "rows.parquet", "ROWS.CSV", "a.npz.csv"])
def test_a_file_is_what_its_name_promises(cli, folder, clip, tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    out = tmp_path / name
    result = cli("embed", folder, "--text", *TEXTS, "--out", out)
    assert (result.code, result.err) == (0, "note: tiny knows no word of '図': the results have no meaning\n")
    paths = [str(folder / "green.png"), str(folder / "red.png")]
    rows = read(out)
    assert [one[:2] for one in rows] == [(path, None) for path in paths] + [(None, text) for text in TEXTS]
    expected = np.concatenate([clip.encode_image(paths), clip.encode_text(TEXTS)])
    np.testing.assert_array_equal(np.stack([row for _, _, row in rows]), expected)


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".jsonl", ".parquet"])
def test_pictures_alone_texts_alone_and_a_name_that_is_not_utf8(cli, folder, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / f"rows{suffix}"
    assert cli("embed", "--text", "red", "--out", out).code == 0
    assert [one[:2] for one in read(out)] == [(None, "red")]
    odd = os.path.join(os.fsencode(folder), b"\xff.png")
    os.link(folder / "red.png", odd)
    assert cli("embed", os.fsdecode(odd), "--out", out).code == 0
    ((path, text, _),) = read(out)
    assert text is None
    assert path.encode("utf-8", "backslashreplace").decode().endswith("\\udcff.png")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rows.npy", "the suffix selects the format: .npz, .csv, .jsonl, .parquet"),
        ("rows.json", "the suffix selects the format"),
        ("rows", "the suffix selects the format"),
        (".csv", "the suffix selects the format"),
        ("p", "is a folder"),
        ("nowhere/rows.csv", "there is no folder"),
        ("~/rows.csv", "is not expanded"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(cli, folder, clip, tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    result = cli("embed", folder, "--out", name)
    assert (result.code, result.out, len(result.err.splitlines())) == (1, "", 1)
    assert said in result.err
    assert clip.seen == []
    assert {*os.listdir(tmp_path)} == {"p"}


def test_parquet_without_pyarrow_is_told_before_the_work(cli, folder, clip, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *given, **named):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *given, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    result = cli("embed", folder, "--out", tmp_path / "rows.parquet")
    assert (result.code, clip.seen) == (1, [])
    assert "pip install 'contralto[evaluate]'" in result.err


def test_a_pipe_gets_an_npz_and_stays_a_pipe(cli, folder, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        assert cli("embed", folder, "--out", pipe).code == 0
        out, _ = reader.communicate(timeout=30)
    assert pipe.is_fifo()
    (tmp_path / "got.npz").write_bytes(out)
    assert len(read(tmp_path / "got.npz")) == 2


def test_a_link_stays_one(cli, folder, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "rows.csv").symlink_to("far/real.csv")
    assert cli("embed", folder, "--out", tmp_path / "rows.csv").code == 0
    assert (tmp_path / "rows.csv").is_symlink()
    assert len(read(tmp_path / "far" / "real.csv")) == 2


def test_a_full_disk_names_the_file(cli, folder, tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    (tmp_path / "full.csv").symlink_to("/dev/full")
    result = cli("embed", folder, "--out", tmp_path / "full.csv")
    assert (result.code, result.err) == (1, f"contralto: {tmp_path / 'full.csv'}: no space left on device\n")


def test_a_pipe_that_nobody_reads_to_the_end_is_an_error(cli, folder, tmp_path, monkeypatch):
    def leave(*given):
        raise BrokenPipeError(32, "Broken pipe", str(tmp_path / "pipe"))

    monkeypatch.setattr("contralto.cli.embedding_files.write", leave)
    result = cli("embed", folder, "--out", tmp_path / "rows.csv")
    assert (result.code, result.err) == (1, f"contralto: {tmp_path / 'pipe'}: broken pipe\n")
