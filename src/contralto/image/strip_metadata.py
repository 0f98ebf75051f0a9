"""Removes metadata from a picture file: colour profiles, texts, thumbnails, later frames.

Pillow refuses a whole picture if a profile is too long, a text has a wrong checksum or an EXIF block is malformed. None
of these affects the pixels, so `decode` retries a file that failed without them. Everything that decides the pixels
stays byte for byte, with its checksums, so a picture with damaged pixels is still refused. The orientation stays too,
unless it is damaged or implausibly long.

Sources: PNG (third edition) sections 5 and 11; JPEG (ITU-T T.81) annex B; WebP container (RFC 9649) section 2; HEIF
(ISO/IEC 23008-12) section 6.2, item information.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, Literal

from PIL import ExifTags, Image

MAX_ORIENTATION_BYTES = 2**20  # limit of a chunk with the orientation, also after decompression

# PNG chunks that affect no pixel, by their registered names, and those of them that may hold the orientation.
PNG_METADATA = frozenset(
    b"cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT tIME eXIf tEXt zTXt iTXt acTL fcTL fdAT".split()
)
PNG_ORIENTATION = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")

# TIFF fields of metadata: names, texts, resolution, further pictures, XMP, IPTC, Photoshop, EXIF, ICC, GPS, GDAL.
TIFF_METADATA = {*(269, 270, 271, 272, 282, 283, 285, 286, 287, 296, 297, 305, 306, 315, 316, 330, 700),
              *(33432, 33723, 34377, 34665, 34675, 34853, 37724, 42112, 42113)}  # fmt: skip

# Keywords of the texts in which Pillow looks for the orientation, and the chunk made for it.
ORIENTATION_KEYWORDS = (b"XML:com.adobe.xmp", b"Raw profile type exif", b"exif", b"eXIf")


def strip_metadata(file: BinaryIO) -> BinaryIO | None:
    """The same picture without metadata; None for a format that is not handled here.

    file: open and seekable. The content after its signature may be damaged in any way.
    """
    file.seek(0)
    head = file.read(12)
    file.seek(0)
    strip = next((strip for signature, strip in STRIPPERS if signature.match(head)), None)
    return io.BytesIO(b"".join(strip(file))) if strip else None


def _png(file: BinaryIO) -> list[bytes]:
    """Keeps critical chunks (names with a capital), transparency, and damaged chunks of unknown name. The first frame
    of an APNG, or its replacement picture, is in critical chunks."""
    parts, orientation = [file.read(8)], dict[bytes, bytes]()
    while len(head := file.read(8)) == 8:
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if name in PNG_METADATA and (name not in PNG_ORIENTATION or length > MAX_ORIENTATION_BYTES):
            file.seek(length + 4, io.SEEK_CUR)
            continue
        body, checksum = file.read(length), file.read(4)
        is_whole = checksum == struct.pack(">I", zlib.crc32(name + body))
        if name in PNG_ORIENTATION:
            keyword = name if name == b"eXIf" else body.partition(b"\0")[0]
            # Only the first of each keyword counts, so few chunks are decompressed.
            if keyword in ORIENTATION_KEYWORDS and keyword not in orientation:
                orientation[keyword] = head + body + checksum if is_whole and _fits(name, body) else b""
        elif name[:1].isupper() or name == b"tRNS" or not is_whole:
            parts.append(head + body + checksum)
        if name == b"IEND":
            break
    return [*parts[:2], *orientation.values(), *parts[2:]]


def _fits(name: bytes, body: bytes) -> bool:
    """Whether this chunk, if compressed, decompresses within the limit."""
    rest = body.partition(b"\0")[2]
    if name == b"zTXt":
        return rest[:1] == b"\0" and _is_short(rest[1:])
    if name == b"iTXt" and rest[:1] != b"\0":
        return _is_short(rest[2:].split(b"\0", 2)[-1])
    return True


def _is_short(compressed: bytes) -> bool:
    try:
        expanding = zlib.decompressobj()
        expanding.decompress(compressed, MAX_ORIENTATION_BYTES)
    except zlib.error:
        return False
    return not expanding.unconsumed_tail


def _jpeg(file: BinaryIO) -> list[bytes]:
    """Drops comments and most application segments before the first scan, or before the first bytes that are no
    segment. An EXIF block is reduced to the orientation, since Pillow would also read its resolution."""
    parts = [file.read(2)]
    while len(head := file.read(4)) == 4 and head[0] == 0xFF and 0xC0 <= head[1] < 0xFF and head[1] != 0xDA:
        body = file.read(max(int.from_bytes(head[2:], "big") - 2, 0))
        if head[1] == 0xE1 and body.startswith(b"Exif\0\0"):
            body = _orientation_only(body)
            parts.append(head[:2] + struct.pack(">H", len(body) + 2) + body)
        elif not (head[1] == 0xFE or 0xE0 <= head[1] <= 0xEF) or _is_needed(head[1], body):
            parts.append(head + body)
    return [*parts, head, file.read()]


def _orientation_only(block: bytes) -> bytes:
    """An EXIF block with only the orientation of this block, if it has one."""
    read, made = Image.Exif(), Image.Exif()
    with suppress(Exception):  # Pillow raises anything for a malformed block
        read.load(block)
        if (turn := read[ExifTags.Base.Orientation]) in range(1, 9):
            made[ExifTags.Base.Orientation] = turn
    return made.tobytes()


def _is_needed(marker: int, body: bytes) -> bool:
    """Whether an application segment defines the colours of the components or may hold the orientation. The decoder
    skips JFIF and Adobe segments shorter than these lengths, but Pillow fails on them."""
    match marker:
        case 0xE0:
            return body.startswith(b"JFIF\0") and len(body) >= 14
        case 0xE1:
            return body.startswith(b"http://ns.adobe.com/xap/1.0/\0")
        case 0xEE:
            return body.startswith(b"Adobe") and len(body) >= 12
    return False


def _gif(file: BinaryIO) -> list[bytes]:
    """Drops the extensions before the first frame, except the one with its transparency."""
    parts = [file.read(13)]
    if parts[0][10:11] > b"\x7f":
        parts.append(file.read(3 << ((parts[0][10] & 7) + 1)))
    while (introducer := file.read(1)) == b"!":
        label, blocks = file.read(1), [b""]
        while len(size := file.read(1)) and size != b"\0":
            blocks.append(size + file.read(size[0]))
        if label == b"\xf9" and len(blocks) == 2 and len(blocks[1]) == 5:
            parts += introducer, label, blocks[1], b"\0"
    return [*parts, introducer, file.read()]


def _tiff(file: BinaryIO) -> list[bytes]:
    """Keeps the whole file, but drops the metadata from the first picture's list of fields."""
    data = file.read()
    order: Literal["little", "big"] = "little" if data[:1] == b"I" else "big"
    is_big = b"+" in data[2:4]
    address, number, size = (8, 8, 20) if is_big else (4, 2, 12)  # bytes of an offset, of the count and of an entry

    def integer(at: int, length: int) -> int:
        return int.from_bytes(data[at : at + length], order)

    start = integer(8 if is_big else 4, address)
    first = start + number
    places = range(first, min(first + integer(start, number) * size, len(data)), size)
    fields = [data[at : at + size] for at in places if integer(at, 2) not in TIFF_METADATA]
    listed = b"".join([len(fields).to_bytes(number, order), *fields, bytes(address)])  # offset 0: no further picture
    return [data[:start], listed, data[start + len(listed) :]]


