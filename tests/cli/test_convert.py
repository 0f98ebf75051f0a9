"""convert and doctor from the shell: layouts written, read back, proven, refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import contralto


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("model") / "small"
    contralto.save(folder, *contralto.create("tiny", seed=0))
    return folder


@pytest.mark.parametrize("layout", ["native", "open_clip", "transformers"])
def test_every_layout_comes_back_bit_for_bit(cli, model, tmp_path, layout) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    assert cli("convert", model, there, "--to", layout, "--json").code == 0
    result = cli("convert", there, back, "--to", "native")
    assert result.code == 0, result.err
    assert "read back equal bit for bit" in result.out
    before, after = contralto.load(model), contralto.load(back)
    assert {name: before.checkpoint.raw(name).tobytes() for name in before.checkpoint} == {
        name: after.checkpoint.raw(name).tobytes() for name in after.checkpoint
    }
    assert (before.encode_text("a red circle") == after.encode_text("a red circle")).all()


def test_a_converted_model_can_prove_itself(cli, model, tmp_path) -> None:
    assert cli("convert", model, tmp_path / "native", "--to", "native").code == 0
    result = cli("doctor", tmp_path / "native", "--json")
    assert result.code == 0
    assert [one["check"] for one in result.objects][:3] == ["files", "tensors", "finite"]
    assert all(set(one) == {"check", "ok", "detail"} and one["ok"] for one in result.objects)
    assert "ids equal" in next(one["detail"] for one in result.objects if one["check"] == "self-test")


def test_doctor_prints_the_contract_and_a_line_for_each_check(cli, model) -> None:
    result = cli("doctor", model)
    assert result.code == 0
    assert "parameters" in result.out
    assert result.out.count("\nok ") >= 9


def test_doctor_finds_a_damaged_file(cli, model, tmp_path) -> None:
    assert cli("convert", model, tmp_path / "native", "--to", "native").code == 0
    file = tmp_path / "native" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 64
    file.write_bytes(content)
    result = cli("doctor", tmp_path / "native")
    assert result.code == 1
    assert "FAILED  files" in result.out


def test_doctor_of_what_cannot_be_loaded(cli, tmp_path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    result = cli("doctor", tmp_path / "model.safetensors", "--json")
    assert result.code == 1
    assert [(one["check"], one["ok"]) for one in result.objects] == [("load", False)]
    assert cli("doctor", tmp_path / "model.safetensors").err.count("\n") == 1


def test_nothing_is_written_over_without_force(cli, model, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    result = cli("convert", model, tmp_path, "--to", "native")
    assert (result.code, "is not empty: use --force to write into it" in result.err) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert cli("convert", model, tmp_path, "--to", "native", "--force").code == 0
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert "already holds this model" in cli("convert", model, model, "--to", "native", "--force").err


def test_a_layout_without_a_place_for_the_architecture_is_one_line(cli, tmp_path) -> None:
    result = cli("convert", "nano", tmp_path / "out", "--to", "transformers")
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_a_folder_that_cannot_be_written_is_refused_before_the_model_is_loaded(cli, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(contralto, "load", lambda *given, **options: pytest.fail("the model was loaded"))
    (tmp_path / "file").touch()
    for name, said in (
        ("file", "is not a folder"),
        ("file/new", "is not a folder"),
        ("m.safetensors", "suffix of a file"),
    ):
        result = cli("convert", "nano", tmp_path / name, "--to", "native")
        assert (result.code, len(result.err.splitlines())) == (1, 1)
        assert said in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_link_to_the_model_s_own_weights_is_not_written_through(cli, model, tmp_path) -> None:
    before = (model / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").symlink_to(model / "model.safetensors")
    result = cli("convert", model, tmp_path, "--to", "transformers", "--force")
    assert (result.code, "already holds this model" in result.err) == (1, True)
    assert (model / "model.safetensors").read_bytes() == before
    without_force = cli("convert", model, model, "--to", "native")
    assert "already holds this model" in without_force.err, "--force would not help"
