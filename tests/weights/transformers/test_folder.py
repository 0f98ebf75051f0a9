"""transformers' folders: its models with random weights, saved, read, compared and written back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from PIL import Image  # noqa: E402
from support.small_transformers import SMALL, clip, scrambled  # noqa: E402
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors  # noqa: E402

from contralto.contract import Contract, preset  # noqa: E402
from contralto.encoder.torch_model import module  # noqa: E402
from contralto.errors import ContraltoError  # noqa: E402
from contralto.image.transform import batch  # noqa: E402
from contralto.text.tokenizer import load  # noqa: E402
from contralto.weights import native  # noqa: E402
from contralto.weights.checkpoint import Checkpoint  # noqa: E402
from contralto.weights.choices import Choices  # noqa: E402
from contralto.weights.from_path import read  # noqa: E402
from contralto.weights.transformers import write  # noqa: E402

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
NORMS = ("norm", "norm1", "norm2", "_bn", "LayerNorm", "layrnorm")
TEXTS = ["a photo of a cat", "two dogs", "it is 12 a clock"]


def siglip(folder: Path) -> Any:
    """SigLIP's class needs a SentencePiece model; this folder has SigLIP 2's tokenizer.json instead."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["<pad>", "<eos>", "<bos>", "<unk>", *"▁abcdefghijklmnopqrstuvwxyz0123456789"]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(" ", "▁")])
    tokenizer.add_special_tokens(["<pad>", "<eos>", "<bos>", "<unk>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")
    pictures = transformers.SiglipImageProcessorPil(size={"height": 32, "width": 32})
    transformers.SiglipProcessor(pictures, fast).save_pretrained(folder)
    vision = SMALL | {"image_size": 32, "patch_size": 8}
    config = transformers.SiglipConfig(
        text_config=SMALL | {"vocab_size": 50, "projection_size": 32}, vision_config=vision
    )
    return scrambled(transformers.SiglipModel(config))


def align(folder: Path) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "a",
        "photo",
        "of",
        "cat",
        "two",
        "dog",
        "##s",
        "it",
        "is",
        "12",
        "clock",
    ]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    tokenizer = Tokenizer(models.WordPiece({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]")
    pictures = transformers.EfficientNetImageProcessorPil(
        size={"height": 41, "width": 41}, crop_size=33, do_center_crop=True, do_normalize=False, include_top=False,
        resample=2, rescale_factor=1 / 127.5, rescale_offset=True,
    )  # fmt: skip
    transformers.AlignProcessor(pictures, fast).save_pretrained(folder)
    vision = {
        "width_coefficient": 0.5, "depth_coefficient": 1.2, "in_channels": [32, 16, 32], "out_channels": [16, 32, 48],
        "kernel_sizes": [3, 5, 3], "strides": [1, 2, 2], "num_block_repeats": [1, 2, 2], "expand_ratios": [1, 6, 6],
        "hidden_dim": 24, "image_size": 33,
    }  # fmt: skip
    text = SMALL | {"vocab_size": 60, "max_position_embeddings": 80}
    config = transformers.AlignConfig(
        text_config=text, vision_config=vision, projection_dim=24, temperature_init_value=0.07
    )
    return scrambled(transformers.AlignModel(config))


MAKERS = {"clip": clip, "siglip": siglip, "align": align}


@pytest.fixture(params=MAKERS)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Any]:
    folder = tmp_path / "model"
    model = MAKERS[request.param](folder)
    model.save_pretrained(folder)
    return folder, model


def pictures() -> list[Image.Image]:
    generator = np.random.default_rng(0)
    return [Image.fromarray(generator.integers(0, 256, (h, w, 3), np.uint8)) for h, w in ((50, 82), (32, 32), (91, 60))]


def same(one: Checkpoint, other: Checkpoint) -> None:
    assert list(one) == list(other)
    for name in one:
        assert one.stored(name).dtype == other.stored(name).dtype, name
        assert one.raw(name).tobytes() == other.raw(name).tobytes(), name


def settings(contract: Contract) -> Contract:
    """The contract without weights and provenance."""
    return contract.replace(weights=None, provenance=preset("tiny").provenance)


def test_ids_pixels_rows_and_logits_are_transformers_own(saved: tuple[Path, Any]) -> None:
    folder, model = saved
    checkpoint = read(folder)
    contract, ours = checkpoint.contract, module(checkpoint)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    inputs = processor(
        text=TEXTS, images=pictures(), return_tensors="pt", padding="max_length", max_length=contract.text.context
    )
    ids = load(contract.text, folder).tokenize(TEXTS)
    assert np.array_equal(ids, inputs["input_ids"].numpy())
    pixels = batch(pictures(), contract.image)
    assert np.abs(pixels - inputs["pixel_values"].numpy()).max() < 1e-6
    if model.config.model_type == "siglip":
        inputs.pop("attention_mask", None)
    with torch.no_grad():
        theirs = model(**inputs)
        images, texts = ours.encode_image(torch.from_numpy(pixels)), ours.encode_text(torch.from_numpy(ids))
        logits = ours(torch.from_numpy(pixels), torch.from_numpy(ids))
    for own, other in ((images, theirs.image_embeds), (texts, theirs.text_embeds)):
        wanted = torch.nn.functional.normalize(other, dim=-1)
        assert (torch.nn.functional.normalize(own, dim=-1) - wanted).abs().max() < 1e-5
        assert (wanted[0] - wanted[1]).abs().max() > 1e-3
    assert (logits - theirs.logits_per_image).abs().max() < 1e-4 * contract.score.scale


def test_what_is_written_is_what_transformers_loads_and_we_read_bit_for_bit(
    saved: tuple[Path, Any], tmp_path: Path
) -> None:
    folder, model = saved
    before = read(folder)
    write(tmp_path / "again", before)
    after = read(tmp_path / "again")
    same(before, after)
    assert settings(after.contract) == settings(before.contract)
    loaded = type(model).from_pretrained(tmp_path / "again")
    weights = loaded.state_dict()
    for name, value in model.state_dict().items():
        if "pooler" not in name and "num_batches" not in name:
            assert torch.equal(value, weights[name]), name
    assert loaded.config.vision_config.hidden_act in (model.config.vision_config.hidden_act, "silu")
    processor = transformers.AutoProcessor.from_pretrained(tmp_path / "again")
    theirs = processor(images=pictures(), text=TEXTS, return_tensors="pt", padding="max_length", max_length=24)[
        "pixel_values"
    ].numpy()
    assert np.abs(theirs - batch(pictures(), before.contract.image)).max() < 1e-6


def test_colours_are_converted_first_unless_a_contract_said_otherwise(saved: tuple[Path, Any], tmp_path: Path) -> None:
    """As in transformers' code. A converted model keeps its own order when we read it."""
    before = read(saved[0])
    assert before.contract.image.convert == "first"
    openais = before.contract.replace(image=dataclasses.replace(before.contract.image, convert="last"))
    write(tmp_path / "again", before.replace(openais))
    assert settings(read(tmp_path / "again").contract) == settings(openais)
    config = tmp_path / "again" / "config.json"
    config.write_text(config.read_text().replace('"convert": "last"', '"convert": "between"'))
    with pytest.raises(ContraltoError, match="convert = 'between': it is last or first"):
        read(tmp_path / "again")


def test_through_the_native_layout_and_back_nothing_changes(saved: tuple[Path, Any], tmp_path: Path) -> None:
    folder, _ = saved
    before = read(folder)
    assert before.contract.weights is not None
    native.write_stored(tmp_path / "native", before.contract, before.tensors, before.contract.weights.dtype)
    through = native.read(tmp_path / "native")
    same(before, through)
    for path in folder.glob("*ocab*"):
        (tmp_path / "native" / path.name).write_bytes(path.read_bytes())
    if (folder / "tokenizer.json").is_file():
        (tmp_path / "native" / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    write(tmp_path / "again", through)
    same(before, read(tmp_path / "again"))
    theirs = transformers.AutoProcessor.from_pretrained(tmp_path / "again").tokenizer
    context = before.contract.text.context
    ids = theirs(TEXTS, padding="max_length", max_length=context, return_tensors="np")["input_ids"]
    assert np.array_equal(load(before.contract.text, folder).tokenize(TEXTS), ids)


def test_an_odd_margin_is_cropped_as_in_openais_code_one_pixel_from_transformers(tmp_path: Path) -> None:
    """torchvision rounds half a pixel to even; the published models were trained and measured with that."""
    folder = tmp_path / "model"
    clip(folder).save_pretrained(folder)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 51, 3), np.uint8))
    ours = batch([picture], read(folder).contract.image)
    theirs = transformers.AutoProcessor.from_pretrained(folder)(images=picture, return_tensors="np")["pixel_values"]
    assert np.abs(ours[..., :-1] - theirs[..., 1:]).max() < 1e-6


