"""What a Clip of a detector does, and what it refuses: whatever rests on a picture's embedding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.fake_engine import write_random

import contralto
from contralto import contract
from contralto.architecture import NoHead, ViT
from contralto.contract import Detector, Image
from contralto.encoder import bench, doctor, golden
from contralto.errors import ContraltoError

PICTURE = np.full((20, 30, 3), 90, np.uint8)


@pytest.fixture(scope="module")
def owl(tmp_path_factory: pytest.TempPathFactory) -> contralto.Clip:
    """The preset `tiny` with the image tower and heads of an OWLv2."""
    tiny, folder = contract.preset("tiny"), tmp_path_factory.mktemp("owl")
    tower = ViT(16, 2, 2, 8, 32, "quickgelu", head=NoHead())
    rules: dict[str, Any] = {"resize": "pad", "interpolation": "bilinear", "convert": "first"}
    image = Image(tower, (32, 32), (0.5,) * 3, (0.25,) * 3, **rules)
    write_random(folder, tiny.replace(image=image, detector=Detector(objectness=True)))
    return contralto.load(folder)


REFUSED = {
    "encode_image": lambda clip: clip.encode_image(PICTURE),
    "encode_image, skipping": lambda clip: clip.encode_image([PICTURE], on_error="skip"),
    "encode_pixels": lambda clip: clip.encode_pixels(clip.preprocess(PICTURE)),
    "stream_images": lambda clip: next(clip.stream_images([PICTURE])),
    "similarity": lambda clip: clip.similarity(PICTURE, "a cat"),
    "score": lambda clip: clip.score(PICTURE, "a cat"),
    "classify": lambda clip: clip.classify(PICTURE, ["cat", "dog"]),
    "features": lambda clip: clip.features(PICTURE),
    "stream_features": lambda clip: next(clip.stream_features([PICTURE])),
    "cells": lambda clip: clip.cells(PICTURE),
    "calibrate": lambda clip: clip.calibrate(pictures=[PICTURE] * 16),
    "bench": lambda clip: next(bench.throughputs(clip)),
    "a randomised finish": lambda clip: clip.grids.randomised(0),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_what_needs_an_embedding_of_a_picture_is_refused(owl: contralto.Clip, call: Any) -> None:
    with pytest.raises(ContraltoError, match=r"has no picture embeddings: it is a detector.*; use contralto\.detect$"):
        call(owl)


def test_texts_and_the_tower_itself_work(owl: contralto.Clip) -> None:
    rows = owl.encode_text(["a cat", "a dog"])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert owl.grids.of(owl.preprocess(PICTURE)).shape == (1, 16, owl.contract.embedding + 7)
    assert owl.encode_labels(["cat", "dog"]).shape == rows.shape


def test_doctor_examines_what_the_heads_say(owl: contralto.Clip, tmp_path: Path) -> None:
    checks = {check.name: check for check in doctor.examine(owl)}
    assert [name for name, check in checks.items() if not check.ok] == []
    owl.save(tmp_path)
    golden.write(owl, tmp_path)
    saved = contralto.load(tmp_path)
    assert golden.check(saved, tmp_path) is not None
    rows = golden.picture_rows(saved)
    assert rows.shape == (3, owl.contract.embedding + 7)
    assert np.abs(rows[0] - rows[1]).max() > 1e-3


def test_the_pytorch_model_has_no_features_of_whole_pictures(owl: contralto.Clip) -> None:
    torch = pytest.importorskip("torch")
    model, pixels = owl.torch(), owl.preprocess(PICTURE)
    with torch.no_grad():
        cells = model.encode_image(torch.tensor(pixels)).numpy()
    expected = owl.grids.of(pixels)
    assert np.abs(cells - expected).max() < 1e-5 * np.abs(expected).max()
    with pytest.raises(ContraltoError, match="a detector has no features of whole pictures"):
        model.image.features(torch.tensor(pixels))
    model.initialise(torch.Generator().manual_seed(0))
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