def _webp(file: BinaryIO) -> list[bytes]:
    """Keeps the header, the picture or the first frame, and EXIF and XMP if complete."""
    file.seek(12)
    parts: list[bytes] = []
    wanted = {b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L", b"EXIF", b"XMP "}
    while len(head := file.read(8)) == 8:
        name, length = head[:4], int.from_bytes(head[4:], "little")
        if name not in wanted:
            file.seek(length + length % 2, io.SEEK_CUR)
            continue
        wanted -= {name}  # only the first of each counts, also for frames
        body = file.read(length + length % 2)
        if len(body) >= length or name not in (b"EXIF", b"XMP "):
            parts.append(head + body)
    size = sum(map(len, parts)) + 4
    return [b"RIFF", size.to_bytes(4, "little"), b"WEBP", *parts]


def _isobmff(file: BinaryIO) -> list[bytes]:
    """Keeps the whole file, but changes the type of the EXIF item to one that readers skip. The orientation is in a
    separate property."""
    return [re.sub(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", rb"\1free", file.read(), flags=re.DOTALL)]


STRIPPERS: tuple[tuple[re.Pattern[bytes], Callable[[BinaryIO], list[bytes]]], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _png),
    (re.compile(rb"\xff\xd8"), _jpeg),
    (re.compile(rb"GIF8[79]a"), _gif),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), _tiff),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), _webp),
    (re.compile(rb"....ftyp", re.DOTALL), _isobmff),
)
