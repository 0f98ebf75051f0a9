"""OpenAI's archives and LongCLIP's files, made by support/torch_peer.py, against our towers."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from support import torch_peer as peer  # noqa: E402

from contralto.contract import preset  # noqa: E402
from contralto.encoder.torch_model import module  # noqa: E402
from contralto.errors import ContraltoError, WeightsError  # noqa: E402
from contralto.weights import fingerprint, from_path, openai  # noqa: E402
from contralto.weights.checkpoint import Checkpoint  # noqa: E402
from contralto.weights.choices import Choices  # noqa: E402

END = 49407


def archive(model: torch.nn.Module, path: Path, size: int) -> None:
    """A TorchScript archive with the constants of OpenAI's archives."""
    for name, number in (("input_resolution", size), ("context_length", 12), ("vocab_size", 49408)):
        model.register_buffer(name, torch.tensor(number))
    inputs = {"encode_image": torch.zeros(1, 3, size, size), "encode_text": torch.zeros(1, 12, dtype=torch.long)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace_module(model, inputs, check_trace=False), str(path))


def inputs(size: int, context: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    ids = torch.randint(1, END, (3, context), generator=generator)
    ids[0, 3], ids[0, 4:], ids[1, -1], ids[2, 5] = END, 0, END, END
    return torch.randn(2, 3, size, size, generator=generator), ids


def assert_same_embeddings(model: peer.CLIP, checkpoint: Checkpoint) -> None:
    ours = module(checkpoint)
    pixels, ids = inputs(checkpoint.contract.image.size[0], checkpoint.contract.text.context)
    with torch.no_grad():
        for mine, theirs in (
            (ours.encode_image(pixels), model.encode_image(pixels)),
            (ours.encode_text(ids), model.encode_text(ids)),
        ):
            assert theirs.std() > 0.01
            assert (mine - theirs).abs().max() < 2e-6 * theirs.abs().max()


@pytest.mark.parametrize(("visual", "size"), [(peer.Vision, 32), (peer.ResNet, 64)])
def test_an_archive_settles_everything(visual: type, size: int, tmp_path: Path) -> None:
    model = peer.CLIP(visual(size=size))
    archive(model, tmp_path / "model.pt", size)
    checkpoint = from_path.read(tmp_path / "model.pt")
    contract = checkpoint.contract
    assert (contract.name, contract.licence, contract.provenance.source) == ("model", None, None)
    assert "implied by the format: quickgelu" in (contract.provenance.converted_from or "")
    assert (contract.image.size, contract.embedding, contract.text.context) == ((size, size), 32, 12)
    assert (contract.image.resize, contract.image.interpolation) == ("shortest", "bicubic")
    assert contract.text.tower.activation == "quickgelu"
    assert contract.score.scale == 100.0
    assert contract.weights is not None
    assert contract.weights.sha256 == fingerprint.digest([tmp_path / "model.pt"])
    assert_same_embeddings(model, checkpoint)


def test_a_state_dict_with_the_archives_constants_is_openais(tmp_path: Path) -> None:
    model = peer.CLIP(peer.Vision())
    state = model.state_dict() | {"input_resolution": torch.tensor(32), "context_length": torch.tensor(12),
                                  "vocab_size": torch.tensor(49408)}  # fmt: skip
    torch.save(state, tmp_path / "model.pt")
    assert_same_embeddings(model, from_path.read(tmp_path / "model.pt"))


def test_half_precision_stays_as_it_is(tmp_path: Path) -> None:
    """OpenAI's mixture: matrices in float16; norms, positions and tables in float32."""
    model = peer.CLIP(peer.Vision())
    kept = ("ln_", "embedding", "logit_scale")
    state = {name: value if any(part in name for part in kept) else value.half()
             for name, value in model.state_dict().items()}  # fmt: skip
    state |= {name: torch.tensor(1) for name in ("input_resolution", "context_length", "vocab_size")}
    torch.save(state, tmp_path / "model.pt")
    checkpoint = from_path.read(tmp_path / "model.pt")
    assert checkpoint.stored("image.head.linear.weight").dtype == "F16"
    assert checkpoint.stored("image.norm_pre.weight").dtype == "F32"
    third = state["transformer.resblocks.1.attn.in_proj_weight"].chunk(3)[1].numpy()
    assert checkpoint.raw("text.blocks.1.attention.k.weight").tobytes() == third.tobytes()


def test_the_published_nine_are_known_by_their_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "anything.pt"
    archive(peer.CLIP(peer.Vision()), path, 32)
    monkeypatch.setitem(openai.PUBLISHED, fingerprint.digest([path]), "ViT-B-32")
    contract = openai.read(path).contract
    assert (contract.name, contract.licence, contract.provenance.source) == ("ViT-B-32/openai", "MIT", "OpenAI")


def test_nine_are_published_and_each_is_a_preset_of_64_wide_heads() -> None:
    assert len(set(openai.PUBLISHED.values())) == 9
    assert all(len(digest) == 64 and int(digest, 16) for digest in openai.PUBLISHED)
    for name in openai.PUBLISHED.values():
        contract = preset(name)
        assert contract.text.tower.width == 64 * contract.text.tower.heads
        assert (contract.image.mean, contract.image.std) == (openai.MEAN, openai.STD)


def test_longclips_two_tables_become_one(tmp_path: Path) -> None:
    """Rows below 20 are from the first table, the others from the second, as the masks in LongCLIP's code state."""
    model = peer.CLIP(peer.Vision(), context=30)
    state = model.state_dict()
    table = state["positional_embedding"]
    other = torch.randn(table.shape)
    below = (torch.arange(30) < 20)[:, None]
    state["positional_embedding"] = torch.where(below, table, other)
    state["positional_embedding_res"] = torch.where(below, other, table)
    torch.save(state, tmp_path / "longclip.pt")
    checkpoint = from_path.read(tmp_path / "longclip.pt")
    assert checkpoint.array("text.positions").tobytes() == table.numpy().tobytes()
    assert "LongCLIP's state dict" in (checkpoint.contract.provenance.converted_from or "")
    model.positional_embedding.data = table
    assert_same_embeddings(model, checkpoint)


def test_longclips_tables_must_match(tmp_path: Path) -> None:
    state = peer.CLIP(peer.Vision()).state_dict()
    torch.save(state | {"positional_embedding_res": torch.zeros(13, 64)}, tmp_path / "longclip.pt")
    with pytest.raises(WeightsError, match="two tables of one shape"):
        from_path.read(tmp_path / "longclip.pt")


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        (Choices(activation="gelu"), "states activation 'quickgelu', but activation='gelu' was given"),
        (Choices(architecture="ViT-B-32"), "but architecture='ViT-B-32' was given"),
    ],
)
def test_a_choice_that_contradicts_the_archive_is_an_error(choices: Choices, told: str, tmp_path: Path) -> None:
    archive(peer.CLIP(peer.Vision()), tmp_path / "model.pt", 32)
    with pytest.raises(ContraltoError, match=told):
        from_path.read(tmp_path / "model.pt", choices)
    assert from_path.read(tmp_path / "model.pt", Choices(activation="quickgelu"))


