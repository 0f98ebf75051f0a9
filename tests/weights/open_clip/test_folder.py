"""open_clip's folders and state dicts, made by support/torch_peer.py: read, compared and written back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

torch = pytest.importorskip("torch")

from support import torch_peer as peer  # noqa: E402
from support.open_clip_folder import CONFIG, folder_of  # noqa: E402
from tokenizers import Tokenizer as Tokens  # noqa: E402
from tokenizers import models, pre_tokenizers, processors  # noqa: E402

from contralto.contract import Contract, Score, TokenizerSpec, preset  # noqa: E402
from contralto.encoder.torch_model import module  # noqa: E402
from contralto.errors import ContraltoError, WeightsError  # noqa: E402
from contralto.text.tokenizer import load  # noqa: E402
from contralto.weights import container, native, open_clip  # noqa: E402
from contralto.weights.checkpoint import Checkpoint  # noqa: E402
from contralto.weights.choices import Choices  # noqa: E402
from contralto.weights.layouts import open_clip as layout  # noqa: E402
from contralto.weights.layouts.conversion import foreign_shapes  # noqa: E402
from contralto.weights.names import expected  # noqa: E402
from contralto.weights.open_clip import folder as open_clip_folder  # noqa: E402

END = 49407


@pytest.fixture(scope="module")
def model() -> peer.CLIP:
    return peer.CLIP(peer.Vision(activation="gelu"), activation="gelu")


def embeddings(model: Any, size: int = 32, context: int = 12) -> tuple[np.ndarray, np.ndarray]:
    generator = torch.Generator().manual_seed(7)
    ids = torch.randint(1, END, (3, context), generator=generator)
    ids[0, 3], ids[0, 4:], ids[1, -1], ids[2, 5] = END, 0, END, END
    pixels = torch.randn(2, 3, size, size, generator=generator)
    with torch.no_grad():
        return model.encode_image(pixels).numpy(), model.encode_text(ids).numpy()


def assert_same(ours: Checkpoint, theirs: peer.CLIP, size: int = 32) -> None:
    for mine, wanted in zip(embeddings(module(ours), size), embeddings(theirs, size), strict=True):
        assert np.abs(wanted).max() > 0.1
        assert np.abs(mine - wanted).max() < 2e-6 * np.abs(wanted).max()


def bits(checkpoint: Checkpoint) -> dict[str, tuple[str, bytes]]:
    return {name: (checkpoint.stored(name).dtype, checkpoint.raw(name).tobytes()) for name in checkpoint}


def nested(state: dict[str, Any]) -> dict[str, Any]:
    top = ("text_projection", "positional_embedding", "token_embedding", "transformer", "ln_final")
    return {f"text.{name}" if name.startswith(top) else name: value for name, value in state.items()}


def test_a_folder_is_read_by_its_configuration(model: peer.CLIP, tmp_path: Path) -> None:
    checkpoint = open_clip.read(folder_of(model, tmp_path / "small"))
    image = checkpoint.contract.image
    assert checkpoint.contract.name == "small"
    assert (image.mean, image.std, image.resize) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "squash")
    assert checkpoint.contract.score == Score("softmax", 100.0, None)
    assert_same(checkpoint, model)


@pytest.mark.parametrize(
    "spelt",
    [
        nested,
        lambda state: {f"module.{name}": value for name, value in state.items()},
        lambda state: {"epoch": 3, "name": "x", "state_dict": {f"module.{name}": v for name, v in state.items()}},
        lambda state: state | {"logit_scale": state["logit_scale"][None]},
        lambda state: state | {"attn_mask": torch.zeros(12, 12), "text.position_ids": torch.arange(12)},
        lambda state: nested(state) | {"text.attn_mask": torch.zeros(12, 12)},
    ],
    ids=["text.", "module.", "state_dict", "a scale of one element", "masks", "a nested mask"],
)
def test_every_spelling_of_the_keys_is_the_same_model(spelt: Any, model: peer.CLIP, tmp_path: Path) -> None:
    plain = open_clip.read(folder_of(model, tmp_path / "plain"))
    other = open_clip.read(folder_of(model, tmp_path / "other", spelt(dict(model.state_dict()))))
    assert bits(other) == bits(plain)


def test_a_resnet_folder(tmp_path: Path) -> None:
    theirs = peer.CLIP(peer.ResNet(size=64), activation="gelu")
    vision = {"image_size": 64, "layers": [1, 2, 1, 1], "width": 8, "patch_size": None}
    checkpoint = open_clip.read(folder_of(theirs, tmp_path, vision_cfg=vision))
    assert_same(checkpoint, theirs, 64)
    open_clip.write(tmp_path / "written", checkpoint)
    assert bits(open_clip.read(tmp_path / "written")) == bits(checkpoint)


def test_mean_pooling_without_mask_reads_as_it_computes(tmp_path: Path) -> None:
    theirs = peer.CLIP(peer.Vision(activation="gelu", mean=True), activation="gelu", causal=False)
    vision = CONFIG["model_cfg"]["vision_cfg"] | {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True}
    text = CONFIG["model_cfg"]["text_cfg"] | {"pool_type": "last", "no_causal_mask": True}
    assert_same(open_clip.read(folder_of(theirs, tmp_path, vision_cfg=vision, text_cfg=text)), theirs)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_a_round_trip_is_bit_for_bit_in_every_dtype(kind: torch.dtype, model: peer.CLIP, tmp_path: Path) -> None:
    state = {name: value if "ln_" in name else value.to(kind) for name, value in model.state_dict().items()}
    read = open_clip.read(folder_of(model, tmp_path / "theirs", state, quick_gelu=True))
    open_clip.write(tmp_path / "ours", read)
    back = open_clip.read(tmp_path / "ours")
    assert bits(back) == bits(read)
    assert back.stored("image.head.linear.weight").dtype == {torch.float16: "F16", torch.bfloat16: "BF16"}[kind]
    assert back.stored("image.norm_pre.weight").dtype == "F32"
    stated = read.contract
    assert back.contract.replace(weights=stated.weights, provenance=stated.provenance) == stated
    theirs = container.read(tmp_path / "theirs" / "open_clip_pytorch_model.bin").tensors
    ours = container.read(tmp_path / "ours" / "open_clip_model.safetensors").tensors
    assert {name: (one.dtype, one.array.tobytes()) for name, one in ours.items()} == {
        name: (one.dtype, one.array.tobytes()) for name, one in theirs.items()
    }


def test_what_issues_771_915_and_1068_lost_is_written(model: peer.CLIP, tmp_path: Path) -> None:
    open_clip.write(tmp_path / "ours", open_clip.read(folder_of(model, tmp_path / "theirs", quick_gelu=True)))
    stated = json.loads((tmp_path / "ours" / "open_clip_config.json").read_text())
    assert stated["model_cfg"]["quick_gelu"] is True
    assert stated["preprocess_cfg"] == {"size": [32, 32], "mode": "RGB"} | CONFIG["preprocess_cfg"]


def test_embeddings_are_the_same_from_open_clip_to_native_and_back(model: peer.CLIP, tmp_path: Path) -> None:
    first = open_clip.read(folder_of(model, tmp_path / "theirs"))
    assert first.contract.weights is not None
    native.write_stored(tmp_path / "native", first.contract, first.tensors, first.contract.weights.dtype)
    open_clip.write(tmp_path / "ours", native.read(tmp_path / "native"))
    last = open_clip.read(tmp_path / "ours")
    assert bits(last) == bits(first)
    for before, after in zip(embeddings(module(first)), embeddings(module(last)), strict=True):
        assert before.tobytes() == after.tobytes()


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "dog"]


def siglip_like() -> Contract:
    """A small model like SigLIP except for the image tower, with its own tokenizer."""
    base = preset("ViT-L-14-CLIPA")
    tower = dataclasses.replace(base.text.tower, vocabulary=6, width=16, layers=1, heads=2, mlp=20)
    picture = dataclasses.replace(base.image.tower, width=16, layers=1, heads=2, mlp=24, patch=8)
    return base.replace(
        name="owner/small",
        image=dataclasses.replace(base.image, tower=picture, size=(16, 24)),
        text=dataclasses.replace(
            base.text, tower=tower, tokenizer=TokenizerSpec("wordpiece", "", "vocab.txt"), context=5
        ),
        embedding=8,
        score=Score("sigmoid", 10.0, -9.5),
        licence="Apache-2.0",
    )


def checkpoint_in(folder: Path, contract: Contract) -> Checkpoint:
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    random = np.random.default_rng(3)
    arrays = {name: random.standard_normal(shape, np.float32) for name, shape in expected(contract).items()}
    arrays |= {"logit_scale": np.array(np.log(10), np.float32), "logit_bias": np.array(-9.5, np.float32)}
    sha256 = hashlib.sha256((folder / "vocab.txt").read_bytes()).hexdigest()
    text = dataclasses.replace(contract.text, tokenizer=dataclasses.replace(contract.text.tokenizer, sha256=sha256))
    native.write(folder, contract.replace(text=text), arrays)
    return native.read(folder)


def test_tokenizer_bias_name_and_licence_survive_the_round_trip(tmp_path: Path) -> None:
    source = checkpoint_in(tmp_path / "native", siglip_like())
    open_clip.write(tmp_path / "ours", source)
    back = open_clip.read(tmp_path / "ours")
    assert bits(back) == bits(source)
    stated = source.contract
    assert back.contract.replace(weights=stated.weights, provenance=stated.provenance) == stated
    ids = load(back.contract.text, back.folder).tokenize("a dog")
    assert ids.tolist() == [[2, 4, 5, 0, 0]]


def test_a_tokenizer_json_brings_its_padding_along(tmp_path: Path) -> None:
    """A native folder has only this file; open_clip also needs the name of the pad token."""
    tokenizer = Tokens(models.WordLevel({"<pad>": 0, "</s>": 1, "a": 2, "dog": 3}, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["<pad>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    base = siglip_like()
    sha256 = hashlib.sha256((tmp_path / "tokenizer.json").read_bytes()).hexdigest()
    stated = TokenizerSpec("tokenizers", sha256, "tokenizer.json")
    text = dataclasses.replace(base.text, tokenizer=stated, frame="end", pad=1)
    source = checkpoint_in(tmp_path / "native", base)
    shutil.copy(tmp_path / "tokenizer.json", source.folder)
    open_clip.write(tmp_path / "ours", source.replace(source.contract.replace(text=text)))
    back = open_clip.read(tmp_path / "ours").contract.text
    assert back == text
    assert load(back, tmp_path / "ours").tokenize("a dog").tolist() == [[2, 3, 1, 1, 1]]


def test_what_open_clip_has_no_field_for_is_not_written(model: peer.CLIP, tmp_path: Path) -> None:
    read = open_clip.read(folder_of(model, tmp_path / "theirs"))
    text = dataclasses.replace(read.contract.text, frame="end")
    with pytest.raises(ContraltoError, match=r"cannot be written for open_clip, which has no field for text\.frame"):
        open_clip.write(tmp_path / "ours", read.replace(read.contract.replace(text=text)))
    assert not (tmp_path / "ours" / "open_clip_config.json").exists()


def test_padding_that_no_embedding_can_tell_survives(model: peer.CLIP, tmp_path: Path) -> None:
    read = open_clip.read(folder_of(model, tmp_path / "theirs"))
    text = dataclasses.replace(read.contract.text, pad=END)
    open_clip.write(tmp_path / "ours", read.replace(read.contract.replace(text=text)))
    assert open_clip.read(tmp_path / "ours").contract.text == text


def test_int8_weights_are_not_written(tmp_path: Path) -> None:
    source = checkpoint_in(tmp_path / "native", siglip_like())
    native.write(tmp_path / "native", source.contract, {name: source[name] for name in source}, "int8")
    with pytest.raises(WeightsError, match="stored as I8"):
        open_clip.write(tmp_path / "ours", native.read(tmp_path / "native"))


@pytest.fixture
def base_file(tmp_path: Path) -> Path:
    """A state dict with ViT-B-32's sizes: a sparse file of zeros."""
    contract = preset("ViT-B-32")
    shapes = foreign_shapes(layout.parts(contract, layout.written(contract)), expected(contract))
    path = tmp_path / "weights.safetensors"
    safetensors.numpy.save_file({name: np.zeros(shape, np.float16) for name, shape in shapes.items()}, path)
    return path


