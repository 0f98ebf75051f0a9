"""Every file of shared/data/odd-images.tar is decoded or refused as its list states, quickly and in little memory."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.paths import SHARED, TESTS

from contralto.errors import ImageError
from contralto.image.decode import decode

DATA = SHARED / "data"
pytestmark = [
    pytest.mark.skipif(not (DATA / "odd-images.tar").exists(), reason="needs ../shared/data/odd-images.tar"),
    pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning"),  # warnings of Pillow's readers
]

CHILD = """
import json, sys, time
from pathlib import Path
from contralto.errors import ImageError
from contralto.image import transform
from contralto.image.decode import decode
from support.noise_pictures import peak_mebibytes, spec_of

outcomes = {}
for name in json.loads(sys.stdin.read()):
    start = time.monotonic()
    try:
        image = decode(Path(sys.argv[1]) / name)
        outcome = {"size": image.size, "shape": transform.pixels(image, spec_of(224)).shape}
    except ImageError as error:
        outcome = {"error": str(error)}
    outcomes[name] = {**outcome, "seconds": time.monotonic() - start}
print(json.dumps({"outcomes": outcomes, "mebibytes": peak_mebibytes()}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("odd")
    with tarfile.open(DATA / "odd-images.tar") as tar:
        tar.extractall(root, filter="data")
    return root / "odd-images"


@pytest.fixture(scope="module")
def expected():
    return json.loads((DATA / "odd-images-expected.json").read_text())


def test_as_expected_in_one_process(folder, expected):
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder)],
        input=json.dumps(list(expected)),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=TESTS,
    )
    report = json.loads(run.stdout)
    assert report["mebibytes"] < 300  # the bombs would take 400 or more
    assert set(report["outcomes"]) == set(expected)
    for name, outcome in report["outcomes"].items():
        assert outcome["seconds"] < 5, name
        if "error" in outcome:
            assert not expected[name]["ok"] or expected[name].get("either_accepted"), (name, outcome)
            assert "\n" not in outcome["error"]
            assert Path(name).name in outcome["error"]
        else:
            assert expected[name]["ok"] or expected[name].get("either_accepted"), name
            assert outcome["size"] == expected[name]["size"], name
            assert outcome["shape"] == [3, 224, 224]


def rgb(folder, name, **options):
    return np.asarray(decode(folder / name, **options).convert("RGB")).astype(int)


SAME = ["exif-orientation-6.png", "animated.apng", "animated-apng.png", "multipage.tif", "lzw.tif", "plain.bmp",
        "plain.ppm", "lossless.webp", "plain.tga", "png-named.jpg", "rgb16.png", "cmyk.tif"]  # fmt: skip
ALIKE = [f"exif-orientation-{turn}.jpg" for turn in range(1, 9)] + [
    "plain.jpg", "exif-orientation-6.webp", "exif-orientation-99.jpg", "exif-broken.jpg", "cmyk.jpg",
    "cmyk-adobe-inverted.jpg", "palette.png", "animated.gif", "animated.webp", "still.gif", "progressive.jpg",
    "yuv444.jpg", "icc-srgb.jpg", "icc-broken.jpg", "trailing-garbage.jpg", "new\nline.jpg", "quality-1.jpg",
]  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_has_the_pixels_of_the_plain_picture(folder, name):
    assert np.array_equal(rgb(folder, name), rgb(folder, "plain.png"))


@pytest.mark.parametrize("name", ALIKE)
def test_looks_like_the_plain_picture(folder, name):
    """Lossy: the mean difference is at most 6 grey levels (14 at quality 1); any wrong turn differs by more than 30."""
    plain = rgb(folder, "plain.png")
    difference = np.abs(rgb(folder, name) - plain).mean()
    assert difference < (14 if name == "quality-1.jpg" else 6)
    assert np.abs(plain[:, ::-1] - plain).mean() > 30
    assert np.abs(plain[::-1] - plain).mean() > 30


def test_an_icc_profile_is_ignored(folder):
    swapped = rgb(folder, "icc-swapped-channels.jpg")[..., ::-1]
    assert np.abs(swapped - rgb(folder, "plain.png")).mean() < 6


@pytest.mark.parametrize("name", ["gray16.png", "gray16.tif", "float32.tif"])
def test_wide_grey_is_scaled(folder, name):
    assert np.abs(rgb(folder, name) - rgb(folder, "gray8.png")).max() <= 1


def test_transparent_corners_are_white_or_what_they_hide(folder):
    hidden = folder / "rgba-black-under-transparent.png"
    with Image.open(hidden) as image:
        alpha = np.asarray(image.getchannel("A"))
    assert (rgb(folder, hidden.name)[alpha == 0] == 255).all()
    assert (rgb(folder, hidden.name, alpha="drop")[alpha == 0] == 0).all()
    assert (rgb(folder, "rgba-fully-transparent.png") == 255).all()


def test_the_largest_icon_counts(folder):
    assert decode(folder / "icon.ico").size == (64, 64)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("truncated-half.jpg", "truncated"),
        ("truncated-half.png", "truncated"),
        ("header-only.png", "header is incomplete"),
        ("zero-bytes.jpg", "is empty"),
        ("html-error-page.jpg", "an HTML page"),
        ("document.jpg", "a PDF document"),
        ("git-lfs-pointer.jpg", "git lfs pull"),
        ("vector.svg", "SVG"),
        ("text.jpg", "not a picture"),
        ("bomb-60000x60000.png", "60,000 x 60,000 pixels, over the limit of 178,956,970"),
        ("bomb-20000x20000-1bit.png", "20,000 x 20,000 pixels, over the limit"),
    ],
)
def test_reasons(folder, name, reason):
    with pytest.raises(ImageError) as caught:
        decode(folder / name)
    assert reason in caught.value.reason
    assert caught.value.item == str(folder / name)
