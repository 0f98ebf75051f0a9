"""Which files are pictures: the one list of suffixes by which folders, tars and tables are looked through, and what a
file is by its first bytes, which decide when it is opened (but for TGA, which has no signature).

Pillow knows some forty formats. Contralto opens the dozen below, directly by their classes: files from strangers
reach no interpreter (PostScript) and no stub, the pixel limit is ours alone and not Pillow's global one, and what
is not a picture gets a reason that says what it is.
"""

from __future__ import annotations

import functools
import importlib
from typing import BinaryIO

import PIL
from PIL import ImageFile, features

from contralto import __version__

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".avif", ".heic", ".heif", ".jp2", ".j2k"),
    *(".bmp", ".dib", ".tif", ".tiff", ".tga", ".qoi", ".ico", ".ppm", ".pgm", ".pbm", ".pnm"),
)
READS = "AVIF, BMP, GIF, ICO, JPEG, JPEG 2000, PNG, PPM, QOI, TGA, TIFF, WebP"


class NotAPicture(Exception):
    """The message is the reason."""


@functools.cache
def readers() -> str:
    """Who judges here whether a picture can be read: it changes with what can be, by version or installation."""
    codecs = ("jpg", "jpg_2000", "libtiff", "zlib", "webp", "avif")
    there = ", ".join(f"{name} {version}" for name in codecs if (version := features.version(name)) is not None)
    return f"contralto {__version__}, Pillow {PIL.__version__} with {there}"


def is_picture(name: str) -> bool:
    """Whether a file of this name is taken for a picture when a folder, a tar or a data set is gone through."""
    return name.lower().endswith(SUFFIXES)


def open_header(file: BinaryIO, name: str = "") -> ImageFile.ImageFile:
    """Pillow's image of an open, seekable file: its header read, but (except in an ICO) no pixel decoded.

    `name` matters for TGA only: an old one has no signature, so its suffix is believed.
    Raises NotAPicture where the file is none or this Pillow was built without its format, and for a damaged header
    whatever Pillow raises.
    """
    head = file.read(1024)
    kind = _kind(head)
    if kind is None and (name.lower().endswith(".tga") or _has_tga_footer(file)):
        kind = "TGA"
    if kind is None:
        raise NotAPicture(_what_it_is(head))
    file.seek(0)
    try:
        plugin = importlib.import_module(f"PIL.{_PLUGINS[kind]}Plugin")
        image: ImageFile.ImageFile = getattr(plugin, _PLUGINS[kind] + "File")(file)
    except ImportError as error:
        raise NotAPicture(f"is {kind}, which this Pillow cannot read: upgrade it") from error
    return image


_PLUGINS = {
    "AVIF": "AvifImage",
    "BMP": "BmpImage",
    "GIF": "GifImage",
    "ICO": "IcoImage",
    "JPEG": "JpegImage",
    "JPEG 2000": "Jpeg2KImage",
    "PNG": "PngImage",
    "PPM": "PpmImage",
    "QOI": "QoiImage",
    "TGA": "TgaImage",
    "TIFF": "TiffImage",
    "WebP": "WebPImage",
}

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\1\0", "ICO"),
    (b"qoif", "QOI"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
)

_OTHERS = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"8BPS", "a Photoshop document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"version https://git-lfs", "a git-LFS pointer, not the picture: git lfs pull fetches it"),
)


def _kind(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp" and _has_brand(head, b"avif", b"avis"):
        return "AVIF"
    if head[:1] == b"P" and head[1:2] in b"123456f" and head[2:3].isspace():
        return "PPM"
    return next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), None)


def _has_brand(head: bytes, *brands: bytes) -> bool:
    """Whether an ISO media file claims one of these brands, as its own or as a compatible one."""
    box = head[8 : min(int.from_bytes(head[:4], "big"), len(head))]
    return any(box[i : i + 4] in brands for i in range(0, len(box), 4))


def _has_tga_footer(file: BinaryIO) -> bool:
    size = file.seek(0, 2)
    file.seek(max(size - 18, 0))
    return file.read(18) == b"TRUEVISION-XFILE.\0"


def _what_it_is(head: bytes) -> str:
    """The reason for refusing a file that begins like this."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text and text[:1] == b"<":
        return "is SVG, a drawing and not a raster picture: render it to PNG first"
    if text.startswith((b"<!doctype html", b"<html")):
        return "is an HTML page, not a picture"
    if head[4:8] == b"ftyp":
        if _has_brand(head, b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"):
            return "is HEIC, which Pillow cannot read: convert it to JPEG first"
        return "is a film (MP4 or alike), not a picture"
    for signature, what in _OTHERS:
        if head.startswith(signature):
            return f"is {what}"
    return f"is not a picture in a format that Contralto reads ({READS})"
