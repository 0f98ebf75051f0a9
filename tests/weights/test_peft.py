"""PEFT's folders: read onto a small CLIP of transformers, against its weights merged by hand; written; refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import adaptations
from support.small_models import CONTRACTS

from contralto.contract import Contract, preset
from contralto.embeddings import unit
from contralto.errors import ContraltoError, WeightsError
from contralto.weights import peft, peft_writing
from contralto.weights.adaptation import StoredAdaptation
from contralto.weights.names import expected
from contralto.weights.peft import PEFT_CONFIG_FILE, PEFT_WEIGHTS_FILE
from contralto.weights.tensorfile import TensorFile, write_tensors

PREFIX = "base_model.model."
Q = "vision_model.encoder.layers.1.self_attn.q_proj"
FC = "text_model.encoder.layers.0.mlp.fc1"
HEAD = "visual_projection"
NATIVE = {Q: "image.blocks.1.attention.q", FC: "text.blocks.0.mlp.up", HEAD: "image.head.linear"}
PLAIN = {
    "peft_type": "LORA", "r": 2, "lora_alpha": 6, "target_modules": ["q_proj", "fc1", "visual_projection"],
    "bias": "none", "use_dora": False, "lora_dropout": 0.1, "inference_mode": True, "base_model_name_or_path": None,
}  # fmt: skip
CLIP = preset("ViT-B-32")


def factors(shapes: dict[str, tuple[int, ...]], ranks: dict[str, int] | int = 2) -> dict[str, np.ndarray]:
    """lora_A and lora_B of modules, given the shapes of their weights, without any prefix."""
    generator, tensors = np.random.default_rng(0), {}
    for module, (out, inputs, *axes) in shapes.items():
        rank = ranks if isinstance(ranks, int) else ranks[module]
        ones = (1,) * len(axes)
        tensors[f"{module}.lora_A.weight"] = generator.standard_normal((rank, inputs, *ones), np.float32) / 6
        tensors[f"{module}.lora_B.weight"] = generator.standard_normal((out, rank, *ones), np.float32) / 2
    return tensors


def save(folder: Path, tensors: dict[str, np.ndarray], prefix: str = PREFIX, **config: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PEFT_CONFIG_FILE).write_text(json.dumps(PLAIN | config))
    dtypes = {"float32": "F32", "float16": "F16", "int8": "I8"}
    with open(folder / PEFT_WEIGHTS_FILE, "wb") as file:
        write_tensors(file, {prefix + name: (dtypes[a.dtype.name], a) for name, a in tensors.items()}, {"format": "pt"})
    return folder


def shapes(*modules: str) -> dict[str, tuple[int, ...]]:
    return {module: expected(CLIP)[f"{NATIVE[module]}.weight"] for module in modules}


def products(one: StoredAdaptation) -> dict[str, np.ndarray]:
    matrices = {name[:-2] for name in one.tensors}
    return {m: one.array(f"{m}.B").astype(np.float64) @ one.array(f"{m}.A").astype(np.float64) for m in matrices}


@pytest.mark.parametrize(
    ("config", "scales"),
    [
        ({}, (3, 3, 3)),
        ({"use_rslora": True}, (6 / 2**0.5,) * 3),
        ({"alpha_pattern": {"q_proj": 1, "fc1": 2.5}}, (0.5, 1.25, 3)),
        ({"alpha_pattern": {r"vision_model\..*": 1, "q_proj": 8}}, (0.5, 3, 3)),  # the first that fits counts
        (
            {"alpha_pattern": {"proj": 1, "mlp": 1, "visual": 1, "_projection": 1}},
            (3, 3, 3),
        ),  # not at a dot, not the end
        ({"alpha_pattern": {r"layers\.\d+\.mlp\.fc[12]": 1}}, (3, 0.5, 3)),
        ({"target_modules": r".*\.(q_proj|fc1)|visual_projection"}, (3, 3, 3)),
        ({"target_modules": "all-linear"}, (3, 3, 3)),
        ({"fan_in_fan_out": True}, (3, 3, 3)),
    ],
)
def test_what_peft_multiplies_by_is_inside_b(tmp_path: Path, config: dict[str, Any], scales: tuple[float, ...]) -> None:
    given = factors(shapes(Q, FC, HEAD))
    changes = products(peft.read(save(tmp_path, given, **config), CLIP))
    assert changes.keys() == set(NATIVE.values())
    for module, scale in zip((Q, FC, HEAD), scales, strict=True):
        a, b = (given[f"{module}.lora_{half}.weight"].astype(np.float64) for half in "AB")
        assert np.abs(changes[NATIVE[module]] - scale * b @ a).max() < 1e-5


def test_each_module_may_have_a_rank_of_its_own(tmp_path: Path) -> None:
    given = factors(shapes(Q, FC, HEAD), {Q: 2, FC: 3, HEAD: 5})
    folder = save(tmp_path, given, rank_pattern={"layers.0.mlp.fc1": 3, "visual_projection": 5})
    changes = products(peft.read(folder, CLIP))
    for module, scale in ((Q, 3), (FC, 2), (HEAD, 6 / 5)):
        a, b = (given[f"{module}.lora_{half}.weight"].astype(np.float64) for half in "AB")
        assert np.abs(changes[NATIVE[module]] - scale * b @ a).max() < 1e-5
    save(tmp_path, given, rank_pattern={"fc1": 3})
    with pytest.raises(WeightsError, match="visual_projection has rank 5, the configuration states 2"):
        peft.read(tmp_path, CLIP)


@pytest.mark.parametrize("prefix", [PREFIX, PREFIX + "clip.", PREFIX + "model.", PREFIX + "model.clip.", ""])
def test_the_model_may_lie_in_wrappers(tmp_path: Path, prefix: str) -> None:
    stored = peft.read(save(tmp_path, factors(shapes(Q)), prefix), CLIP)
    assert stored.tensors.keys() == {f"{NATIVE[Q]}.A", f"{NATIVE[Q]}.B"}


def test_the_description_says_what_it_is(tmp_path: Path) -> None:
    assert not peft.is_peft(tmp_path)
    stored = peft.read(save(tmp_path, factors(shapes(Q)), base_model_name_or_path="openai/clip"), CLIP)
    assert peft.is_peft(tmp_path)
    assert peft.base_name(tmp_path) == "openai/clip"
    assert (stored.description.method, stored.description.classes) == ("lora", None)
    assert stored.description.base.contract == CLIP.hash
    before = stored.description.sha256
    save(tmp_path, factors(shapes(Q)), base_model_name_or_path="openai/clip", lora_alpha=7)
    assert peft.read(tmp_path, CLIP).description.sha256 != before  # the scaling decides the weights too
    (tmp_path / "config.json").write_text("{}")
    assert not peft.is_peft(tmp_path)  # a model with an adapter next to it


def refused(folder: Path, said: str, contract: Contract = CLIP) -> None:
    with pytest.raises(ContraltoError, match=said) as caught:
        peft.read(folder, contract)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"peft_type": "LOHA"}, "peft_type = 'LOHA' is not read"),
        ({"peft_type": None}, "peft_type"),
        ({"use_dora": True}, "use_dora = True is not read"),
        ({"lora_bias": True}, "lora_bias = True is not read"),
        ({"bias": "all"}, "bias = 'all' is not read"),
        ({"modules_to_save": ["classifier"]}, "modules_to_save = .* is not read"),
        ({"layer_replication": [[0, 1]]}, "layer_replication"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"from_the_future": 1}, "from_the_future = 1 is not read"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights = 'pissa' is not read: it changes the base"),
        ({"init_lora_weights": ["x"]}, "init_lora_weights"),
        ({"r": 0}, "r = 0 is no rank"),
        ({"r": 2.0}, "r = 2.0 is no rank"),
        ({"r": 3}, "has rank 2, the configuration states 3"),
        ({"lora_alpha": float("nan")}, "lora_alpha = nan"),
        ({"lora_alpha": "6"}, "lora_alpha = '6'"),
        ({"lora_alpha": True}, "lora_alpha = True"),
        ({"lora_alpha": 10**400}, "lora_alpha"),
        ({"rank_pattern": {"q_proj": -1}}, "rank_pattern"),
        ({"rank_pattern": [1]}, "rank_pattern"),
        ({"alpha_pattern": {"q_proj": None}}, "alpha_pattern"),
        ({"alpha_pattern": {"(q": 1}}, "of modules is refused"),
        ({"use_rslora": 1}, "use_rslora"),
        ({"target_modules": None}, "target_modules"),
        ({"target_modules": [1]}, "target_modules"),
        ({"target_modules": ["v_proj"]}, "target_modules does not name vision_model"),
        ({"target_modules": ".*fc1"}, "target_modules does not name vision_model"),
        ({"target_modules": "(a"}, "of modules is refused"),
    ],
)
def test_what_is_no_plain_lora_is_refused_by_name(tmp_path: Path, config: dict[str, Any], said: str) -> None:
    refused(save(tmp_path, factors(shapes(Q)), **config), said)


Mutation = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]


@pytest.mark.parametrize(
    ("mutate", "said"),
    [
        (lambda t: t | {f"{Q}.lora_magnitude_vector": np.ones(3, np.float32)}, "is DoRA"),
        (lambda t: t | {f"{Q}.lora_B.bias": np.ones(3, np.float32)}, "lora_B.bias' is no half of a pair"),
        (lambda t: t | {"text_model.token_embedding.lora_embedding_A": np.ones((2, 2), np.float32)}, "no half"),
        (lambda t: t | {f"{Q}.base_layer.weight": np.ones((2, 2), np.float32)}, "is no half of a pair"),
        (lambda t: {n: a for n, a in t.items() if "lora_A" not in n}, "lacks lora_A"),
        (lambda t: {n.replace("q_proj", "z_proj"): a for n, a in t.items()}, "has no linear map .*z_proj"),
        (lambda t: {n.replace("vision_model", "unet"): a for n, a in t.items()}, "has no linear map .*unet"),
        (lambda t: {n: a.astype(np.int8) for n, a in t.items()}, "stored as I8"),
        (lambda t: {n: a[..., None] for n, a in t.items()}, "is of no linear map"),
        (lambda t: {n: a[..., None, None].repeat(3, -1) for n, a in t.items()}, "is of no linear map"),
        (lambda t: {n: a * np.float32(np.nan) for n, a in t.items()}, "not finite"),
        (lambda t: {n: a[:, :1] if "lora_B" in n else a for n, a in t.items()}, "not \\(r, in\\) and \\(out, r\\)"),
        (lambda t: t | {f"clip.{n}": a for n, a in t.items()}, "is changed twice"),
        (lambda t: {}, "0 tensors"),
    ],
)  # fmt: skip
def test_other_tensors_are_refused(tmp_path: Path, mutate: Mutation, said: str) -> None:
    refused(save(tmp_path, mutate(factors(shapes(Q)))), said)


def test_a_pickle_is_not_read_and_a_missing_or_damaged_file_is_one_line(tmp_path: Path) -> None:
    folder = save(tmp_path, factors(shapes(Q)))
    content = (folder / PEFT_WEIGHTS_FILE).read_bytes()
    for length in (0, 5, 100, len(content) - 1):
        (folder / PEFT_WEIGHTS_FILE).write_bytes(content[:length])
        refused(folder, PEFT_WEIGHTS_FILE)
    (folder / PEFT_WEIGHTS_FILE).unlink()
    refused(folder, PEFT_WEIGHTS_FILE)
    (folder / "adapter_model.bin").write_bytes(b"\x80\x02.")
    refused(folder, "adapter_model.bin is a pickle, which is not read")
    for text in ("", "[]", '{"r": 1, "r": 2}', "{" * 10_000):
        (folder / PEFT_CONFIG_FILE).write_text(text)
        refused(folder, PEFT_CONFIG_FILE)
    with open(folder / PEFT_CONFIG_FILE, "r+b") as file:
        file.truncate(2**40)
    refused(folder, "bytes are refused")


def test_1_x_1_convolutions_have_two_axes_more(tmp_path: Path) -> None:
    contract = CONTRACTS["align"]
    native = {foreign: name for foreign, name in peft.modules(contract).items() if name.startswith("image.blocks")}
    convs = {
        foreign: expected(contract)[f"{name}.weight"]
        for foreign, name in native.items()
        if foreign.endswith("project_conv")
    }
    assert convs
    given = factors(convs)
    stored = peft.read(save(tmp_path / "in", given, target_modules=["project_conv"]), contract)
    foreign = next(iter(convs))
    assert stored.tensors[f"{native[foreign]}.A"].shape == (2, convs[foreign][1])
    peft_writing.write(tmp_path / "out", contract, stored, 1.0)
    file = TensorFile(tmp_path / "out" / PEFT_WEIGHTS_FILE)
    assert file.tensors.keys() == {PREFIX + name for name in given}
    for name, array in given.items():
        assert file.tensors[PREFIX + name].shape == array.shape
        scale = 3 if "lora_B" in name else 1
        assert np.array_equal(file.raw(PREFIX + name), array * np.float32(scale))


@pytest.mark.parametrize("mix", [1.0, 0.5])
def test_what_is_written_is_read_back(tmp_path: Path, mix: float) -> None:
    given = factors(shapes(Q, FC, HEAD), {Q: 2, FC: 2, HEAD: 5})
    stored = peft.read(save(tmp_path / "in", given, rank_pattern={"visual_projection": 5}), CLIP)
    peft_writing.write(tmp_path / "out", CLIP, stored, mix)
    config = json.loads((tmp_path / "out" / PEFT_CONFIG_FILE).read_text())
    assert (config["peft_type"], config["inference_mode"], config["r"], config["lora_alpha"]) == ("LORA", True, 2, 2)
    assert config["rank_pattern"] == config["alpha_pattern"] == {HEAD: 5}
    assert sorted(config["target_modules"]) == sorted([Q, FC, HEAD])
    again = peft.read(tmp_path / "out", CLIP)
    for matrix, product in products(stored).items():
        assert np.abs(products(again)[matrix] - mix * product).max() < 1e-6


def test_without_a_class_in_transformers_the_names_are_those_of_the_torch_module(tmp_path: Path) -> None:
    contract = preset("nano")
    matrices = ("text.blocks.3.attention.q", "image.head.linear", "image.blocks.2.expand.conv")
    stored = adaptations.write(tmp_path / "in", "lora", contract, adaptations.pairs(contract, matrices), "nano")
    peft_writing.write(tmp_path / "out", contract, stored, 1.0)
    config = json.loads((tmp_path / "out" / PEFT_CONFIG_FILE).read_text())
    assert config["target_modules"] == sorted(matrices)
    assert config["base_model_name_or_path"] == "nano"
    again = peft.read(tmp_path / "out", contract)
    assert again.tensors.keys() == stored.tensors.keys()
    assert all(np.array_equal(again.array(name), stored.array(name)) for name in stored.tensors)


def test_whole_tensors_and_parts_of_a_module_are_not_written(tmp_path: Path) -> None:
    whole = adaptations.write(tmp_path / "w", "full", CLIP, {f"{NATIVE[Q]}.weight": np.ones((2, 2))})
    with pytest.raises(WeightsError, match="changes whole tensors"):
        peft_writing.write(tmp_path / "out", CLIP, whole, 1.0)
    siglip = CONTRACTS["siglip"]  # its pool's q, k, v are one tensor in transformers
    part = adaptations.write(tmp_path / "p", "lora", siglip, adaptations.pairs(siglip, ("image.pool.q",)))
    with pytest.raises(WeightsError, match=re.escape("has no module of its own for image.pool.q")):
        peft_writing.write(tmp_path / "out", siglip, part, 1.0)
    assert not (tmp_path / "out").exists()


def test_rows_are_those_of_transformers_with_weights_merged_by_hand(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from support.small_transformers import clip

    import contralto

    model = clip(tmp_path / "model")
    model.save_pretrained(tmp_path / "model")
    targets = (Q, FC, HEAD, "text_projection", "text_model.encoder.layers.1.self_attn.out_proj")
    layers = {name: tuple(model.get_submodule(name).weight.shape) for name in targets}
    given = factors(layers)
    save(tmp_path / "lora", given, PREFIX, target_modules=list(layers), base_model_name_or_path="../model")
    base = contralto.load(tmp_path / "model", precision="fp32")
    adapted = contralto.load(tmp_path / "lora", precision="fp32")
    half = contralto.load(tmp_path / "lora", base=tmp_path / "model", mix=0.5, precision="fp32")
    pictures = [np.random.default_rng(n).integers(0, 256, (40, 50, 3), np.uint8) for n in range(2)]
    texts = ["a photo of a cat", "two dogs"]
    pixels, ids = torch.tensor(base.preprocess(pictures)), torch.tensor(base.tokenize(texts))

    def add(share: float) -> list[np.ndarray]:
        """The rows of transformers' model with a share of the change added to its weights."""
        with torch.no_grad():
            for name in layers:
                a, b = (torch.tensor(given[f"{name}.lora_{one}.weight"]) for one in "AB")
                model.get_submodule(name).weight.add_(share * 3 * b @ a)
            rows = model.get_image_features(pixel_values=pixels), model.get_text_features(input_ids=ids)
        return [unit(getattr(one, "pooler_output", one).numpy()) for one in rows]

    for clip_here, share in ((base, 0.0), (half, 0.5), (adapted, 0.5)):
        image, text = add(share)
        assert np.abs(clip_here.encode_image(pictures) - image).max() < 5e-6
        assert np.abs(clip_here.encode_text(texts) - text).max() < 5e-6
    assert np.abs(adapted.encode_image(pictures) - base.encode_image(pictures)).max() > 0.01
