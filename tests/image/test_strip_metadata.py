"""Damaged metadata does not affect the pixels; a picture with damaged pixels is still refused."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin
from support.noise_pictures import peak_mebibytes
from support.paths import SHARED

from contralto.errors import ImageError
from contralto.image.decode import decode
from contralto.image.strip_metadata import strip_metadata

FAULTS = SHARED / "faults"

y, x = np.mgrid[:48, :64]
PICTURE = Image.fromarray(np.stack([x * 3 % 256, y * 5 % 256, (x + 2 * y) % 256], axis=-1).astype(np.uint8))
OTHER = PICTURE.transpose(Image.Transpose.ROTATE_180)
LONG = zlib.compress(b"x" * 3_000_000)
ODD = b"\xa5 odd " * 20


def encoded(kind, image=PICTURE, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(**tags):
    block = Image.Exif()
    for name, value in tags.items():
        block[int(name[1:], 16)] = value
    return block.tobytes()


PNG, JPEG = encoded("PNG"), encoded("JPEG", quality=95)
TURNED = exif(_0112=6)
UPRIGHT = PICTURE.transpose(Image.Transpose.ROTATE_270)


def chunk(name, data, damage=0):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data) ^ damage)


def with_chunk(made, where):
    """The PNG with more chunks before or after its pixels."""
    at = 33 if where == "before" else PNG.index(b"IEND") - 4
    return PNG[:at] + made + PNG[at:]


BESIDE_PNG = {
    "long profile": chunk(b"iCCP", b"icc\0\0" + LONG),
    "profile of another method": chunk(b"iCCP", b"icc\0\7" + LONG),
    "empty profile": chunk(b"iCCP", b""),
    "long zTXt": chunk(b"zTXt", b"workflow\0\0" + LONG),
    "zTXt of another method": chunk(b"zTXt", b"workflow\0\7" + LONG),
    "long iTXt": chunk(b"iTXt", b"workflow\0\1\0\0\0" + LONG),
    "long XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LONG),
    "long EXIF as text": chunk(b"zTXt", b"Raw profile type exif\0\0" + LONG),
    "texts of 66 MB": b"".join(chunk(b"tEXt", b"a%d\0" % n + b"x" * 6_000_000) for n in range(11)),
    "frames in disorder": chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", struct.pack(">I22x", 5)),
    **{f"short {name}": chunk(name.encode(), b"\0") for name in ("gAMA", "cHRM", "pHYs", "acTL", "fcTL", "tIME")},
    **{
        f"damaged {name}": chunk(name.encode(), b"\0" * 40, damage=1)
        for name in ("gAMA", "cHRM", "sRGB", "pHYs", "acTL", "eXIf", "tEXt", "iTXt", "zTXt", "iCCP", "bKGD", "tIME")
    },
}  # fmt: skip


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("name", BESIDE_PNG)
def test_png(name, where):
    assert decode(with_chunk(BESIDE_PNG[name], where)).tobytes() == PICTURE.tobytes()


@pytest.mark.skipif(not FAULTS.exists(), reason="../shared/faults is not there")
@pytest.mark.parametrize("name", ["icc-1.5MB.png", "text-2MB.png"])
def test_png_that_users_reported(name):
    assert decode(FAULTS / name).size == (64, 48)


def test_a_bomb_in_a_text_costs_no_memory():
    expanding = zlib.compressobj(9)
    bomb = b"".join(expanding.compress(b"\0" * 2**24) for _ in range(16)) + expanding.flush()
    data = with_chunk(chunk(b"zTXt", b"a\0\0" + bomb) + chunk(b"iCCP", b"a\0\0" + bomb), "before")
    tracemalloc.start()
    before = peak_mebibytes()
    assert decode(data).tobytes() == PICTURE.tobytes()
    assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    tracemalloc.stop()
    assert peak_mebibytes() - before < 64


def test_of_a_thousand_bombs_one_is_tried(monkeypatch):
    file = io.BytesIO(with_chunk(chunk(b"zTXt", b"Raw profile type exif\0\0" + LONG) * 1000, "before"))
    made, expanding = [], zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", lambda: made.append(1) or expanding())
    assert strip_metadata(file).getvalue() == PNG
    assert len(made) == 1


def hexadecimal(block):
    """EXIF in hexadecimal, as ImageMagick writes it into a text."""
    return b"\nexif\n%8d\n" % len(block) + block.hex().encode()


TURNS = {
    "eXIf": chunk(b"eXIf", TURNED[6:]),
    "XMP": chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>'),
    "compressed XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b'<x tiff:Orientation="6"/>')),
    "EXIF as text": chunk(b"tEXt", b"Raw profile type exif\0" + hexadecimal(TURNED)),
    "EXIF as compressed text": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(hexadecimal(TURNED))),
}


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("name", TURNS)
def test_a_png_is_turned_whatever_else_is_left_out(name, where):
    for beside in (b"", BESIDE_PNG["long profile"]):
        assert decode(with_chunk(beside + TURNS[name], where)).tobytes() == UPRIGHT.tobytes()


@pytest.mark.parametrize(("mode", "key"), [("RGB", (3, 0, 1)), ("P", 5), ("L", 9)])
def test_transparency_is_kept(mode, key):
    image = PICTURE.convert(mode)
    image.putpixel((5, 5), key)
    plain = encoded("PNG", image, transparency=key)
    odd = plain[:33] + BESIDE_PNG["long profile"] + plain[33:]
    for alpha in ("white", "drop"):
        assert decode(odd, alpha=alpha).convert("RGB").tobytes() == decode(plain, alpha=alpha).convert("RGB").tobytes()


def test_what_decides_the_pixels_of_a_png_is_held_to_its_checksum():
    palette = encoded("PNG", PICTURE.convert("P"), transparency=3)
    for name in (b"IHDR", b"PLTE", b"tRNS"):
        at = palette.index(name)
        for place in (at, at + 4):  # its name, its first byte
            damaged = bytearray(palette)
            damaged[place] ^= 0x20
            with pytest.raises(ImageError, match="damaged"):
                decode(bytes(damaged))


@pytest.mark.parametrize("lost", ["cut", "junk"])
@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "TIFF"])
def test_later_frames_may_be_damaged(kind, lost):
    """Only the first frame counts."""
    options = {"lossless": True} if kind == "WEBP" else {}
    rng = np.random.default_rng(0)
    noise = [Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)) for _ in range(2)]
    whole = encoded(kind, noise[0], save_all=True, append_images=[noise[1], PICTURE], **options)
    first = len(encoded(kind, noise[0], **options)) + (1000 if kind == "GIF" else 200)
    assert first < len(whole) - 2000
    tail = b"" if lost == "cut" else b"\x5a" * (len(whole) - first - 900)
    damaged = whole[: first + 900] + tail
    assert decode(damaged).convert("RGB").tobytes() == decode(whole).convert("RGB").tobytes()


def segment(marker, data):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


BESIDE_JPEG = {
    "short JFIF": segment(0xE0, b"JFIF\0"),
    "short Adobe": segment(0xEE, b"Adobe"),
    "short Photoshop": segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04"),
    "short profile": segment(0xE2, b"ICC_PROFILE\0"),
    "profile in disorder": segment(0xE2, b"ICC_PROFILE\0\x05\x09odd") * 3,
    "profile of 12 MB": b"".join(segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 200]) + b"x" * 60000) for n in range(200)),
    "odd MPF": segment(0xE2, b"MPF\0" + ODD),
    "odd EXIF": segment(0xE1, b"Exif\0\0" + ODD),
    "odd XMP": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + ODD),
    "comment": segment(0xFE, b"x" * 65000),
    "thousands": segment(0xE5, b"z") * 5000,
}


@pytest.mark.parametrize("name", BESIDE_JPEG)
def test_jpeg(name):
    """The turn is kept, before and after the odd segment, and none is invented."""
    turn, want = segment(0xE1, TURNED), decode(JPEG)
    odd = BESIDE_JPEG[name]
    assert decode(JPEG[:2] + odd + JPEG[2:]).tobytes() == want.tobytes()
    if "EXIF" not in name:
        upright = want.transpose(Image.Transpose.ROTATE_270).tobytes()
        assert decode(JPEG[:2] + odd + turn + JPEG[2:]).tobytes() == upright
        assert decode(JPEG[:2] + turn + odd + JPEG[2:]).tobytes() == upright


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_the_colours_of_a_jpeg_are_those_that_its_markers_tell(mode):
    data = encoded("JPEG", PICTURE.convert(mode))
    odd = data[:2] + BESIDE_JPEG["short profile"] + data[2:]
    assert decode(odd).mode == mode
    assert decode(odd).tobytes() == decode(data).tobytes()


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of odd metadata
@given(edits=st.lists(st.tuples(st.integers(6, 90), st.integers(0, 255)), min_size=1, max_size=6))
@settings(max_examples=300, deadline=None)
def test_an_exif_block_costs_no_pixel(edits):
    """Only the turn of the picture may change."""
    block = bytearray(exif(_0112=1, _011a=72.0, _0128=2, _010f="maker"))
    for place, value in edits:
        block[place % (len(block) - 6) + 6] = value
    without_jfif = JPEG[:2] + JPEG[20:]  # Pillow then reads the resolution in the EXIF block
    assert without_jfif[2:4] == b"\xff\xdb"
    image = decode(without_jfif[:2] + segment(0xE1, bytes(block)) + without_jfif[2:])
    assert sorted(image.tobytes()) == sorted(decode(without_jfif).tobytes())


def extension(label, *blocks):
    return b"!" + bytes([label]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


@pytest.mark.parametrize(
    "odd",
    [
        extension(0xFF, b"NETSCAPE2.0"),
        extension(0xFF),
        extension(0xF9),
        extension(0xF9, b"a"),
        extension(0x77, b"a", b"b"),
        extension(0xFE, *[b"c" * 255] * 300),
    ],
)
def test_gif(odd):
    image = PICTURE.convert("P")
    image.putpixel((5, 5), 3)
    for options in ({}, {"transparency": 3}):
        data = encoded("GIF", image, **options)
        at = 13 + (3 << ((data[10] & 7) + 1))
        for place in (at, at + 8 if options else at):
            image = decode(data[:place] + odd + data[place:])
            assert image.convert("RGB").tobytes() == decode(data).convert("RGB").tobytes()


@pytest.mark.parametrize("name", ["EXIF", "XMP ", "ICCP"])
def test_webp(name):
    data = encoded("WEBP", lossless=True, exif=TURNED, xmp=ODD, icc_profile=ODD)
    upright, at = UPRIGHT.tobytes(), data.index(name.encode())
    assert decode(data).tobytes() == upright
    if name == "ICCP":  # it precedes the pixels
        assert decode(data[: at + 8] + b"\0" * len(ODD) + data[at + 8 + len(ODD) :]).tobytes() == upright
        return
    for damaged in (data[: at + 12], data[: at + 4] + b"\xff\xff\0\0" + data[at + 8 :]):
        kept = name == "XMP "  # EXIF precedes it
        assert decode(damaged).tobytes() == (upright if kept else PICTURE.tobytes())


def tiff(tag, edit):
    """A TIFF with one changed field entry (tag, type, count, value or offset)."""
    fields = TiffImagePlugin.ImageFileDirectory_v2()
    fields[270], fields[271], fields[305], fields[274] = "d" * 2000, "maker", "program" * 30, 6
    fields[700], fields.tagtype[700] = b"xmp" * 100, 1
    fields[34675], fields.tagtype[34675] = b"icc" * 1000, 7
    data = bytearray(encoded("TIFF", tiffinfo=fields, compression="tiff_lzw"))
    start = struct.unpack("<I", data[4:8])[0]
    for place in range(start + 2, start + 2 + 12 * struct.unpack("<H", data[start : start + 2])[0], 12):
        entry = struct.unpack("<HHII", data[place : place + 12])
        if entry[0] == tag:
            data[place : place + 12] = struct.pack("<HHII", *edit(*entry))
            return bytes(data)
    raise AssertionError(f"there is no field {tag}")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of odd metadata
@pytest.mark.parametrize("tag", [270, 271, 305, 700, 34675])
@pytest.mark.parametrize(
    "edit",
    [
        lambda tag, kind, count, value: (tag, kind, count, 10**9),
        lambda tag, kind, count, value: (tag, kind, 2**31, value),
        lambda tag, kind, count, value: (tag, 99, count, value),
        lambda tag, kind, count, value: (tag, 5, 1, value),
        lambda tag, kind, count, value: (34853, 4, 1, 10**9),
        lambda tag, kind, count, value: (34665, 4, 1, 10**9),
    ],
)
def test_tiff(tag, edit):
    assert decode(tiff(tag, edit)).tobytes() == UPRIGHT.tobytes()


@pytest.mark.parametrize(("order", "is_big"), [("<", False), (">", False), ("<", True)])  # Pillow reads no other
def test_the_fields_of_every_kind_of_tiff(order, is_big):
    """A grey picture of 2 x 1 pixels, written by hand; the offset of its description is outside the file."""
    number, address = ("Q", "Q") if is_big else ("H", "I")
    head, size = (16, 20) if is_big else (8, 12)
    strip = head + struct.calcsize(order + number) + 10 * size + struct.calcsize(order + address)
    fields = {256: 2, 257: 1, 258: 8, 259: 1, 262: 1, 270: None, 273: strip, 277: 1, 278: 1, 279: 2}
    made = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if is_big else 42)
    made += struct.pack(order + "HHQ", 8, 0, head) if is_big else struct.pack(order + "I", head)
    made += struct.pack(order + number, len(fields))
    for tag, value in fields.items():
        if value is None:
            made += struct.pack(f"{order}HH{address}{address}", tag, 2, 500, 10**6)
        else:
            made += struct.pack(f"{order}HH{address}I", tag, 4, 1, value).ljust(size, b"\0")
    with pytest.warns(UserWarning, match="Skipping tag|Truncated File Read"):
        assert decode(made + struct.pack(order + address, 0) + b"\x11\x99").tobytes() == b"\x11\x99"


def test_avif():
    data = encoded("AVIF", exif=exif(_010f="m" * 40), quality=90)
    at = data.index(b"MM\0*")
    for odd in (b"\0" * 40, ODD[:40]):
        assert decode(data[: at - 4] + odd + data[at + 36 :]).tobytes() == decode(data).tobytes()


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of odd metadata
@pytest.mark.parametrize("data", [PNG, JPEG, encoded("TIFF", compression="tiff_lzw"), encoded("GIF"), encoded("BMP")])
def test_damaged_pixels_are_refused_all_the_same(data):
    with pytest.raises(ImageError, match="damaged or truncated"):
        decode(data[: len(data) // 2])


@given(
    start=st.sampled_from([PNG, PNG[:40], JPEG[:200], b"II*\0\x08\0\0\0", b"MM\0+", b"RIFF\0\0\0\0WEBP", b"GIF89a"]),
    rest=st.binary(max_size=300),
)
@settings(max_examples=300, deadline=None)
def test_it_meets_bytes_from_strangers(start, rest):
    file = strip_metadata(io.BytesIO(start + rest))
    assert file is None or len(file.getvalue()) <= len(start + rest) + 64
