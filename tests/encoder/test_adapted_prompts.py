"""Prompts of pictures as an adaptation: those of the tower with the tensor put in by hand, in every engine."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import adaptations
from support.paths import REPOSITORY
from support.small_tuning import NET, VIT, contract, small_clip

import contralto
from contralto.adaptation import Prompt
from contralto.contract import Contract
from contralto.encoder.loading import adapted_clip
from contralto.errors import ContraltoError, WeightsError
from contralto.weights import adaptation, native
from contralto.weights.averaging import mean

PICTURES = [np.random.default_rng(seed).integers(0, 255, (32, 32, 3), np.uint8) for seed in range(3)]
VECTORS = np.random.default_rng(5).standard_normal((2, 3, 16), np.float32)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prompts") / "model"
    small_clip(folder, contract())
    return folder


def write(base: Path, name: str, vectors: np.ndarray = VECTORS, **changes: np.ndarray) -> Path:
    tensors = adaptations.classifier_tensors("prompt", 8) | {"image.prompts": vectors} | changes
    adaptations.write(base.parent / name, "prompt", Contract.read(base), tensors, "../model")
    return base.parent / name


def by_hand(base: Path, vectors: np.ndarray = VECTORS) -> contralto.Clip:
    before = native.read(base)
    tower = dataclasses.replace(VIT, prompts=vectors.shape[1], prompt_depth=len(vectors))
    stated = before.contract.replace(image=dataclasses.replace(before.contract.image, tower=tower))
    folder = base.parent / "by hand"
    native.write(folder, stated, {name: before.array(name) for name in before} | {"image.prompts": vectors})
    return contralto.load(folder, engine="eager", precision="fp32")


@pytest.mark.parametrize("engine", ["eager", "openvino"])
def test_rows_and_answers_are_those_of_the_tower_with_the_vectors(base: Path, engine: str) -> None:
    folder = write(base, "deep")
    clip, twin = contralto.load(folder, engine=engine, precision="fp32"), by_hand(base)
    rows = twin.encode_image(PICTURES)
    np.testing.assert_allclose(clip.encode_image(PICTURES), rows, atol=1e-5)
    plain = contralto.load(base, engine=engine, precision="fp32")
    assert np.abs(plain.encode_image(PICTURES) - rows).max() > 0.01
    np.testing.assert_array_equal(clip.encode_text("red"), plain.encode_text("red"))
    logits = 10.0 * rows.astype(np.float64) @ adaptation.read(folder).array("prototypes").T
    best = [adaptations.CLASSES[place][0] for place in logits.argmax(axis=1)]
    assert [answers[0].label for answers in clip.classify(PICTURES)] == best
    assert len({clip.contract.hash, plain.contract.hash, twin.contract.hash}) == 3
    np.testing.assert_array_equal(clip.base.encode_image(PICTURES), plain.encode_image(PICTURES))


def test_no_torch_is_needed(base: Path) -> None:
    folder = write(base, "without torch")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import contralto, numpy as np\n"
        f"clip = contralto.load({str(folder)!r}, engine='openvino', precision='fp32')\n"
        "picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)\n"
        "print(*clip.encode_image(picture).tolist())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert ran.returncode == 0, ran.stderr
    expected = by_hand(base).encode_image(PICTURES[0])
    np.testing.assert_allclose(np.array(ran.stdout.split(), np.float32), expected, atol=1e-5)


def test_mix_is_0_or_1(base: Path) -> None:
    folder = write(base, "mixed")
    plain = contralto.load(base, engine="eager", precision="fp32")
    none = contralto.load(folder, mix=0, engine="eager", precision="fp32")
    np.testing.assert_array_equal(none.encode_image(PICTURES), plain.encode_image(PICTURES))
    assert none.contract == plain.contract
    with pytest.raises(WeightsError, match=r"mix must be 0 or 1 .* got 0\.5"):
        contralto.load(folder, mix=0.5)


def test_native_holds_them_if_the_class_rows_are_the_bases(base: Path, tmp_path: Path) -> None:
    text = adaptations.classifier_tensors("prompt", 8)["text"]
    clip = contralto.load(write(base, "pictures alone", prototypes=text), engine="eager", precision="fp32")
    clip.save(tmp_path / "native")
    again = contralto.load(tmp_path / "native", engine="eager", precision="fp32")
    np.testing.assert_array_equal(again.encode_image(PICTURES), clip.encode_image(PICTURES))
    both = contralto.load(write(base, "both towers"), engine="eager")
    for one, layout in ((clip, "open_clip"), (clip, "transformers"), (clip, "peft"), (both, "native")):
        with pytest.raises(WeightsError, match=r"is a classifier|adds vectors to the picture tower") as raised:
            one.save(tmp_path / "other", layout=layout)
        assert "\n" not in str(raised.value)


def test_several_sets_of_vectors_have_no_mean(base: Path) -> None:
    stored = adaptation.read(write(base, "one"))
    assert set(mean([stored])) == set(stored.tensors)
    with pytest.raises(WeightsError, match="the mean of several such sets is none"):
        mean([stored, stored])


@pytest.mark.parametrize(
    ("vectors", "reason"),
    [
        (VECTORS[..., :15], "image.prompts has 2 layers of width 15, the base 2 of 16"),
        (np.ones((3, 1, 16), np.float32), "image.prompts has 3 layers of width 16, the base 2 of 16"),
        (VECTORS[0], "'image.prompts' has shape"),
        (VECTORS[:, :0], "'image.prompts' is empty"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(base: Path, vectors: np.ndarray, reason: str) -> None:
    with pytest.raises(WeightsError, match=reason) as raised:
        contralto.load(write(base, "unfit", vectors))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("tower", "reason"),
    [
        (NET, r"picture tower \(efficientnet\) takes no prompts"),
        (dataclasses.replace(VIT, prompts=1, prompt_depth=1), "has prompts already"),
    ],
)
def test_other_towers_take_none(base: Path, tmp_path: Path, tower: object, reason: str) -> None:
    clip = small_clip(tmp_path, contract(tower))  # type: ignore[arg-type]
    stored = adaptation.read(write(base, "elsewhere"))
    with pytest.raises(WeightsError, match=reason):
        adapted_clip(clip, stored)


def test_arguments_are_refused_before_the_work(base: Path, tmp_path: Path) -> None:
    clip = contralto.load(base, engine="eager")
    with pytest.raises(ContraltoError, match="soup must be 1"):
        contralto.adapt(clip, tmp_path / "absent", method=Prompt(towers=("image",)), soup=2)
    with pytest.raises(ContraltoError, match="of the picture towers only a ViT takes prompts"):
        contralto.adapt(
            small_clip(tmp_path / "net", contract(NET)), tmp_path / "absent", method=Prompt(towers=("image",))
        )