BOTH = r"activation='gelu' or 'quickgelu' \(--activation gelu\|quickgelu\)"


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        (Choices(), rf"the architecture and the activation\. Give architecture='ViT-B-32' .* and {BOTH}"),
        (Choices(activation="gelu"), r"leaves open: the architecture\. Give architecture='ViT-B-32'"),
        (Choices("ViT-B-32"), rf"weights\.safetensors leaves open: the activation\. Give {BOTH}"),
        (Choices("ViT-B-32-quickgelu", "gelu"), "states activation 'quickgelu', but activation='gelu' was given"),
        (Choices("ViT-B-16", "gelu"), "do not fit the contract"),
        (Choices("ViT-Z", "gelu"), "no preset is called 'ViT-Z'"),
        (Choices("ViT-g-14-quickgelu"), "-quickgelu goes with RN50"),
        (Choices("ViT-g-14", "quickgelu"), "states activation 'gelu', but activation='quickgelu' was given"),
    ],
)
def test_a_state_dict_alone_asks_for_what_it_leaves_open(choices: Choices, told: str, base_file: Path) -> None:
    with pytest.raises(ContraltoError, match=told) as caught:
        open_clip.read(base_file, choices)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("choices", "activation"),
    [(Choices("ViT-B-32", "gelu"), "gelu"), (Choices("ViT-B-32", "quickgelu"), "quickgelu"),
     (Choices("ViT-B-32-quickgelu"), "quickgelu"), (Choices("ViT-B-32-quickgelu", "quickgelu"), "quickgelu")],
)  # fmt: skip
def test_a_state_dict_with_its_choices_is_read(choices: Choices, activation: str, base_file: Path) -> None:
    contract = open_clip.read(base_file, choices).contract
    assert contract.image.tower.activation == contract.text.tower.activation == activation  # type: ignore[union-attr]
    assert f"given: architecture {choices.architecture}" in (contract.provenance.converted_from or "")
    assert "implied by it: heads, mean and std" in (contract.provenance.converted_from or "")
    assert (contract.name, contract.weights and contract.weights.dtype) == ("weights", "float16")


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        (Choices(activation="quickgelu"), "states activation 'gelu', but activation='quickgelu' was given"),
        (Choices("ViT-B-32"), "states architecture 'of other sizes', but architecture='ViT-B-32' was given"),
        (Choices("ViT-B-32-quickgelu"), "but architecture='ViT-B-32-quickgelu' was given"),
    ],
)
def test_a_choice_that_contradicts_the_configuration(choices: Choices, told: str, model, tmp_path: Path) -> None:
    with pytest.raises(ContraltoError, match=told):
        open_clip.read(folder_of(model, tmp_path), choices)