CONSTANTS = {name: torch.tensor(1) for name in ("input_resolution", "context_length", "vocab_size")}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: state.pop("ln_final.bias"), "missing ln_final.bias"),
        (lambda state: state.update(extra=torch.zeros(2)), "unknown extra"),
        (lambda state: state.update({"visual.proj": torch.zeros(3, 3)}), r"visual.proj has shape \(3, 3\)"),
        (lambda state: state.pop("token_embedding.weight"), "it has no token_embedding.weight"),
        (lambda state: state.update({"visual.conv1.weight": torch.zeros(3)}), "should have 4 dimensions"),
        (lambda state: state.update({"visual.positional_embedding": torch.zeros(16, 128)}), "one and a square grid"),
        (lambda state: state.pop("logit_scale"), "it has no logit_scale"),
        (lambda state: state.update({"text_projection": torch.zeros(64, 0)}), "must be positive"),
        (lambda state: state.update({"ln_final.weight": torch.zeros(64, dtype=torch.int64)}), "is no weight"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_in_one_line(change, told: str, tmp_path: Path) -> None:
    state = dict(peer.CLIP(peer.Vision()).state_dict()) | CONSTANTS
    change(state)
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(ContraltoError, match=told) as caught:
        from_path.read(tmp_path / "model.pt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("log", "scale"), [(math.log(100), 100.0), (math.log(100) + 1e-3, None), (2.6592, None)])
def test_the_scale_is_that_of_the_weights_and_round_only_if_rounding_made_the_difference(log: float, scale) -> None:
    stored = openai.StoredTensor("F32", np.array(log, np.float32))
    factor = openai.scale({"logit_scale": stored}, "here")
    assert factor == (scale or math.exp(float(np.float32(log))))
