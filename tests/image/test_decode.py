"""The result for every kind of item, and the reason for each refusal."""

import io
import os
import pickle
import socket
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.noise_pictures import encoded, noise, smooth

from contralto.errors import ImageError
from contralto.image.decode import decode

# EXIF's definition: the sides of row 0 and column 0 of the stored picture in the upright one.
STORED = {
    1: lambda up: up,
    2: lambda up: up[:, ::-1],
    3: lambda up: up[::-1, ::-1],
    4: lambda up: up[::-1],
    5: lambda up: up.swapaxes(0, 1),
    6: lambda up: up.swapaxes(0, 1)[::-1],
    7: lambda up: up.swapaxes(0, 1)[::-1, ::-1],
    8: lambda up: up.swapaxes(0, 1)[:, ::-1],
}
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}}
FORMATS = {**LOSSLESS, "JPEG": {}, "BMP": {}, "GIF": {}, "PPM": {}, "TGA": {}, "ICO": {}, "QOI": {}, "AVIF": {},
           "JPEG2000": {}}  # fmt: skip


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def reason_of(item, **options):
    with pytest.raises(ImageError) as caught:
        decode(item, **options)
    assert "\n" not in str(caught.value)
    return caught.value.reason


def shown_or_reason(item, **options):
    """The pixels of the picture, or the one-line reason why it is refused."""
    try:
        return decode(item, **options).tobytes()
    except ImageError as error:
        return error.reason


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("orientation", STORED)
def test_exif_turns(kind, orientation):
    upright = np.asarray(noise("RGB", (13, 7)))
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    data = encoded(stored, kind, exif=exif(orientation), **LOSSLESS[kind])
    assert np.array_equal(np.asarray(decode(data)), upright)
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(np.asarray(decode(image)), upright)


@pytest.mark.parametrize("orientation", [0, 9, 99, 65535])
def test_an_invalid_turn_is_ignored(orientation):
    picture = noise("RGB", (13, 7))
    assert decode(encoded(picture, "PNG", exif=exif(orientation))).tobytes() == picture.tobytes()


def test_broken_exif_is_ignored():
    picture = noise("RGB", (13, 7))
    assert decode(encoded(picture, "PNG", exif=b"Exif\0\0II*\0 nonsense")).tobytes() == picture.tobytes()


def test_items_of_one_picture(tmp_path):
    picture = smooth()
    data = encoded(picture, "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    array = np.asarray(picture)
    reversed_twice = array[::-1][::-1]
    strided = np.repeat(array, 2, axis=1)[:, ::2]
    fortran = np.asfortranarray(array)
    files = (path, str(path), data, bytearray(data), memoryview(data))
    for item in (*files, picture, array, reversed_twice, strided, fortran):
        assert np.array_equal(np.asarray(decode(item)), array)
    assert np.array_equal(np.asarray(decode(np.asarray(picture.convert("L")))), np.asarray(picture.convert("L")))


def test_a_name_that_is_not_utf8(tmp_path):
    class Bytes(os.PathLike):
        def __fspath__(self):
            return os.fsencode(tmp_path) + b"/caf\xe9\n.png"

    Path(os.fsdecode(Bytes())).write_bytes(encoded(smooth(), "PNG"))
    assert decode(Bytes()).size == (64, 48)
    assert decode(os.fsdecode(Bytes())).size == (64, 48)
    Path(os.fsdecode(Bytes())).write_bytes(b"no")
    with pytest.raises(ImageError) as caught:
        decode(Bytes())
    assert caught.value.item == os.fsdecode(Bytes())
    str(caught.value).encode()  # no control characters
    assert pickle.loads(pickle.dumps(caught.value)).item == caught.value.item


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "RGBA", "LA", "CMYK", "YCbCr", "La", "RGBa", "PA"])
@pytest.mark.parametrize("alpha", ["white", "drop"])
def test_a_pillow_image_is_never_changed(mode, alpha):
    image = noise(mode, (20, 10)) if mode != "PA" else noise("P", (20, 10)).convert("PA")
    if mode == "P":
        image.info["transparency"] = bytes(range(256))
    before = (image.mode, image.size, image.tobytes(), dict(image.info), image.getpalette("RGBA") if mode == "P" else 0)
    decode(image, alpha=alpha)
    assert before[:4] == (image.mode, image.size, image.tobytes(), dict(image.info))
    if mode == "P":
        assert before[4] == image.getpalette("RGBA")


