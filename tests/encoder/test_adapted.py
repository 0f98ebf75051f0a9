"""A base with an adaptation: its rows are those of weights merged by hand, in every engine and layout."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import adaptations
from support.fake_engine import picture, write_random

import contralto
from contralto.contract import Contract, preset
from contralto.encoder.adapted import changed
from contralto.errors import ContraltoError, WeightsError
from contralto.probe.adapter import apply_adapter
from contralto.weights import adaptation, native
from contralto.weights.names import expected

CONTRACT = preset("tiny")
MATRICES = ("text.blocks.0.attention.q", "image.blocks.0.mlp.up", "image.head.linear")
PICTURES = [picture(seed) for seed in range(3)]
TEXTS = ["a photo of a cat", "two red circles"]
WHOLE = "image.blocks.0.norm1.weight"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "model"
    write_random(folder, CONTRACT)
    return folder


@pytest.fixture(scope="module")
def stated(base: Path) -> Contract:
    return Contract.read(base)


def changes(stated: Contract, seed: int = 0) -> dict[str, np.ndarray]:
    whole = {WHOLE: np.random.default_rng(seed).standard_normal(expected(stated)[WHOLE]).astype(np.float16) / 4}
    return adaptations.pairs(stated, MATRICES, seed=seed) | whole


@pytest.fixture(scope="module")
def tuned(base: Path, stated: Contract) -> Path:
    """A change of weights next to its base."""
    folder = base.parent / "tuned"
    adaptations.write(folder, "lora", stated, changes(stated), "../model")
    return folder


def merged_by_hand(folder: Path, base: Path, tensors: dict[str, np.ndarray], mix: float) -> Path:
    """A native model whose weights are base + mix x change, in float32."""
    before = native.read(base)
    arrays = {name: before.array(name).astype(np.float64) for name in before}
    for matrix in MATRICES:
        weight = f"{matrix}.weight"
        product = tensors[f"{matrix}.B"].astype(np.float64) @ tensors[f"{matrix}.A"].astype(np.float64)
        arrays[weight] = arrays[weight] + mix * product.reshape(arrays[weight].shape)
    arrays[WHOLE] = arrays[WHOLE] + mix * tensors[WHOLE].astype(np.float64)
    native.write(folder, before.contract, arrays)
    return folder


def rows(clip: contralto.Clip) -> np.ndarray:
    return np.concatenate([clip.encode_image(PICTURES), clip.encode_text(TEXTS)])


def load(folder: Path, **options: Any) -> contralto.Clip:
    return contralto.load(folder, **{"precision": "fp32", **options})


@pytest.fixture(scope="module")
def plain(base: Path) -> contralto.Clip:
    return load(base)


@pytest.fixture(scope="module")
def clip(tuned: Path) -> contralto.Clip:
    return load(tuned)


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory, base: Path, stated: Contract) -> contralto.Clip:
    """With 0.7 of the change."""
    return load(merged_by_hand(tmp_path_factory.mktemp("by-hand"), base, changes(stated), 0.7))


@pytest.mark.parametrize("engine", ["openvino", "eager"])
def test_every_engine_gives_the_rows_of_weights_merged_by_hand(tuned, plain, by_hand, engine) -> None:
    if engine != "openvino" and importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    clip = load(tuned, mix=0.7, engine=engine)
    assert np.abs(rows(clip) - rows(by_hand)).max() < 5e-6
    assert np.abs(clip.features(PICTURES) - by_hand.features(PICTURES)).max() < 1e-5
    assert np.abs(rows(clip) - rows(plain)).max() > 0.01


def test_int8_execution_runs_the_changed_weights(tuned, clip) -> None:
    quantised, exact = load(tuned, precision="int8").encode_text(TEXTS), clip.encode_text(TEXTS)
    assert not np.array_equal(quantised, exact)
    assert (quantised * exact).sum(axis=1).min() > 0.98


def test_weights_stored_in_int8_are_multiplied_out(tmp_path, base) -> None:
    before = native.read(base)
    small = native.write(tmp_path / "int8", before.contract, dict(before), "int8")
    tensors = changes(small)
    adaptations.write(tmp_path / "tuned", "lora", small, tensors, "../int8")
    hand = merged_by_hand(tmp_path / "hand", tmp_path / "int8", tensors, 1)
    clip = load(tmp_path / "tuned")
    assert clip.contract.weights.dtype == "int8"
    for matrix in MATRICES:
        assert clip.checkpoint.stored(f"{matrix}.weight").dtype == "F32"
        assert f"{matrix}.weight.scale" not in clip.checkpoint.tensors
    assert np.abs(rows(clip) - rows(load(hand))).max() < 2e-6
    clip.save(tmp_path / "written")
    assert np.array_equal(rows(load(tmp_path / "written")), rows(clip))


def test_a_mix_of_0_is_the_base_bit_for_bit_and_a_half_is_half_the_change(tuned, plain, clip) -> None:
    none, half, whole = load(tuned, mix=0), load(tuned, mix=0.5), clip
    for name in plain.checkpoint:
        before = plain.checkpoint.stored(name)
        assert none.checkpoint.stored(name).dtype == before.dtype
        assert none.checkpoint.raw(name).tobytes() == before.array.tobytes()
        step, double = half.checkpoint[name] - plain.checkpoint[name], whole.checkpoint[name] - plain.checkpoint[name]
        assert np.abs(2 * step - double).max() <= 4e-7 * np.abs(whole.checkpoint[name]).max()
    assert np.array_equal(rows(none), rows(plain))


def test_what_is_not_touched_stays_a_view_of_the_file(clip) -> None:
    touched = {*(f"{matrix}.weight" for matrix in MATRICES), WHOLE}
    assert {name for name in clip.checkpoint if clip.checkpoint.raw(name).flags.writeable} == touched


def test_the_hash_depends_on_base_tensors_and_mix(tmp_path, base, stated, tuned) -> None:
    adaptations.write(tmp_path / "other", "lora", stated, changes(stated, seed=1), base)
    hashes = [load(tuned, mix=mix).contract.hash for mix in (0, 0.5, 1)] + [load(tmp_path / "other").contract.hash]
    assert len({stated.hash, *hashes}) == 5
    assert load(tuned).contract.hash == hashes[2]
    contract = load(tuned, mix=0.5).contract
    assert contract.name == f"{stated.name}+lora"
    assert "lora (sha256 " in contract.provenance.converted_from
    assert "mix 0.5" in contract.provenance.converted_from
    assert Contract.from_json(contract.to_json()) == contract


def test_a_ratio_is_part_of_an_adapters_hash(tmp_path, base, stated) -> None:
    hashes = set()
    for ratio in (0.2, 0.3):
        tensors = adaptations.adapter(stated.embedding)
        adaptations.write(tmp_path / str(ratio), "adapter", stated, tensors, base, settings={"ratio": ratio})
        hashes.add(load(tmp_path / str(ratio)).contract.hash)
    assert len(hashes) == 2


@pytest.mark.parametrize("method", ["zero-shot", "kernel"])
def test_a_classifier_leaves_rows_hash_and_weights_alone(tmp_path, base, stated, plain, method) -> None:
    tensors = adaptations.classifier_tensors(method, stated.embedding)
    adaptations.write(tmp_path, method, stated, tensors, base)
    clip = load(tmp_path, mix=0.5)
    assert clip.contract == plain.contract
    assert np.array_equal(rows(clip), rows(plain))
    assert clip.base is clip.base
    assert clip.base.checkpoint is clip.checkpoint
    assert (clip.labels, clip.base.labels) == (("cat", "dog", "red circle"), None)
    scorer = clip.adaptation.classifier(clip)
    assert clip.classify(PICTURES) == scorer(clip.encode_image(PICTURES))
    assert clip.classify(PICTURES[0], top=1) == clip.classify(PICTURES)[0][:1]
    assert clip.classify(plain.encode_image(PICTURES)) == clip.classify(PICTURES)
    assert clip.classify(PICTURES, ["cat", "cup"]) == plain.classify(PICTURES, ["cat", "cup"])


def test_changed_towers_answer_with_their_classes_zero_shot(clip) -> None:
    labels = {names[0]: names for names in adaptations.CLASSES}
    expected_answers = clip.classify(PICTURES, labels, templates=["a photo of a {}.", "{}"])
    answers = clip.classify(PICTURES)
    for some, others in zip(answers, expected_answers, strict=True):
        assert [p.label for p in some] == [p.label for p in others]
        assert [p.score for p in some] == pytest.approx([p.score for p in others], abs=1e-5)
    assert clip.base.classify(PICTURES, labels) != clip.classify(PICTURES, labels)


def test_equal_labels_stay_two_classes(tmp_path, base, stated) -> None:
    classes = (("crane", "a bird"), ("crane", "a machine"))
    adaptations.write(tmp_path, "lora", stated, changes(stated), base, classes=classes)
    assert [p.label for p in load(tmp_path).classify(PICTURES[0])] == ["crane", "crane"]


def test_a_probe_of_features_reads_pictures_and_no_embeddings(tmp_path, base, stated, plain) -> None:
    tensors = adaptations.classifier_tensors("probe", stated.embedding, features=plain.feature_width)
    adaptations.write(tmp_path, "probe", stated, tensors, base, settings={"input": "features"})
    clip = load(tmp_path)
    scorer = clip.adaptation.classifier(clip)
    expected_answers = scorer(plain.encode_image(PICTURES), features=plain.features(PICTURES))
    for items in (PICTURES, iter(PICTURES), tuple(PICTURES)):
        for some, others in zip(clip.classify(items), expected_answers, strict=True):
            assert [p.label for p in some] == [p.label for p in others]
            assert [p.score for p in some] == pytest.approx([p.score for p in others], abs=1e-5)
    assert clip.classify(PICTURES[1])[0].label == expected_answers[1][0].label
    assert clip.classify([]) == []
    with pytest.raises(ContraltoError, match="reads features, which embeddings do not hold"):
        clip.classify(plain.encode_image(PICTURES))
    with pytest.raises(ContraltoError, match="nowhere"):
        clip.classify([PICTURES[0], "nowhere.jpg"])


def plain_adapter(row: np.ndarray, a: np.ndarray, b: np.ndarray, ratio: float) -> np.ndarray:
    hidden = [max(0.0, float(row @ a[:, h])) for h in range(a.shape[1])]
    moved = [max(0.0, sum(hidden[h] * float(b[h, i]) for h in range(len(hidden)))) for i in range(len(row))]
    mixed = (1 - ratio) * row.astype(np.float64) + ratio * np.array(moved)
    return mixed / np.linalg.norm(mixed)


def test_an_adapter_moves_the_rows_of_its_towers(tmp_path, base, stated, plain) -> None:
    tensors = adaptations.adapter(stated.embedding, towers=("image", "text"))
    adaptations.write(tmp_path, "adapter", stated, tensors, base)
    clip, images, texts = load(tmp_path, mix=0.5), plain.encode_image(PICTURES), plain.encode_text(TEXTS)
    for tower, encoded, before in (
        ("image", clip.encode_image(PICTURES), images),
        ("image", clip.encode_pixels(clip.preprocess(PICTURES)), images),
        ("image", np.stack([row for _, row in clip.stream_images(PICTURES)]), images),
        ("text", clip.encode_text(TEXTS), texts),
    ):
        a, b = tensors[f"{tower}.adapter.A"], tensors[f"{tower}.adapter.B"]
        moved = np.stack([plain_adapter(row, a, b, 0.5 * 0.4) for row in before])
        assert np.abs(encoded - moved).max() < 1e-6
    assert np.array_equal(clip.features(PICTURES), plain.features(PICTURES))
    assert np.array_equal(rows(load(tmp_path, mix=0)), rows(plain))


def test_an_adapter_of_pictures_leaves_texts_and_is_reproducible(tmp_path, base, stated, plain) -> None:
    adaptations.write(tmp_path, "adapter", stated, adaptations.adapter(stated.embedding), base)
    clip = load(tmp_path, reproducible=True)
    assert np.array_equal(clip.encode_image(PICTURES), np.stack([clip.encode_image(one) for one in PICTURES]))
    assert np.abs(clip.encode_text(TEXTS) - plain.encode_text(TEXTS)).max() < 1e-6


def test_a_ratio_of_0_leaves_unit_rows() -> None:
    tensors = adaptations.adapter(8)
    before = adaptations.unit_rows(np.random.default_rng(0), 4, 8)
    moved = apply_adapter(before, tensors["image.adapter.A"], tensors["image.adapter.B"], 0.0)
    assert np.abs(moved - before).max() < 1e-7


@pytest.mark.parametrize("layout", ["native", "open_clip", "transformers"])
def test_merged_weights_are_written_in_every_layout(tmp_path, tuned, layout) -> None:
    clip = load(tuned, mix=0.7)
    clip.save(tmp_path / "merged", layout)
    written = load(tmp_path / "merged")
    assert np.abs(rows(written) - rows(clip)).max() < 1e-6
    assert written.contract.hash != clip.contract.hash
    assert (written.adaptation, written.labels, written.base) == (None, None, None)
    written.checkpoint.verify()


@pytest.mark.parametrize("layout", ["open_clip", "transformers"])
def test_a_changed_matrix_and_its_neighbours_in_half_precision_are_written_together(tmp_path, base, layout) -> None:
    """open_clip stores q, k and v as one tensor, of which q alone is changed, and so in float32."""
    before = native.read(base)
    half = native.write(tmp_path / "half", before.contract, dict(before), "float16")
    adaptations.write(tmp_path / "tuned", "lora", half, adaptations.pairs(half, MATRICES[:1]), "../half")
    clip = load(tmp_path / "tuned")
    clip.save(tmp_path / "merged", layout)
    written = load(tmp_path / "merged")
    assert all(np.array_equal(written.checkpoint[name], clip.checkpoint[name]) for name in clip.checkpoint)


@pytest.mark.parametrize("layout", ["native", "open_clip", "transformers", "peft"])
@pytest.mark.parametrize("method", ["kernel", "adapter", "long"])
def test_what_no_layout_can_hold_is_not_written(tmp_path, base, stated, method, layout) -> None:
    tensors = {
        "kernel": lambda: adaptations.classifier_tensors("kernel", stated.embedding),
        "adapter": lambda: adaptations.adapter(stated.embedding),
        "long": lambda: adaptations.pooler(stated.embedding),
    }[method]()
    adaptations.write(tmp_path / "a", method, stated, tensors, base)
    with pytest.raises(WeightsError, match=f"\\({method}\\) .* which no layout of a model has") as caught:
        load(tmp_path / "a").save(tmp_path / "out", layout)
    assert str(caught.value).isprintable()
    assert not (tmp_path / "out").exists()


def test_an_adapted_clip_and_its_base_survive_pickling(tuned) -> None:
    clip = load(tuned, mix=0.25, reproducible=True)
    again = pickle.loads(pickle.dumps(clip))
    assert again.adaptation.mix == 0.25
    assert again.contract == clip.contract
    assert np.array_equal(rows(again), rows(clip))
    assert pickle.loads(pickle.dumps(clip.base)).contract == clip.base.contract


def test_a_plain_model_has_no_classes_of_its_own(plain) -> None:
    assert (plain.labels, plain.base, plain.adaptation) == (None, None, None)
    with pytest.raises(ContraltoError, match=r"labels are needed: .* has no adaptation"):
        plain.classify(PICTURES[0])


def test_an_adaptation_to_captions_has_no_classes(tmp_path, base, stated) -> None:
    adaptations.write(tmp_path, "lora", stated, changes(stated), base, classes=None, templates=())
    clip = load(tmp_path)
    assert clip.labels is None
    with pytest.raises(ContraltoError, match=r"labels are needed: .* was not made for fixed classes"):
        clip.classify(PICTURES[0])
    assert clip.classify(PICTURES[0], ["cat"])[0].label == "cat"


def without_base(stated: Contract, tensors: dict[str, Any], method: str = "lora", **settings: Any) -> Any:
    description = adaptations.described(method, stated, **({"settings": settings} if settings else {}))
    stored = {name: adaptation.StoredTensor("F32", np.asarray(array, np.float32)) for name, array in tensors.items()}
    return adaptation.StoredAdaptation(description, stored, Path("mine"))


@pytest.mark.parametrize(
    ("method", "make", "said"),
    [
        (
            "lora",
            lambda c: {"text.nothing.A": np.ones((1, 2)), "text.nothing.B": np.ones((2, 1))},
            "has no text.nothing",
        ),
        ("lora", lambda c: {f"{MATRICES[0]}.A": np.ones((1, 2)), f"{MATRICES[0]}.B": np.ones((2, 1))}, r"not \(2, 2\)"),
        ("lora", lambda c: {"image.patch.A": np.ones((1, 3)), "image.patch.B": np.ones((4, 1))}, "image.patch.weight"),
        ("full", lambda c: {WHOLE: np.ones(3)}, r"not \(3,\)"),
        ("kernel", lambda c: adaptations.classifier_tensors("kernel", c.embedding - 1), "text .* is for"),
        ("probe", lambda c: adaptations.classifier_tensors("probe", c.embedding, features=3), "mean .* is for 3"),
        ("adapter", lambda c: adaptations.adapter(c.embedding + 1), "image.adapter.A .* is for"),
    ],
)
def test_what_does_not_fit_the_base_is_refused_in_one_line(base, stated, method, make, said) -> None:
    stored = without_base(stated, make(stated), method)
    with pytest.raises(WeightsError, match=f"does not fit its base: .*{said}") as caught:
        changed(native.read(base), stored, 1)
    assert str(caught.value).isprintable()


def test_weights_that_overflow_are_refused(tmp_path) -> None:
    large = {name: np.full(shape, 3e38, np.float32) if name == WHOLE else np.zeros(shape, np.float32)
             for name, shape in expected(CONTRACT).items()}  # fmt: skip
    stated = native.write(tmp_path, CONTRACT, large)
    stored = without_base(stated, {WHOLE: np.full(expected(stated)[WHOLE], 3e38)}, "full")
    with pytest.raises(WeightsError, match="not finite"):
        changed(native.read(tmp_path), stored, 1)


def test_nano_stored_in_int8_is_adapted_and_saved(tmp_path) -> None:
    nano = load("nano")
    matrices = ("text.blocks.3.attention.q", "image.head.linear", "image.blocks.2.expand.conv")
    tensors = adaptations.pairs(nano.contract, matrices)
    adaptations.write(tmp_path / "tuned", "lora", nano.contract, tensors, "nano")
    clip = load(tmp_path / "tuned")
    assert np.abs(clip.encode_text(TEXTS) - nano.encode_text(TEXTS)).max() > 1e-4
    for matrix in matrices:
        weight = f"{matrix}.weight"
        product = tensors[f"{matrix}.B"].astype(np.float64) @ tensors[f"{matrix}.A"].astype(np.float64)
        merged = nano.checkpoint[weight] + product.reshape(nano.checkpoint[weight].shape)
        assert np.abs(clip.checkpoint[weight] - merged).max() < 1e-6
    clip.save(tmp_path / "merged")
    assert np.array_equal(load(tmp_path / "merged").encode_text(TEXTS), clip.encode_text(TEXTS))
