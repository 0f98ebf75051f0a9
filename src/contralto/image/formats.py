"""Which files are pictures, and who reads them: the one list of suffixes by which folders, tars and tables are looked
through, and what a file is by its first bytes, which decide when it is opened (but for TGA, which has no signature).

Pillow knows some forty formats. Contralto opens the dozen below, directly by their classes: files from strangers
reach no interpreter (PostScript) and no stub, the pixel limit is ours alone and not Pillow's global one, and what
is not a picture gets a reason that says what it is. A file of another format goes to a reader that the program itself
has registered with Pillow, and HEIC to pillow-heif where it is installed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from typing import BinaryIO, cast

import PIL
from PIL import Image, ImageFile

from contralto.version import __version__

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".avif", ".heic", ".heif", ".jp2", ".j2k"),
    *(".bmp", ".dib", ".tif", ".tiff", ".tga", ".qoi", ".ico", ".ppm", ".pgm", ".pbm", ".pnm"),
)
READS = "AVIF, BMP, GIF, HEIC, ICO, JPEG, JPEG 2000, PNG, PPM, QOI, TGA, TIFF, WebP"


class Refused(Exception):
    """Carries a reason that is already worded, and whether the bytes of the item alone decide it (see ItemError)."""

    def __init__(self, reason: str, lasting: bool = True) -> None:
        super().__init__(reason)
        self.lasting = lasting


def is_picture(name: str) -> bool:
    """Whether a file of this name is taken for a picture when a folder, a tar or a data set is gone through."""
    return name.lower().endswith(SUFFIXES)


def open_header(file: BinaryIO, name: str = "") -> ImageFile.ImageFile:
    """Pillow's image of an open, seekable file: its header read, but (except in an ICO) no pixel decoded.

    `name` matters for TGA only: an old one has no signature, so its suffix is believed.
    Raises Refused where the file is no picture or nothing that is installed reads its format, and for a damaged header
    whatever the reader raises.
    """
    head = file.read(1024)
    kind = _kind(head)
    if kind is None and (name.lower().endswith(".tga") or _has_tga_footer(file)):
        kind = "TGA"
    reader = _pillows(kind) or _registered(head) or (_pillow_heif() if kind in HEIF else None)
    if reader is None:
        raise _refusal(kind, head)
    file.seek(0)
    return reader(file, "")


def readers() -> str:
    """What reads pictures here, in one line that changes whenever that does.

    A cache that remembers which files cannot be read keeps it beside them: another reader may read them.
    """
    found = [f"contralto {__version__}", f"Pillow {PIL.__version__}"]
    found += [f"no {kind}" for kind in _PLUGINS if _pillows(kind) is None]
    for name, reader, _ in _foreign():
        package = _package(reader)
        found.append(f"{name} by {package} {getattr(sys.modules.get(package), '__version__', '')}".strip())
    if find_spec("pillow_heif") is not None:
        from importlib.metadata import PackageNotFoundError, version  # slow to import, and few need it

        with suppress(PackageNotFoundError):
            found.append(f"pillow-heif {version('pillow-heif')}")
    return ", ".join(found)


Reader = Callable[[BinaryIO, str], ImageFile.ImageFile]


def _pillows(kind: str | None) -> Reader | None:
    """Pillow's class for one of our formats; None for another, and where this Pillow was built without it."""
    if kind not in _PLUGINS:
        return None
    try:
        plugin = importlib.import_module(f"PIL.{_PLUGINS[kind]}Plugin")
    except ImportError:
        return None
    reader: Reader = getattr(plugin, _PLUGINS[kind] + "File")
    return reader if getattr(plugin, "SUPPORTED", True) else None


def _registered(head: bytes) -> Reader | None:
    """The reader that the program has registered with Pillow for a file that begins like this."""
    for _, reader, accept in _foreign():
        accepted = accept(head[:16])
        if accepted and not isinstance(accepted, str):  # text says why a reader that knows the format cannot read it
            return reader
    return None


def _foreign() -> Iterator[tuple[str, Reader, Callable[[bytes], object]]]:
    """(format, reader, whether it takes a file of these first 16 bytes) of those that are not Pillow's own."""
    for name, (reader, accept) in list(Image.OPEN.items()):
        if accept is not None and _package(reader) != "PIL":
            yield name, cast(Reader, reader), accept


def _package(reader: object) -> str:
    return str(getattr(reader, "__module__", "")).partition(".")[0]


def _pillow_heif() -> Reader | None:
    """pillow-heif's class, if it is installed. Its `register_heif_opener` would change Pillow for the whole program."""
    try:
        reader: Reader = importlib.import_module("pillow_heif").HeifImageFile
    except ImportError:
        return None
    return reader


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

# ISO media files that hold a picture, by their brands. The last three are of the container alone.
HEIF = ("HEIC", "HEIF")
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "HEIC"),
    **dict.fromkeys((b"mif1", b"mif2", b"msf1"), "HEIF"),
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
    (b"version https://git-lfs", "a git-LFS pointer, not the picture: git lfs pull fetches it"),
)


_UNREAD = ((b"\xff\x0a", "JPEG XL"), (b"\0\0\0\x0cJXL ", "JPEG XL"))


def _kind(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if head[:1] == b"P" and head[1:2] in b"123456f" and head[2:3].isspace():
        return "PPM"
    return next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), None)


def _by_brand(head: bytes) -> str | None:
    """By the brand that an ISO media file has itself, else by the first of those with which it calls itself compatible
    that tells the codec: `mif1` does not, and a file may list it before `avif`."""
    box = head[: min(int.from_bytes(head[:4], "big"), len(head))]
    brands = [box[8:12], *(box[i : i + 4] for i in range(16, len(box), 4))]
    kinds = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    return next((kind for kind in kinds if kind != "HEIF"), kinds[0] if kinds else None)


def _has_tga_footer(file: BinaryIO) -> bool:
    size = file.seek(0, 2)
    file.seek(max(size - 18, 0))
    return file.read(18) == b"TRUEVISION-XFILE.\0"


def _refusal(kind: str | None, head: bytes) -> Refused:
    """Why a file that begins like this is not read. What another reader would read is not refused for good."""
    if kind in HEIF:
        return Refused(f"is {kind}: pip install 'contralto[heif]' reads it", lasting=False)
    if kind is not None:
        return Refused(f"is {kind}, which this Pillow cannot read: upgrade it", lasting=False)
    for signature, what in _UNREAD:
        if head.startswith(signature):
            return Refused(f"is {what}, for which no reader is registered with Pillow", lasting=False)
    return Refused(_what_it_is(head))


def _what_it_is(head: bytes) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text and text[:1] == b"<":
        return "is SVG, a drawing and not a raster picture: render it to PNG first"
    if text.startswith((b"<!doctype html", b"<html")):
        return "is an HTML page, not a picture"
    if head[4:8] == b"ftyp":
        return "is a film (MP4 or alike), not a picture"
    for signature, what in _OTHERS:
        if head.startswith(signature):
            return f"is {what}"
    return f"is not a picture in a format that Contralto reads ({READS})"