def test_transparency_onto_white_by_the_formula():
    value, alpha = np.meshgrid(np.arange(256), np.arange(256))
    image = Image.fromarray(np.stack([value, value[:, ::-1], value, alpha], axis=-1).astype(np.uint8))
    exact = np.floor((np.asarray(image)[..., :3] * (a := alpha[..., None]) + 255 * (255 - a)) / 255 + 0.5)
    onto = decode(image)
    assert onto.mode == "RGB"
    assert np.array_equal(np.asarray(onto), exact)
    assert decode(image, alpha="drop").mode == "RGBA"


@pytest.mark.parametrize(
    ("image", "key"),
    [
        (noise("RGB", (8, 8)), (1, 2, 3)),
        (noise("L", (8, 8)), 7),
        (noise("1", (8, 8)), 255),
        (noise("P", (8, 8)), 3),
        (Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000), 7000),
    ],
)
def test_a_transparent_colour_becomes_white(image, key):
    image.putpixel((2, 5), key)
    data = encoded(image, "PNG", transparency=key)
    white = np.asarray(decode(data).convert("RGB"))
    dropped = np.asarray(decode(data, alpha="drop").convert("RGB"))
    clear = np.all(np.asarray(image).reshape(8, 8, -1) == np.asarray(key if image.mode != "1" else True), axis=-1)
    assert clear[5, 2]
    assert (white[clear] == 255).all()
    assert np.array_equal(white[~clear], dropped[~clear])


def test_sixteen_bit_grey_is_scaled_and_rounded():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    exact = np.floor(values.astype(float) * 255 / 65535 + 0.5)
    for kind in ("PNG", "TIFF", "PPM"):
        image = decode(encoded(Image.fromarray(values), kind))
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image), exact), kind
    assert np.array_equal(np.asarray(decode(Image.fromarray(values.astype(np.int32)))), exact)
    big_endian = Image.frombytes("I;16B", (256, 256), values.astype(">u2").tobytes())
    assert np.array_equal(np.asarray(decode(big_endian)), exact)


def test_float_grey_by_its_range():
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    for scale in (1, 255):
        assert np.asarray(decode(Image.fromarray(ramp * scale))).ravel().tolist() == list(range(256))


@pytest.mark.parametrize("value", [np.float32(-0.1), np.float32(256), np.float32("nan"), np.int32(-1), np.int32(65536)])
def test_grey_of_another_range_is_refused(value):
    grey = np.zeros((4, 4), value.dtype)
    grey[1, 1] = value
    assert "grey of" in reason_of(Image.fromarray(grey))


