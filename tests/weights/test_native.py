"""The native layout: names, storage, checks, and files that are whole or absent."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from contralto.architecture import Bert, CausalText, ConvNeXt, EfficientNet, ResidualHead, ResNet, Stage, ViT
from contralto.contract import FILE_NAME, Contract, Image, Score, Text, TokenizerSpec, Weights, preset
from contralto.errors import ContractError, WeightsError
from contralto.weights.checkpoint import StoredTensor
from contralto.weights.names import expected
from contralto.weights.native import WEIGHTS_NAME, read, write, write_stored

CONTRACT = Contract(
    "small",
    Image(ViT(8, 1, 2, 4, 16, "gelu"), (8, 8), (0.5,) * 3, (0.5,) * 3),
    Text(CausalText(11, 8, 1, 2, 16, "gelu"), TokenizerSpec("clip-bpe", "0" * 64), 6),
    4,
)


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {name: random.standard_normal(shape, np.float32) for name, shape in expected(CONTRACT).items()}


# Parameters as counted by Radford et al.; ResNets also have the running mean and variance of each batch norm channel.
@pytest.mark.parametrize(
    ("name", "count"), [("ViT-B-32", 151_277_313), ("ViT-B-16", 149_620_737), ("ViT-L-14-336", 427_944_193)]
)
def test_names_hold_the_published_number_of_parameters(name: str, count: int) -> None:
    assert sum(math.prod(shape) for shape in expected(preset(name)).values()) == count


@pytest.mark.parametrize("name", ["RN50", "ViT-B-32", "nano", "tiny"])
def test_names_are_those_of_the_torch_model(name: str) -> None:
    torch = pytest.importorskip("torch")
    from contralto.model.clip import CLIP

    with torch.device("meta"):
        state = CLIP(preset(name)).state_dict()
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == expected(preset(name))


def test_names_of_a_squeezing_efficientnet_with_residual_heads_and_sigmoid_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    from contralto.model.clip import CLIP

    tower = EfficientNet(8, (Stage(1, 3, 1, 8, 1), Stage(6, 5, 2, 16, 2)), 20, "silu", 4, head=ResidualHead(5))
    contract = CONTRACT.replace(
        image=Image(tower, (16, 16), (0.5,) * 3, (0.5,) * 3),
        text=Text(Bert(11, 8, 2, 2, 16, head=ResidualHead(5)), TokenizerSpec("wordpiece", "0" * 64), 6, pool="mean"),
        score=Score("sigmoid", 10.0, -10.0),
    )
    with torch.device("meta"):
        state = CLIP(contract).state_dict()
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == expected(contract)


def test_float32_comes_back_bit_for_bit(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    written = write(tmp_path, CONTRACT, arrays)
    checkpoint = read(tmp_path)
    assert checkpoint.contract == written
    assert written.replace(weights=None) == CONTRACT
    assert written.weights is not None
    assert written.weights.dtype == "float32"
    assert list(checkpoint) == list(expected(CONTRACT))
    assert all(checkpoint[name].tobytes() == array.tobytes() for name, array in arrays.items())
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE_NAME, WEIGHTS_NAME]
    checkpoint.verify()


def test_float16_and_bfloat16_round_to_the_nearest(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    torch = pytest.importorskip("torch")
    for dtype, kind in (("float16", torch.float16), ("bfloat16", torch.bfloat16)):
        write(tmp_path / dtype, CONTRACT, arrays, dtype)
        checkpoint = read(tmp_path / dtype)
        for name, array in arrays.items():
            wanted = torch.tensor(array).to(kind).float().numpy() if array.ndim > 1 else array
            assert checkpoint[name].tobytes() == wanted.tobytes()


def test_int8_is_within_half_a_step_of_each_row(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    arrays["text.tokens.weight"][3] = 0
    write(tmp_path, CONTRACT, arrays, "int8")
    checkpoint = read(tmp_path)
    for name, array in arrays.items():
        if array.ndim < 2:
            assert checkpoint[name].tobytes() == array.tobytes()
            continue
        raw, rows = checkpoint.raw(name), array.reshape(len(array), -1)
        step = np.abs(rows).max(axis=1, keepdims=True) / 127
        assert raw.dtype == np.int8
        assert raw.min() >= -127
        assert (np.abs(checkpoint[name].reshape(rows.shape) - rows) <= step / 2 + 1e-7).all()
    assert (checkpoint["text.tokens.weight"][3] == 0).all()


def test_exact_tensors_stay_in_float16(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    write(tmp_path, CONTRACT, arrays, "int8", exact={"image.patch.weight"})
    checkpoint = read(tmp_path)
    assert checkpoint.stored("image.patch.weight").dtype == "F16"
    assert checkpoint.stored("text.tokens.weight").dtype == "I8"
    assert (checkpoint["image.patch.weight"] == arrays["image.patch.weight"].astype(np.float16)).all()
    with pytest.raises(WeightsError, match=r"image\.patches"):
        write(tmp_path, CONTRACT, arrays, "int8", exact={"image.patches"})


def test_what_does_not_fit_is_one_error(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    del arrays["logit_scale"]
    arrays["surplus"] = np.zeros(3, np.float32)
    arrays["image.class_token"] = np.zeros(9, np.float32)
    with pytest.raises(WeightsError) as caught:
        write(tmp_path, CONTRACT, arrays)
    message = str(caught.value)
    assert "missing logit_scale; unknown surplus; image.class_token has shape (9,), not (8,)" in message
    assert not list(tmp_path.iterdir())


def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    write(tmp_path, CONTRACT, arrays)
    path = tmp_path / WEIGHTS_NAME
    for change, reason in (
        ({"surplus": np.zeros(3, np.float32)}, "unknown surplus"),
        ({"image.class_token": np.zeros(9, np.float32)}, "image.class_token has shape"),
        ({"image.class_token": np.zeros(8, np.float64)}, "F64"),
        ({"image.class_token": np.zeros(8, np.int8)}, "missing image.class_token.scale"),
        ({"logit_scale": np.zeros((), np.int8)}, "I8"),
        ({"text.positions.scale": np.zeros(6, np.float32)}, "unknown text.positions.scale"),
        (
            {"text.positions": np.zeros((6, 8), np.int8), "text.positions.scale": np.zeros(6, np.float16)},
            "must be F32",
        ),
    ):
        safetensors.numpy.save_file(arrays | change, path)
        with pytest.raises(WeightsError, match=reason):
            read(tmp_path)


def test_numbers_that_cannot_be_stored_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    arrays["image.positions"][0, 0] = 70_000
    with pytest.raises(WeightsError, match=r"image\.positions.*float16"):
        write(tmp_path, CONTRACT, arrays, "float16")
    arrays["image.positions"][0, 0] = np.nan
    with pytest.raises(WeightsError, match=r"image\.positions.*finite"):
        write(tmp_path, CONTRACT, arrays)
    assert not list(tmp_path.iterdir())


def test_verify_finds_a_changed_byte_and_numbers_not_finite(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    write(tmp_path, CONTRACT, arrays)
    content = bytearray((tmp_path / WEIGHTS_NAME).read_bytes())
    content[-5] ^= 1
    (tmp_path / WEIGHTS_NAME).write_bytes(content)
    with pytest.raises(WeightsError, match="sha256"):
        read(tmp_path).verify()
    content[-4:] = np.float32(np.inf).tobytes()
    (tmp_path / WEIGHTS_NAME).write_bytes(content)
    weights = Weights(WEIGHTS_NAME, hashlib.sha256(content).hexdigest(), "float32")
    (tmp_path / FILE_NAME).write_text(CONTRACT.replace(weights=weights).to_json())
    with pytest.raises(WeightsError, match="finite"):
        read(tmp_path).verify()


def test_folders_without_a_model_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(ContractError):
        read(tmp_path)
    (tmp_path / FILE_NAME).write_text(CONTRACT.to_json())
    with pytest.raises(WeightsError, match="names no weight file"):
        read(tmp_path)
    write(tmp_path, CONTRACT, arrays)
    (tmp_path / WEIGHTS_NAME).unlink()
    with pytest.raises(WeightsError, match=WEIGHTS_NAME):
        read(tmp_path)


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsError, match="cannot be written"):
        write(tmp_path / "file" / "model", CONTRACT, arrays)


def test_a_tensor_whose_own_name_ends_as_a_scales_may_be_in_half_precision(tmp_path: Path) -> None:
    """ConvNeXt's blocks have a `scale`, which published files keep in float16."""
    tower = ConvNeXt((1, 1, 1, 1), (8, 8, 8, 8))
    contract = CONTRACT.replace(image=Image(tower, (32, 32), (0.5,) * 3, (0.5,) * 3))
    half = {name: StoredTensor("F16", np.zeros(shape, np.float16)) for name, shape in expected(contract).items()}
    write_stored(tmp_path, contract, half, "float16")
    assert read(tmp_path).stored("image.stages.0.blocks.0.scale").dtype == "F16"


def test_a_failure_midway_leaves_the_model_as_it_was(
    tmp_path: Path, arrays: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, CONTRACT, arrays)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("contralto.weights.native.digest", full)
    with pytest.raises(WeightsError, match="No space left"):
        write(tmp_path, CONTRACT, {name: array + 1 for name, array in arrays.items()})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_killed_writer_leaves_no_half_file(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    """The process dies, as by kill -9, right before the rename."""
    write(tmp_path / "model", CONTRACT, arrays)
    before = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    program = (
        "import os, sys\n"
        "from contralto.weights.native import read, write\n"
        "checkpoint = read(sys.argv[1])\n"
        "os.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "write(sys.argv[1], checkpoint.contract, {name: checkpoint[name] + 1 for name in checkpoint})\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "model")], check=False, timeout=60)
    assert done.returncode == -9
    after = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    assert {name: after[name] for name in before} == before
    read(tmp_path / "model").verify()


def test_the_shape_of_a_resnets_positions_follows_its_pictures() -> None:
    image = Image(ResNet((1, 1, 1, 1), 8, 4), (64, 96), (0.5,) * 3, (0.5,) * 3)
    assert expected(CONTRACT.replace(image=image))["image.pool.positions"] == (1 + 2 * 3, 256)
