"""A picture upright, and only once."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from support.fake_engine import picture

from contralto.apply.picture import upright
from contralto.errors import ImageError


def turned(array: np.ndarray) -> bytes:
    """A file that stores the picture a quarter turn to the left, and says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = io.BytesIO()
    Image.fromarray(np.rot90(array).copy()).save(stored, "PNG", exif=exif)
    return stored.getvalue()


def test_a_turned_picture_is_upright_however_often_it_is_read():
    array, file = picture(3), turned(picture(3))
    for item in (file, io.BytesIO(file), Image.open(io.BytesIO(file))):
        once = upright(item, "white")
        assert np.array_equal(np.asarray(once), array)
        assert np.array_equal(np.asarray(upright(once, "white")), array)
        crop = upright(once.crop((0, 0, 9, 20)), "white")
        assert np.array_equal(np.asarray(crop), array[:20, :9])


def test_the_given_picture_keeps_its_data():
    given = Image.open(io.BytesIO(turned(picture(3))))
    upright(given, "white")
    assert given.getexif()[0x0112] == 6
    plain = Image.new("RGB", (4, 4))
    plain.info["note"] = "kept"
    upright(plain, "white")
    assert plain.info == {"note": "kept"}


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.png"):
        upright(str(tmp_path / "gone.png"), "white")
    with pytest.raises(ImageError, match="picture 3"):
        upright(b"no picture", "white", 3)