def test_settings_of_the_model_that_was_there_before_do_not_stay(tmp_path: Path) -> None:
    folder, other = tmp_path / "model", tmp_path / "other"
    clip(folder).save_pretrained(folder)
    other.mkdir()
    (other / "processor_config.json").write_text(json.dumps({"image_processor": {"size": 64, "crop_size": 64}}))
    write(other, read(folder))
    assert settings(read(other).contract) == settings(read(folder).contract)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_shards_and_pickles_are_kept_as_they_are(dtype: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    model = clip(folder).to(getattr(torch, dtype))
    model.save_pretrained(folder, max_shard_size="2MB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    sharded = read(folder)
    assert sharded.contract.weights is not None
    assert (sharded.contract.weights.file, sharded.contract.weights.dtype) == ("model.safetensors.index.json", dtype)
    for path in folder.glob("model*"):
        path.unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    same(sharded, read(folder))


def test_old_files_with_the_wrong_end_token_and_doubled_configurations_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    clip(folder, eos_token_id=2).save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["vision_config_dict"], config["vision_config"] = config["vision_config"], {}
    path.write_text(json.dumps(config))
    assert read(folder).contract.text.pool == "eot"


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        (None, {"model_type": "siglip2"}, "NaFlex"),
        (None, {"model_type": "clip_vision_model"}, "a picture tower alone"),
        (None, {"model_type": "bert"}, "model_type is 'bert'"),
        ("text_config", {"hidden_act": "snake"}, "hidden_act = 'snake': supported are"),
        ("text_config", {"eos_token_id": 7}, "eos_token_id = 7"),
        ("vision_config", {"num_channels": 4}, "num_channels = 4: pictures have 3"),
        ("vision_config", {"hidden_size": "wide"}, "hidden_size must be of type int"),
        ("vision_config", {"image_size": 64}, "states pictures of 64 x 64, the processor makes 32 x 32"),
        ("vision_config", {"num_hidden_layers": 3}, "missing vision_model.encoder.layers.2"),
        ("text_config", {"vocab_size": 999}, "a vocabulary of 999 is not CLIP's own"),
    ],
)
def test_what_is_not_built_is_one_line_that_names_it(
    section: str | None, changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    clip(folder).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (config if section is None else config[section]).update(changes)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ContraltoError) as caught:
        read(folder)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_processor_the_preparation_of_pictures_is_open(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    clip(folder).save_pretrained(folder)
    for name in ("preprocessor_config.json", "processor_config.json"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(ContraltoError, match="leaves open: how pictures are prepared"):
        read(folder)
    with pytest.raises(ContraltoError, match="states architecture 'of other towers', but architecture='ViT-B-32' was"):
        read(folder, Choices(architecture="ViT-B-32"))


def test_the_architecture_that_is_named_states_the_preparation_of_pictures(tmp_path: Path) -> None:
    tiny = preset("tiny")
    sizes = {"hidden_size": 128, "intermediate_size": 512, "num_attention_heads": 4, "hidden_act": "gelu"}
    config = transformers.CLIPConfig(
        text_config=sizes | {"num_hidden_layers": 2, "max_position_embeddings": 32},
        vision_config=sizes | {"num_hidden_layers": 3, "patch_size": 12, "image_size": 48},
        projection_dim=128,
    )
    transformers.CLIPModel(config).save_pretrained(tmp_path)
    contract = read(tmp_path, Choices(architecture="tiny")).contract
    assert (contract.image, contract.embedding) == (tiny.image, tiny.embedding)
    assert "the preparation of pictures as in tiny" in str(contract.provenance.converted_from)
    assert "no tokenizer in the folder" in str(contract.provenance.converted_from)


def test_a_choice_that_contradicts_the_folder_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    clip(folder).save_pretrained(folder)
    with pytest.raises(ContraltoError, match="states activation 'quickgelu', but activation='gelu' was given"):
        read(folder, Choices(activation="gelu"))


def test_another_vocabulary_than_clips_own_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    clip(folder).save_pretrained(folder)
    lines = (folder / "merges.txt").read_text().splitlines() if (folder / "merges.txt").exists() else []
    if lines:
        lines[5], lines[6] = lines[6], lines[5]
        (folder / "merges.txt").write_text("\n".join(lines))
    with pytest.raises(ContraltoError, match="is not CLIP's own"):
        read(folder)


def test_towers_without_a_class_there_are_refused(tmp_path: Path) -> None:
    contract = preset("RN50")
    with pytest.raises(ContraltoError, match="transformers has no class for these towers"):
        write(tmp_path / "out", Checkpoint(contract, {}, [tmp_path / "x"]))
    assert not (tmp_path / "out").exists()
