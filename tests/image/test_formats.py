"""The reader for each file, and the error if there is none."""

import io
import struct
import sys
import types

import numpy as np
import pytest
from PIL import AvifImagePlugin, Image, ImageFile, WebPImagePlugin

from contralto.errors import ImageError
from contralto.image import formats
from contralto.image.decode import decode

PICTURE = Image.fromarray(np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3))


def encoded(kind, **options):
    file = io.BytesIO()
    PICTURE.save(file, kind, **options)
    return file.getvalue()


def refused(data):
    with pytest.raises(ImageError) as caught:
        decode(data)
    return caught.value.reason, caught.value.lasting


@pytest.fixture
def no_pillow_heif(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for name in ("HEIF", "HEIC"):
        monkeypatch.delitem(Image.OPEN, name, raising=False)


def box(brand, *compatible):
    return struct.pack(">I", 16 + 4 * len(compatible)) + b"ftyp" + brand + b"\0\0\0\0" + b"".join(compatible)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (box(b"avif", b"mif1", b"miaf"), "AVIF"),
        (box(b"avis", b"msf1", b"heic"), "AVIF"),
        (box(b"mif1", b"mif1", b"avif", b"miaf"), "AVIF"),
        (box(b"msf1", b"msf1", b"miaf", b"avis"), "AVIF"),
        (box(b"heic", b"mif1", b"avif"), "HEIC"),
        (box(b"heix", b"mif1"), "HEIC"),
        (box(b"mif1", b"heic", b"avif"), "HEIC"),
        (box(b"msf1", b"hevc"), "HEIC"),
        (box(b"hevc", b"msf1"), "HEIC"),
        (box(b"mif1", b"miaf"), "HEIF"),
        (box(b"isom", b"mp41"), None),
        (box(b"qt  "), None),
        (b"\0\0\0\0ftypheic", None),
        (b"\0\0\0\x0cftyp", None),
    ],
)
def test_brands(head, kind):
    assert formats.format_of(head) == kind


@pytest.mark.usefixtures("no_pillow_heif")
@pytest.mark.parametrize("brand", [b"heic", b"hevx", b"mif1"])
def test_heic_without_a_reader_says_what_to_install(brand):
    kind = "HEIF" if brand == b"mif1" else "HEIC"
    assert refused(box(brand)) == (f"is {kind}: pip install 'contralto[heif]' reads it", False)


@pytest.mark.parametrize(("kind", "plugin"), [("AVIF", AvifImagePlugin), ("WebP", WebPImagePlugin)])
def test_a_format_that_pillow_was_built_without(kind, plugin, monkeypatch):
    before = formats.readers()
    monkeypatch.setattr(plugin, "SUPPORTED", False)
    assert refused(encoded(kind)) == (f"is {kind}, which this Pillow cannot read: upgrade it", False)
    assert formats.readers() != before


def test_a_format_that_pillow_is_too_old_for(monkeypatch):
    before = formats.readers()
    monkeypatch.setitem(formats._PLUGINS, "QOI", "NoSuchImage")
    assert refused(encoded("QOI")) == ("is QOI, which this Pillow cannot read: upgrade it", False)
    assert formats.readers().replace(", no QOI", "") == before


@pytest.mark.parametrize("missing", ["jpeg", "zip", "jpeg2k", "libtiff"])
def test_a_decoder_that_pillow_was_built_without(missing, monkeypatch):
    kind, options = {"jpeg": ("JPEG", {}), "zip": ("PNG", {}), "jpeg2k": ("JPEG2000", {})}.get(
        missing, ("TIFF", {"compression": "tiff_lzw"})
    )
    data = encoded(kind, **options)
    monkeypatch.delattr(Image.core, f"{missing}_decoder")
    reason, lasting = refused(data)
    assert reason == f"is of a kind that this Pillow cannot read: decoder {missing} not available"
    assert not lasting


def test_jpeg_xl_may_have_a_reader_another_time():
    for head in (b"\xff\x0a" + bytes(30), b"\0\0\0\x0cJXL \r\n\x87\n"):
        assert refused(head) == ("is JPEG XL, for which no reader is registered with Pillow", False)


class OwnImageFile(ImageFile.ImageFile):
    """A format of the program itself: a magic number, a grey level, 2 x 2 pixels."""

    format = "OWN"

    def _open(self):
        self.fp.seek(4)
        self._mode, self._size = "L", (2, 2)
        self.level = self.fp.read(1)[0]
        if self.level == 13:
            raise OSError("an odd level")

    def load(self):
        if self._im is None:
            self.im = Image.core.fill("L", self.size, self.level)
        return super().load()


@pytest.fixture
def own_reader(monkeypatch):
    module = types.ModuleType("own_format")
    module.__version__ = "7.1"
    monkeypatch.setitem(sys.modules, "own_format", module)
    monkeypatch.setattr(OwnImageFile, "__module__", "own_format.plugin")
    monkeypatch.setitem(Image.OPEN, "OWN", (OwnImageFile, lambda prefix: prefix[:4] == b"OWN!"))


@pytest.mark.usefixtures("own_reader")
def test_a_reader_that_the_program_registered_is_asked():
    assert decode(b"OWN!\x07").tobytes() == b"\7" * 4
    assert refused(b"OWN!\x0d") == ("is damaged or truncated: an odd level", True)
    assert refused(b"NOT!\x07")[0].startswith("is not a picture")
    with pytest.raises(ImageError, match="over the limit of 3"):
        decode(b"OWN!\x07", max_pixels=3)
    assert formats.readers().endswith("OWN by own_format 7.1") or "OWN by own_format 7.1, " in formats.readers()


def test_a_registered_reader_changes_what_is_remembered(request):
    before = formats.readers()
    request.getfixturevalue("own_reader")
    assert formats.readers() != before


def test_a_registered_reader_takes_no_format_of_ours(monkeypatch):
    monkeypatch.setattr(OwnImageFile, "__module__", "own_format")
    monkeypatch.setitem(Image.OPEN, "OWN", (OwnImageFile, lambda prefix: True))
    assert decode(encoded("PNG")).tobytes() == PICTURE.tobytes()
    monkeypatch.setitem(Image.OPEN, "OWN", (OwnImageFile, lambda prefix: "a reason why not"))
    assert refused(b"OWN!\x07")[0].startswith("is not a picture")


def test_pillows_other_readers_stay_closed():
    Image.init()  # now all forty are registered
    assert refused(b"%!PS-Adobe-3.0 EPSF-3.0") == ("is a PostScript document", True)
    for kind in ("SGI", "PCX", "DDS"):
        assert refused(encoded(kind))[0].startswith("is not a picture"), kind


def test_readers_is_one_line_and_the_same_twice():
    assert formats.readers() == formats.readers()
    assert "\n" not in formats.readers()
    assert f"Pillow {Image.__version__}" in formats.readers()


def test_the_suffixes_of_all_formats_count():
    for name in ("a.HEIC", "a.heif", "a.avif", "b.Jpg", "c.jp2"):
        assert formats.is_picture(name)
    assert not formats.is_picture("a.eps")