def test_the_first_frame_counts():
    frames = [noise("L", (9, 9), seed) for seed in range(3)]
    for kind in ("GIF", "PNG", "TIFF", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert np.array_equal(np.asarray(decode(data).convert("L")), np.asarray(frames[0])), kind


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (b"", "is empty (0 bytes)"),
        (b"\0" * 4096, "not a picture in a format that Contralto reads"),
        (b"\n<!DOCTYPE html><html>", "is an HTML page"),
        (b"<?xml version='1.0'?>\n<svg xmlns='...'/>", "is SVG"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp41", "is a film"),
        (b"%PDF-1.7", "is a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "is a PostScript document"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "is damaged or truncated"),
        (b"\xff\xd8\xff", "is damaged or truncated"),
        (np.zeros((4, 4, 3)), "ndarray, float64 of shape (4, 4, 3): not a path"),
        (np.zeros((3, 4, 5), np.uint8), "of shape (3, 4, 5)"),
        (np.zeros((2, 4, 4, 3), np.uint8), "of shape (2, 4, 4, 3)"),
        (np.zeros((0, 4, 3), np.uint8), "has no pixels"),
        (Image.new("RGB", (0, 4)), "has no pixels"),
        (None, "NoneType"),
        (7, "not a path, bytes"),
        ("a\0b.png", "cannot be a file name"),
        ("a" * 5000, "cannot be opened"),
        ("", "No such file"),
    ],
)
def test_reasons(item, reason):
    assert reason in reason_of(item)


def test_what_is_not_a_regular_file(tmp_path, monkeypatch):
    assert "No such file" in reason_of(tmp_path / "absent.jpg")
    assert "directory" in reason_of(tmp_path)
    os.mkfifo(tmp_path / "fifo.jpg")
    assert reason_of(tmp_path / "fifo.jpg") == "is not a regular file"
    assert reason_of("/dev/zero") == "is not a regular file"
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        assert "cannot be opened" in reason_of("socket.jpg")

    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", forbidden)
    assert reason_of(tmp_path / "secret.jpg") == "cannot be opened: Permission denied"


def test_limits(tmp_path):
    data = encoded(smooth(), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    for item in (data, path, smooth(), np.asarray(smooth())):
        assert decode(item, max_pixels=64 * 48).size == (64, 48)
        assert reason_of(item, max_pixels=64 * 48 - 1) == "has 64 x 48 pixels, over the limit of 3,071"
    for item in (data, path):
        assert decode(item, max_bytes=len(data)).size == (64, 48)
        assert "bytes, over the limit of" in reason_of(item, max_bytes=len(data) - 1)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width, height):
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def test_bombs():
    tail = chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    assert "over the limit of 178,956,970" in reason_of(png_header(2**31 - 1, 2**31 - 1) + tail)
    assert "a side" in reason_of(png_header(1, 178_956_970) + tail)


def test_pillows_global_limit_is_left_alone(monkeypatch):
    """Most readers ignore it, and its warning does not appear: warnings are errors here."""
    icon = encoded(smooth(), "ICO", sizes=[(64, 48)])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for kind in ("PNG", "JPEG", "BMP", "GIF", "PPM", "TGA"):
        assert decode(encoded(smooth(), kind)).size == (64, 48), kind
    for data in (icon, encoded(smooth(), "TIFF")):
        assert "over Pillow's own limit" in reason_of(data)
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_an_old_tga_is_known_by_its_suffix(tmp_path):
    data = encoded(smooth(), "TGA")[:-26]  # without the footer of version 2
    assert "not a picture" in reason_of(data)
    (tmp_path / "a.TGA").write_bytes(data)
    assert decode(tmp_path / "a.TGA").tobytes() == smooth().tobytes()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_cut_short_is_refused_or_complete(kind):
    data = encoded(noise("RGB", (32, 24)), kind, **FORMATS[kind])
    whole = decode(data).tobytes()
    lengths = range(1, len(data), max(1, len(data) // 200))
    outcomes = [shown_or_reason(data[:length]) for length in lengths]
    assert all(isinstance(outcome, str) or outcome == whole for outcome in outcomes)
    assert sum(isinstance(outcome, str) for outcome in outcomes) > 0.9 * len(lengths)


SAMPLES = {kind: encoded(smooth((24, 18)), kind, **options) for kind, options in FORMATS.items()}
LIMIT = 10**6  # pixels; a picture with a mutated header that claims more is refused


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of odd metadata
@given(
    kind=st.sampled_from(sorted(SAMPLES)),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
    keep=st.floats(0, 1),
)
@settings(max_examples=400, deadline=None)
def test_damaged_bytes_raise_nothing_but_image_errors(kind, edits, keep):
    data = bytearray(SAMPLES[kind])
    for where, value in edits:
        data[int(where * len(data))] = value
    data = data if keep > 0.5 else data[: int(2 * keep * len(data))]
    outcome = shown_or_reason(data, max_pixels=LIMIT)
    assert len(outcome) <= 4 * LIMIT
    assert isinstance(outcome, bytes) or "\n" not in outcome


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_random_bytes_raise_nothing_but_image_errors(data):
    with pytest.raises(ImageError):
        decode(data)


@pytest.mark.parametrize(
    ("size", "n", "scaled"),
    [
        ((1000, 750), 224, (1000, 750)),
        ((1000, 896), 224, (500, 448)),
        ((1000, 895), 224, (1000, 895)),
        ((901, 897), 224, (451, 449)),
        ((1800, 1800), 224, (450, 450)),
        ((1795, 3000), 112, (225, 375)),
        ((2000, 1500), 8, (250, 188)),
    ],
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_scaled_decoding_follows_its_rule(size, n, scaled, orientation):
    data = encoded(smooth(size), "JPEG", exif=exif(orientation))
    turned = scaled if orientation == 1 else scaled[::-1]
    assert decode(data, scaled_to=n).size == turned
    assert decode(data).size == (size if orientation == 1 else size[::-1])
    assert decode(encoded(smooth(size), "BMP"), scaled_to=n).size == size


def test_scaled_decoding_shows_the_same_picture():
    y, x = np.mgrid[:900, :1200]
    waves = np.stack([np.sin(x / 60), np.cos(y / 45), np.sin((x + y) / 80)], axis=-1)
    picture = Image.fromarray((127.5 + 120 * waves).astype(np.uint8))
    data = encoded(picture, "JPEG", quality=95)
    small = decode(data, scaled_to=112)
    assert small.size == (300, 225)
    exact = np.asarray(decode(data).resize(small.size, Image.Resampling.BOX)).astype(int)
    assert np.abs(np.asarray(small) - exact).mean() < 2


def test_threads_agree(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(smooth((400, 300)), "JPEG", exif=exif(6)))
    results = []
    threads = [threading.Thread(target=lambda: results.append(decode(path).tobytes())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert len(set(results)) == 1
