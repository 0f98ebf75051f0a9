"""Every container that PyTorch, safetensors and transformers write, read without these packages."""

from __future__ import annotations

import argparse
import json
import math
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from contralto.errors import WeightsError
from contralto.weights.checkpoint import StoredTensor
from contralto.weights.container import Container, read

NUMPY_DTYPES = {
    torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


def bits(tensor: torch.Tensor) -> tuple[str, tuple[int, ...], bytes]:
    """dtype, shape and bytes in row-major order."""
    flat = tensor.detach().contiguous().reshape(-1)
    return (
        NUMPY_DTYPES[tensor.dtype],
        tuple(tensor.shape),
        flat.view(torch.uint8).numpy().tobytes() if len(flat) else b"",
    )


def ours(stored: StoredTensor) -> tuple[str, tuple[int, ...], bytes]:
    return stored.dtype, stored.shape, stored.array.tobytes()


def same(container: Container, tensors: dict[str, torch.Tensor]) -> bool:
    return {name: ours(one) for name, one in container.tensors.items()} == {n: bits(t) for n, t in tensors.items()}


def mixed() -> dict[str, torch.Tensor]:
    """Tensors of every dtype, and with every unusual offset and strides in their storage."""
    random = torch.Generator().manual_seed(0)
    base = torch.randn(6, 8, generator=random)
    tensors = {f"of.{name}": (base * 20).to(dtype) for dtype, name in NUMPY_DTYPES.items()}
    return tensors | {
        "scalar": torch.tensor(2.6593),
        "none": torch.zeros(0, 4),
        "whole": base,
        "transposed": base.t(),
        "rows": base[2:4],
        "columns": base[:, 3:5],
        "every second": base[::2, 1::3],
        "last": base[5, 7],
        "one of each": base[:1, None],
        "half": base.half().t(),
        "parameter": nn.Parameter(base[1] + 1),
        "a\nname": base[0],
    }


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.linear = nn.Linear(8, 8).half()
        self.register_buffer("running", torch.randn(8))
        self.names, self.sizes, self.none = ["a", "b"], [1, 2], None

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.norm(rows) + self.linear(rows.half()).float() + self.running


class Small(nn.Module):
    """A model like OpenAI's archives: parts in fp16, buffers, sizes as numbers and as tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = nn.Sequential(Block(), nn.Sequential(Block(), nn.Identity()))
        self.conv1 = nn.Conv2d(3, 4, 2, bias=False).half()
        self.logit_scale = nn.Parameter(torch.tensor(4.6052))
        self.text_projection = nn.Parameter(torch.randn(8, 4).half().t())
        self.vocab_size = 49408
        self.register_buffer("input_resolution", torch.tensor(224))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.visual(rows) * self.logit_scale.exp()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_torch_save_writes(tmp_path: Path, zipped: bool, protocol: int) -> None:
    path, tensors = tmp_path / "x.bin", mixed()
    torch.save(tensors, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    container = read(path)
    assert same(container, tensors)
    assert (container.kind, container.files, container.metadata) == ("torch", (path,), {})
    assert list(container.tensors) == list(tensors)


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_are_read_only_views_and_share_what_they_shared(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "x.pt"
    torch.save(mixed(), path, _use_new_zipfile_serialization=zipped)
    arrays = {name: stored.array for name, stored in read(path).tensors.items()}
    assert not any(array.flags.writeable for array in arrays.values() if array.size)
    assert np.shares_memory(arrays["whole"], arrays["rows"])
    assert np.shares_memory(arrays["whole"], arrays["transposed"])
    assert not np.shares_memory(arrays["whole"], arrays["of.F32"] if "of.F32" in arrays else arrays["half"])


@pytest.mark.parametrize("made", ["scripted", "traced"])
def test_a_torchscript_archive_gives_its_state_dict(tmp_path: Path, made: str) -> None:
    torch.manual_seed(0)
    path, model = tmp_path / "x.pt", Small().eval()
    script = _quietly(made, model)
    script.save(str(path))
    container = read(path)
    assert container.kind == "torchscript"
    assert same(container, dict(script.state_dict()))
    assert set(container.tensors) == set(model.state_dict())
    assert container.tensors["visual.1.0.linear.weight"].dtype == "F16"


@pytest.mark.filterwarnings("ignore")  # torch.jit is deprecated, but the published archives need it
def _quietly(made: str, model: nn.Module) -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(model) if made == "scripted" else torch.jit.trace(model, torch.randn(2, 8))


def test_a_plain_attribute_of_a_scripted_module_is_read_as_well(tmp_path: Path) -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2)
            self.attn_mask = torch.full((3, 3), -math.inf).triu(1)

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return self.linear(rows) + self.attn_mask[0, 0]

    path, model = tmp_path / "x.pt", Masked()
    _quietly("scripted", model).save(str(path))
    assert same(read(path), model.state_dict() | {"attn_mask": model.attn_mask})


def test_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "x"
    tensors = {name: tensor.detach().clone().contiguous() for name, tensor in mixed().items()}
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})
    container = read(path)
    assert same(container, tensors)
    assert (container.kind, container.metadata) == ("safetensors", {"format": "pt"})


def test_no_name_decides_what_a_file_is(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(3)}
    torch.save(tensors, tmp_path / "x.safetensors")
    safetensors.torch.save_file(tensors, tmp_path / "x.pt")
    assert read(tmp_path / "x.safetensors").kind == "torch"
    assert read(tmp_path / "x.pt").kind == "safetensors"


def training() -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """A checkpoint of open_clip's training after one step, with further entries that users add."""
    model = Small()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    model.visual(torch.randn(2, 8)).sum().backward()
    optimiser.step()
    checkpoint = {
        "epoch": 3, "name": "run", "state_dict": {f"module.{n}": t for n, t in model.state_dict().items()},
        "optimizer": optimiser.state_dict(), "scaler": {"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 3},
        "args": argparse.Namespace(lr=1e-3, out=Path("x"), device=torch.device("cpu"), seen={1, 2}, precision="amp"),
        "best": np.float64(0.5), "counts": defaultdict(list, a=[np.int64(1)]), "dtype": torch.float16, "none": None,
        "shape": torch.Size([1, 2]),
    }  # fmt: skip
    return checkpoint, model.state_dict()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_training_checkpoint_gives_its_weights(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "epoch_3.pt"
    checkpoint, weights = training()
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    container = read(path)
    assert same(container, weights)
    assert container.metadata == {"chosen": "state_dict"}


STATE, OTHER = {"a": torch.ones(1)}, {"a": torch.zeros(1)}
NESTED = {
    "plain before averaged": ({"state_dict_ema": OTHER, "state_dict": STATE}, "state_dict", "state_dict_ema"),
    "averaged alone": ({"epoch": 1, "model_ema": STATE}, "model_ema", None),
    "deepspeed": ({"module": STATE, "dp_world_size": 8}, "module", None),
    "twice": ({"model": {"state_dict": STATE, "ema": OTHER}}, "model.state_dict", "ema"),
    "beside a tensor": ({"metric": torch.ones(1), "state_dict": STATE}, "state_dict", None),
}


@pytest.mark.parametrize("case", NESTED)
def test_what_was_taken_is_said(tmp_path: Path, case: str) -> None:
    value, taken, passed = NESTED[case]
    torch.save(value, tmp_path / "x.pt")
    container = read(tmp_path / "x.pt")
    assert same(container, STATE)
    assert container.metadata == {"chosen": taken} | ({"not chosen": passed} if passed else {})


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_prefixes_that_all_names_have_are_taken_off(tmp_path: Path, prefix: str, kind: str) -> None:
    tensors = {"a.weight": torch.ones(2), "module.b": torch.zeros(2)}
    save = torch.save if kind == "torch" else safetensors.torch.save_file
    save({prefix + name: tensor for name, tensor in tensors.items()}, tmp_path / "x")
    assert same(read(tmp_path / "x"), tensors)


def test_a_prefix_that_some_names_lack_stays(tmp_path: Path) -> None:
    tensors = {"module.a": torch.ones(2), "b": torch.zeros(2)}
    torch.save(tensors, tmp_path / "x.pt")
    assert same(read(tmp_path / "x.pt"), tensors)


def test_the_metadata_of_a_state_dict_are_no_tensor(tmp_path: Path) -> None:
    state = nn.Linear(2, 2).state_dict()
    assert state._metadata
    torch.save(state, tmp_path / "attribute.pt")
    torch.save(OrderedDict(state, _metadata={"version": 1}), tmp_path / "entry.pt")
    assert same(read(tmp_path / "attribute.pt"), state)
    assert same(read(tmp_path / "entry.pt"), state)


@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_shards(tmp_path: Path, kind: str) -> None:
    tensors = mixed() if kind == "torch" else {n: t.detach().clone().contiguous() for n, t in mixed().items()}
    suffix, save = (".bin", torch.save) if kind == "torch" else (".safetensors", safetensors.torch.save_file)
    files = [f"model-{n + 1:05}-of-00003{suffix}" for n in range(3)]
    names = {name: files[n % 3] for n, name in enumerate(tensors)}
    for file in files:
        save({name: tensors[name] for name in tensors if names[name] == file}, tmp_path / file)
    path = tmp_path / f"model{suffix}.index.json"
    path.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": names}))
    container = read(path)
    assert same(container, tensors)
    assert list(container.tensors) == list(tensors)
    assert container.files == (path, *(tmp_path / file for file in files))
    assert container.kind == kind


def test_shards_may_be_links_as_in_the_cache_of_the_hub(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    safetensors.torch.save_file(STATE, tmp_path / "blobs" / "c0ffee")
    (tmp_path / "snapshot" / "1.safetensors").symlink_to("../blobs/c0ffee")
    (tmp_path / "snapshot" / "x.index.json").write_text(json.dumps({"weight_map": {"a": "1.safetensors"}}))
    assert same(read(tmp_path / "snapshot" / "x.index.json"), STATE)


@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_a_file_of_more_than_4_gib_takes_no_memory(tmp_path: Path, kind: str) -> None:
    """A sparse file: 5 GiB of zeros, of which only the last three bytes are on disk."""
    path, size = tmp_path / "x", 5 * 2**30
    if kind == "safetensors":
        text = json.dumps({"big": {"dtype": "I8", "shape": [size], "data_offsets": [0, size]}}).encode()
        before = len(text).to_bytes(8, "little") + text
    else:
        torch.save({"big": torch.zeros(77, dtype=torch.int8)}, path, _use_new_zipfile_serialization=False)
        before = path.read_bytes()[:-85].replace(b"K\x4d", b"\x8a\x08" + size.to_bytes(8, "little"))
        before += size.to_bytes(8, "little")
    with open(path, "wb") as file:
        file.write(before)
        file.seek(size - 3, 1)
        file.write(b"\1\2\3")
    container = read(path)
    assert container.tensors["big"].shape == (size,)
    assert container.tensors["big"].array[-4:].tolist() == [0, 1, 2, 3]


def test_a_state_dict_holds_tensors_only(tmp_path: Path) -> None:
    for odd, kind in ((3, "int"), (Path("x"), "object"), ([1], "list"), (None, "nonetype")):
        torch.save({"state_dict": {"a": torch.ones(1), "b\n": odd}}, tmp_path / "x.pt")
        with pytest.raises(WeightsError, match=rf"x\.pt: 'b\\\\n' in its state dict is of type {kind}"):
            read(tmp_path / "x.pt")
