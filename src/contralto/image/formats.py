"""Which files are pictures, and which reader opens each format.

`SUFFIXES` is the only list of suffixes for searching folders, tars and tables. When a file is opened, its first bytes
decide the format (except for TGA, which has no signature).

Pillow knows some forty formats. Contralto opens a dozen of them directly by their classes: untrusted files reach no
interpreter (PostScript) and no stub, only our own pixel limit applies, and the error for another file says what it is.
Other formats go to readers that the program has registered with Pillow, and HEIC to pillow-heif if installed.
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


class Refusal(Exception):
    """A picture is refused, with the reason for the user. lasting: whether the item's bytes alone decide it."""

    def __init__(self, reason: str, lasting: bool = True) -> None:
        super().__init__(reason)
        self.lasting = lasting


def is_picture(name: str) -> bool:
    """Whether a file of this name counts as a picture in a folder, a tar or a data set."""
    return name.lower().endswith(SUFFIXES)


def open_header(file: BinaryIO, name: str = "") -> ImageFile.ImageFile:
    """Opens a seekable file as a Pillow image: the header is read, but no pixel decoded (except in an ICO).

    name: used for TGA only; an old TGA has no signature, so the suffix decides.
    Raises Refusal if the file is no picture or no installed reader supports its format. For a damaged header the
    reader raises any exception.
    """
    head = file.read(1024)
    format_name = format_of(head)
    if format_name is None and (name.lower().endswith(".tga") or _has_tga_footer(file)):
        format_name = "TGA"
    reader = (
        _pillow_reader(format_name) or _registered_reader(head) or (_pillow_heif() if format_name in HEIF else None)
    )
    if reader is None:
        raise _refusal(format_name, head)
    file.seek(0)
    return reader(file, "")


def readers() -> str:
    """The versions of all picture readers, in one line that changes whenever one of them does.

    A cache stores this line with each unreadable file, since another reader may read the file.
    """
    versions = [f"contralto {__version__}", f"Pillow {PIL.__version__}"]
    versions += [f"no {format_name}" for format_name in _PLUGINS if _pillow_reader(format_name) is None]
    for name, reader, _ in _foreign_readers():
        package = _package(reader)
        versions.append(f"{name} by {package} {getattr(sys.modules.get(package), '__version__', '')}".strip())
    if find_spec("pillow_heif") is not None:
        from importlib.metadata import PackageNotFoundError, version  # slow to import, rarely needed

        with suppress(PackageNotFoundError):
            versions.append(f"pillow-heif {version('pillow-heif')}")
    return ", ".join(versions)


Reader = Callable[[BinaryIO, str], ImageFile.ImageFile]


def _pillow_reader(format_name: str | None) -> Reader | None:
    """Pillow's class for one of our formats; None for others, and if this Pillow was built without it."""
    if format_name not in _PLUGINS:
        return None
    try:
        plugin = importlib.import_module(f"PIL.{_PLUGINS[format_name]}Plugin")
    except ImportError:
        return None
    reader: Reader = getattr(plugin, _PLUGINS[format_name] + "File")
    return reader if getattr(plugin, "SUPPORTED", True) else None


def _registered_reader(head: bytes) -> Reader | None:
    """The reader that the program has registered with Pillow for a file with this beginning."""
    for _, reader, accept in _foreign_readers():
        accepted = accept(head[:16])
        if accepted and not isinstance(accepted, str):  # a str is the reason why a reader cannot read it
            return reader
    return None


def _foreign_readers() -> Iterator[tuple[str, Reader, Callable[[bytes], object]]]:
    """(format, reader, test of the first 16 bytes) of each registered reader that is not Pillow's own."""
    for name, (reader, accept) in list(Image.OPEN.items()):
        if accept is not None and _package(reader) != "PIL":
            yield name, cast(Reader, reader), accept


def _package(reader: object) -> str:
    return str(getattr(reader, "__module__", "")).partition(".")[0]


def _pillow_heif() -> Reader | None:
    """pillow-heif's class, if installed. Its `register_heif_opener` would change Pillow for the whole program."""
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

# ISO media files with a picture, by brand. The last three brands state only the container.
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

_NOT_PICTURES = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"8BPS", "a Photoshop document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"version https://git-lfs", "a git-LFS pointer, not the picture: git lfs pull fetches it"),
)


_UNREAD_FORMATS = ((b"\xff\x0a", "JPEG XL"), (b"\0\0\0\x0cJXL ", "JPEG XL"))


def format_of(head: bytes) -> str | None:
    """The format of a file by its first 1024 bytes, such as "PNG"; None if it is unknown."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        return _format_by_brand(head)
    if head[:1] == b"P" and head[1:2] in b"123456f" and head[2:3].isspace():
        return "PPM"
    return next((format_name for signature, format_name in _SIGNATURES if head.startswith(signature)), None)


def _format_by_brand(head: bytes) -> str | None:
    """The format of an ISO media file by its major brand, else by the first compatible brand that states the codec.
    `mif1` does not state it, and may be listed before `avif`."""
    box = head[: min(int.from_bytes(head[:4], "big"), len(head))]
    brands = [box[8:12], *(box[i : i + 4] for i in range(16, len(box), 4))]
    kinds = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    return next((format_name for format_name in kinds if format_name != "HEIF"), kinds[0] if kinds else None)


def _has_tga_footer(file: BinaryIO) -> bool:
    size = file.seek(0, 2)
    file.seek(max(size - 18, 0))
    return file.read(18) == b"TRUEVISION-XFILE.\0"


def _refusal(format_name: str | None, head: bytes) -> Refusal:
    """Why a file with this beginning is not read. It is not lasting if another reader could read it."""
    if format_name in HEIF:
        return Refusal(f"is {format_name}: pip install 'contralto[heif]' reads it", lasting=False)
    if format_name is not None:
        return Refusal(f"is {format_name}, which this Pillow cannot read: upgrade it", lasting=False)
    for signature, what in _UNREAD_FORMATS:
        if head.startswith(signature):
            return Refusal(f"is {what}, for which no reader is registered with Pillow", lasting=False)
    return Refusal(_why_no_picture(head))


def _why_no_picture(head: bytes) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text and text[:1] == b"<":
        return "is SVG, a drawing and not a raster picture: render it to PNG first"
    if text.startswith((b"<!doctype html", b"<html")):
        return "is an HTML page, not a picture"
    if head[4:8] == b"ftyp":
        return "is a film (MP4 or alike), not a picture"
    for signature, what in _NOT_PICTURES:
        if head.startswith(signature):
            return f"is {what}"
    return f"is not a picture in a format that Contralto reads ({READS})"
