"""HEIC pictures of phones: turned once, the primary picture, within our limits, with any reader."""

import io
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from contralto.errors import ImageError
from contralto.image import formats
from contralto.image.decode import decode

pillow_heif = pytest.importorskip("pillow_heif")

y, x = np.mgrid[:48, :64]
PICTURE = Image.fromarray(np.stack([x * 3 % 256, y * 5 % 256, x + 2 * y], axis=-1).astype(np.uint8))


def encoded(*images, quality=-1, **options):
    """A lossless encoding, except for the rounding of the conversion to YCbCr and back."""
    made = pillow_heif.from_pillow(images[0])
    for image in images[1:]:
        made.add_from_pillow(image)
    file = io.BytesIO()
    made.save(file, quality=quality, chroma=444, matrix_coefficients=0, **options)
    return file.getvalue()


def turned(orientation):
    """As a phone writes it: the turn is in a property of the picture, and again in its EXIF block."""
    block, file = Image.Exif(), io.BytesIO()
    block[0x0112] = orientation
    lossless = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}
    pillow_heif.encode("RGB", PICTURE.size, PICTURE.tobytes(), file, exif=block.tobytes(), **lossless)
    return file.getvalue()


def test_pixels_and_no_global_state():
    opened = dict(Image.OPEN)
    image = decode(encoded(PICTURE))
    assert image.mode == "RGB"
    assert image.tobytes() == PICTURE.tobytes()
    assert opened == Image.OPEN
    assert "HEIF" not in Image.OPEN


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, None),
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_270),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_90),
    ],
)
def test_turned_exactly_once(orientation, turn):
    upright = PICTURE if turn is None else PICTURE.transpose(turn)
    image = decode(turned(orientation))
    assert image.size == upright.size
    assert image.tobytes() == upright.tobytes()


def test_the_primary_picture_counts():
    other = PICTURE.transpose(Image.Transpose.ROTATE_180)
    assert decode(encoded(other, PICTURE, primary_index=1)).tobytes() == PICTURE.tobytes()
    assert decode(encoded(PICTURE, other, primary_index=0)).tobytes() == PICTURE.tobytes()


def test_alpha_onto_white():
    clear = PICTURE.copy()
    clear.putalpha(Image.fromarray((x * 4).astype(np.uint8)))
    data = encoded(clear)
    assert decode(data, alpha="drop").tobytes() == clear.tobytes()
    assert decode(data).tobytes() == decode(clear).tobytes()


def test_ten_bits():
    deep = (np.stack([x, y, x + y], axis=-1) * 257).astype(np.uint16)
    made = pillow_heif.from_bytes("RGB;16", (64, 48), deep.tobytes())
    file = io.BytesIO()
    made.save(file, quality=-1, chroma=444, matrix_coefficients=0)
    image = decode(file.getvalue())
    assert image.mode == "RGB"
    assert np.abs(np.asarray(image).astype(int) - np.stack([x, y, x + y], axis=-1)).max() <= 1


def test_our_limit_is_checked_before_anything_is_decoded(monkeypatch):
    data = encoded(PICTURE)
    monkeypatch.setattr(pillow_heif.HeifImageFile, "load", lambda self: pytest.fail("it was decoded"))
    with pytest.raises(ImageError, match="has 64 x 48 pixels, over the limit of 1,000"):
        decode(data, max_pixels=1000)


def test_a_container_that_does_not_tell_its_codec():
    data = encoded(PICTURE)
    assert data[8:12] == b"heix"
    length = struct.unpack(">I", data[:4])[0]
    generic = data[:8] + b"mif1" + data[12:16] + b"mif1" * ((length - 16) // 4) + data[length:]
    assert formats.format_of(generic) == "HEIF"
    assert decode(generic).tobytes() == PICTURE.tobytes()


def test_odd_exif_beside_it_costs_no_pixel():
    data = turned(6)
    at = data.rindex(b"Exif\0\0")
    odd = data[: at - 4] + b"\xa5" * 20 + data[at + 16 :]
    image = decode(odd)
    assert image.tobytes() == PICTURE.transpose(Image.Transpose.ROTATE_270).tobytes()


def test_damage_is_told():
    data = encoded(PICTURE)
    for cut in (30, len(data) // 2, len(data) - 5):
        with pytest.raises(ImageError, match="damaged or truncated") as caught:
            decode(data[:cut])
        assert "\n" not in str(caught.value)
        assert caught.value.lasting


def test_the_programs_own_reader_goes_first(monkeypatch):
    class Own(pillow_heif.HeifImageFile):
        def load(self):
            made.append(self)
            return super().load()

    made = []
    monkeypatch.setitem(Image.OPEN, "HEIF", (Own, lambda prefix: prefix[4:12] == b"ftypheix"))
    monkeypatch.setattr(Own, "__module__", "own_heif")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert decode(encoded(PICTURE)).tobytes() == PICTURE.tobytes()
    assert made


def test_it_is_among_the_readers():
    assert f"pillow-heif {pillow_heif.__version__}" in formats.readers()
