"""convert and doctor from the shell: layouts written, read back, proven, refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import adaptations

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


@pytest.fixture
def tuned(model, tmp_path) -> Path:
    """The small model with a change of weights."""
    stated = contralto.load(model).contract
    matrices = ("text.blocks.0.attention.q", "image.blocks.0.mlp.up", "image.head.linear")
    adaptations.write(tmp_path / "tuned", "lora", stated, adaptations.pairs(stated, matrices), model)
    return tmp_path / "tuned"


@pytest.mark.parametrize("layout", ["native", "open_clip", "transformers"])
def test_a_change_of_weights_is_merged_into_every_layout(cli, tuned, tmp_path, layout) -> None:
    result = cli("convert", tuned, tmp_path / "out", "--to", layout, "--mix", "0.5")
    assert result.code == 0, result.err
    assert "read back equal bit for bit" in result.out
    merged, adapted = contralto.load(tmp_path / "out"), contralto.load(tuned, mix=0.5)
    assert all((merged.checkpoint[name] == adapted.checkpoint[name]).all() for name in adapted.checkpoint)
    if layout == "native":
        assert cli("doctor", tmp_path / "out").code == 0


@pytest.mark.parametrize("mix", ["1", "0.5"])
def test_a_change_of_low_rank_is_written_for_peft(cli, tuned, model, tmp_path, mix) -> None:
    result = cli("convert", tuned, tmp_path / "out", "--to", "peft", "--mix", mix)
    assert result.code == 0, result.err
    assert "6 tensors" in result.out
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"adapter_config.json", "adapter_model.safetensors"}
    back, adapted = contralto.load(tmp_path / "out", base=model), contralto.load(tuned, mix=float(mix))
    weight = "image.blocks.0.mlp.up.weight"
    assert abs(back.checkpoint[weight] - adapted.checkpoint[weight]).max() < 1e-6


def test_what_cannot_be_converted_is_one_line(cli, model, tuned, tmp_path) -> None:
    stated = contralto.load(model).contract
    adaptations.write(tmp_path / "adapter", "adapter", stated, adaptations.adapter(stated.embedding), model)
    whole = {"text.norm_post.bias": 0.1 * contralto.load(model).checkpoint["text.norm_post.bias"] + 0.1}
    adaptations.write(tmp_path / "full", "full", stated, whole, model)
    for source, layout, said in (
        (model, "peft", "has no adaptation: peft stores a change"),
        (tmp_path / "adapter", "native", "which no layout of a model has"),
        (tmp_path / "full", "peft", "changes whole tensors"),
    ):
        result = cli("convert", source, tmp_path / "out", "--to", layout)
        assert (result.code, result.err.count("\n")) == (1, 1), result.err
        assert said in result.err
        assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_doctor_of_an_adapted_model_checks_its_base_too(cli, tuned) -> None:
    result = cli("doctor", tuned)
    assert result.code == 0, result.out
    assert "lora, mix 1" in result.out


def test_stretched_positions_are_saved_and_short_texts_keep_their_row(cli, model, tmp_path) -> None:
    result = cli("convert", model, tmp_path / "long", "--stretch", "68", "--json")
    assert (result.code, result.objects[0]["layout"]) == (0, "native")
    before, after = contralto.load(model, precision="fp32"), contralto.load(tmp_path / "long", precision="fp32")
    assert (before.contract.text.context, after.contract.text.context) == (32, 68)
    assert abs(before.encode_text("a red circle") - after.encode_text("a red circle")).max() < 1e-5
    assert cli("doctor", tmp_path / "long").code == 0
    result = cli("convert", model, tmp_path / "wrong", "--stretch", "248")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "become 68, give that length" in result.err
    assert not (tmp_path / "wrong").exists()
