"""Settings of image processors: read and written, against transformers' own processors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from PIL import Image  # noqa: E402

from contralto import contract  # noqa: E402
from contralto.contract import preset  # noqa: E402
from contralto.errors import ContraltoError  # noqa: E402
from contralto.image.transform import pixels  # noqa: E402
from contralto.weights.layouts.transformers import Family  # noqa: E402
from contralto.weights.transformers import image_processor  # noqa: E402

transformers.logging.set_verbosity_error()
HALF = (0.5, 0.5, 0.5)
CENTER = {"do_center_crop": True}
PROCESSORS: dict[Family, Any] = {
    "clip": transformers.CLIPImageProcessorPil,
    "siglip": transformers.SiglipImageProcessorPil,
    "align": transformers.EfficientNetImageProcessorPil,
}


def spec(settings_read: image_processor.ProcessorSettings) -> contract.Image:
    tower = preset("tiny").image.tower
    rules: Any = {"resize": settings_read.resize, "interpolation": settings_read.interpolation}
    return contract.Image(
        tower, settings_read.size, settings_read.mean, settings_read.std, resized=settings_read.resized, **rules
    )


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("clip", {}),
        ("clip", {"size": {"shortest_edge": 64}, "crop_size": {"height": 48, "width": 48}, "resample": 2}),
        ("clip", {"size": {"height": 48, "width": 40}, "do_center_crop": False, "image_mean": HALF}),
        ("clip", {"size": 48, "crop_size": 44}),
        ("clip", {"do_normalize": False}),
        ("siglip", {}),
        ("siglip", {"size": {"height": 36, "width": 36}, "resample": 2, "rescale_factor": 1 / 127.5}),
        ("align", {}),
        ("align", {"size": 36}),
        ("align", {"include_top": False, "rescale_offset": True, "rescale_factor": 1 / 127.5} | CENTER),
        (
            "align",
            {"size": {"height": 60, "width": 60}, "crop_size": 44, "resample": 2, "do_normalize": False} | CENTER,
        ),
    ],
)
def test_pixels_are_those_of_the_processor_whose_settings_are_read(
    kind: Family, settings: dict[str, Any], tmp_path: Path
) -> None:
    processor = PROCESSORS[kind](**settings)
    processor.save_pretrained(tmp_path)
    if isinstance(settings.get("size"), int):  # as in old files
        stated = json.loads((tmp_path / image_processor.PREPROCESSOR_FILE).read_text())
        (tmp_path / image_processor.PREPROCESSOR_FILE).write_text(json.dumps(stated | {"size": settings["size"]}))
    settings_read = image_processor.read(tmp_path, kind)
    assert settings_read is not None
    for shape in ((64, 96), (100, 50), (48, 48)):  # even margins; test_folder.py tests odd ones
        picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8))
        theirs = processor(picture, return_tensors="np")["pixel_values"][0]
        ours = pixels(picture, spec(settings_read))
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < 2e-6


def test_a_processors_settings_are_written_as_they_are_read() -> None:
    for kind, given in (("clip", {"size": {"shortest_edge": 64}, "crop_size": 48}), ("align", CENTER), ("siglip", {})):
        settings_read = image_processor.settings(
            PROCESSORS[kind](**given).to_dict(), image_processor.DEFAULT_PROCESSORS[kind], "given"
        )
        written = image_processor.written(spec(settings_read), "CLIPImageProcessor")
        assert image_processor.settings(written, "CLIP", "written") == settings_read
    wide = contract.Image(preset("tiny").image.tower, (48, 48), HALF, HALF, resized=(48, 96))
    with pytest.raises(ContraltoError, match="cannot resize to cover 48 x 96, only a square"):
        image_processor.written(wide, "CLIPImageProcessor")


def test_the_newer_file_goes_first_and_a_processor_without_name_is_the_models_own(tmp_path: Path) -> None:
    (tmp_path / image_processor.PREPROCESSOR_FILE).write_text(json.dumps({"size": {"height": 32, "width": 32}}))
    assert (settings_read := image_processor.read(tmp_path, "siglip")) is not None
    assert (settings_read.size, settings_read.mean, settings_read.resize) == ((32, 32), HALF, "squash")
    newer = {"processor_class": "CLIPProcessor", "image_processor": {"size": {"shortest_edge": 40}, "crop_size": 40}}
    (tmp_path / "processor_config.json").write_text(json.dumps(newer))
    assert (settings_read := image_processor.read(tmp_path, "clip")) is not None
    assert (settings_read.size, settings_read.resize) == ((40, 40), "shortest")
    assert image_processor.read(tmp_path / "nowhere", "clip") is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"image_processor_type": "Siglip2ImageProcessor"},
            "image_processor_type = 'Siglip2ImageProcessor': supported",
        ),
        (
            {"feature_extractor_type": "ViTFeatureExtractor"},
            "feature_extractor_type = 'ViTFeatureExtractor': supported",
        ),
        ({"size": {"shortest_edge": 224, "longest_edge": 300}}, "longest_edge = 300"),
        ({"size": {"height": 224}}, "missing field 'width'"),
        ({"crop_size": 300}, "crop_size = 300: it is more than the resized picture, 224 x 224"),
        ({"do_center_crop": False}, "must be cropped"),
        ({"image_processor_type": "SiglipImageProcessor", "size": 36}, "must be cropped"),
        ({"do_resize": False}, "must be resized"),
        ({"resample": 1}, "supported are 2 (bilinear) and 3 (bicubic)"),
        ({"image_mean": [0.5, 0.5]}, "three numbers are needed"),
        ({"rescale_factor": 0}, "must be a positive number"),
    ],
)
def test_a_processor_that_cannot_be_followed_is_refused(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / image_processor.PREPROCESSOR_FILE).write_text(json.dumps(settings))
    with pytest.raises(ContraltoError) as caught:
        image_processor.read(tmp_path, "clip")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