def test_a_file_is_read_with_the_configuration_beside_it(model: peer.CLIP, tmp_path: Path) -> None:
    folder_of(model, tmp_path)
    torch.save({"state_dict": dict(model.state_dict())}, tmp_path / "epoch_3.pt")
    assert_same(open_clip.read(tmp_path / "epoch_3.pt", Choices(activation="gelu")), model)


def test_safetensors_go_first_and_several_unknown_files_are_an_error(model: peer.CLIP, tmp_path: Path) -> None:
    folder_of(model, tmp_path)
    assert open_clip_folder.weights_in(tmp_path).name == "open_clip_pytorch_model.bin"
    (tmp_path / "model.safetensors").touch()
    assert open_clip_folder.weights_in(tmp_path).name == "open_clip_pytorch_model.bin"
    (tmp_path / "open_clip_model.safetensors").touch()
    assert open_clip_folder.weights_in(tmp_path).name == "open_clip_model.safetensors"
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(WeightsError, match="holds no weights"):
        open_clip_folder.weights_in(other)
    (other / "one.pt").touch()
    assert open_clip_folder.weights_in(other).name == "one.pt"
    (other / "two.bin").touch()
    with pytest.raises(WeightsError, match=r"several weight files \(one\.pt, two\.bin\)"):
        open_clip_folder.weights_in(other)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s.pop("ln_final.bias"), "missing ln_final.bias"),
        (lambda s: s.update({"visual.extra": torch.zeros(2)}), r"unknown visual\.extra"),
        (lambda s: s.update({"visual.proj": torch.zeros(128, 31)}), r"visual\.proj has shape \(128, 31\), not"),
        (lambda s: s.pop("logit_scale"), "has no logit_scale"),
    ],
)
def test_missing_extra_and_misshapen_keys_are_listed(change: Any, told: str, model: peer.CLIP, tmp_path: Path) -> None:
    state = dict(model.state_dict())
    change(state)
    with pytest.raises(WeightsError, match=told):
        open_clip.read(folder_of(model, tmp_path, state))


@pytest.mark.parametrize(("text", "told"), [("{", "is not JSON"), ("[]", "is not a JSON object"),
                                            ('{"model_cfg": 3}', "model_cfg must be an object")])  # fmt: skip
def test_a_damaged_configuration_is_an_error(text: str, told: str, model: peer.CLIP, tmp_path: Path) -> None:
    folder_of(model, tmp_path)
    (tmp_path / "open_clip_config.json").write_text(text)
    with pytest.raises(ContraltoError, match=told):
        open_clip.read(tmp_path)


def test_layouts_bias_follows_the_keys(model: peer.CLIP, tmp_path: Path) -> None:
    """A CLIP trained with SigLIP's loss has a bias, also under the name of a CLIP architecture."""
    state = dict(model.state_dict()) | {"logit_bias": torch.tensor([-3.5])}
    state["logit_scale"] = state["logit_scale"][None]
    contract = open_clip.read(folder_of(model, tmp_path, state)).contract
    assert contract.score == Score("sigmoid", 100.0, -3.5)
