"""A file without what stands beside its pixels: colour profiles, texts, thumbnails, later frames.

Pillow refuses a whole picture for a profile that is too long, a text with a wrong checksum or an EXIF block that makes
no sense. None of that reaches a tower, so `decode` tries a file that failed once more as `bare` leaves it. What decides
the pixels is kept byte for byte, with its checksums, so a picture that is damaged itself is refused all the same. Kept
as well is what says how the picture is turned, unless it is damaged or too long to be that.

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

MOST = 2**20  # bytes of what may say how a picture is turned; a kept text expands to no more than this either

# Chunks of a PNG that decide no pixel, by their registered names; those that may say how the picture is turned.
BESIDE = frozenset(
    b"cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT tIME eXIf tEXt zTXt iTXt acTL fcTL fdAT".split()
)
MAY_TURN = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")

# Fields of a TIFF: names, texts, resolution, further pictures, XMP, IPTC, Photoshop, EXIF, ICC, GPS, GDAL.
DESCRIBING = {*(269, 270, 271, 272, 282, 283, 285, 286, 287, 296, 297, 305, 306, 315, 316, 330, 700),
              *(33432, 33723, 34377, 34665, 34675, 34853, 37724, 42112, 42113)}  # fmt: skip

# The keywords of texts in which Pillow looks for a turn, and the chunk that is made for it.
TURNING = (b"XML:com.adobe.xmp", b"Raw profile type exif", b"exif", b"eXIf")


def bare(file: BinaryIO) -> BinaryIO | None:
    """The same picture without what stands beside its pixels; None for a format of which nothing is left out here.

    file: open and seekable. What follows its signature may be damaged in any way.
    """
    file.seek(0)
    head = file.read(12)
    file.seek(0)
    rule = next((rule for signature, rule in RULES if signature.match(head)), None)
    return io.BytesIO(b"".join(rule(file))) if rule else None


def _png(file: BinaryIO) -> list[bytes]:
    """Critical chunks, whose names begin with a capital, transparency, and what is of no known name and damaged. The
    first frame of an APNG, or the picture that it shows in its place, is in chunks that every reader knows."""
    parts, turning = [file.read(8)], dict[bytes, bytes]()
    while len(head := file.read(8)) == 8:
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if name in BESIDE and (name not in MAY_TURN or length > MOST):
            file.seek(length + 4, io.SEEK_CUR)
            continue
        body, checksum = file.read(length), file.read(4)
        is_whole = checksum == struct.pack(">I", zlib.crc32(name + body))
        if name in MAY_TURN:
            keyword = name if name == b"eXIf" else body.partition(b"\0")[0]
            if keyword in TURNING and keyword not in turning:  # the first of each counts, so few are ever expanded
                turning[keyword] = head + body + checksum if is_whole and _fits(name, body) else b""
        elif name[:1].isupper() or name == b"tRNS" or not is_whole:
            parts.append(head + body + checksum)
        if name == b"IEND":
            break
    return [*parts[:2], *turning.values(), *parts[2:]]


def _fits(name: bytes, body: bytes) -> bool:
    """Whether this chunk, if it is compressed, can be expanded within the limit."""
    rest = body.partition(b"\0")[2]
    if name == b"zTXt":
        return rest[:1] == b"\0" and _is_short(rest[1:])
    if name == b"iTXt" and rest[:1] != b"\0":
        return _is_short(rest[2:].split(b"\0", 2)[-1])
    return True


def _is_short(compressed: bytes) -> bool:
    try:
        expanding = zlib.decompressobj()
        expanding.decompress(compressed, MOST)
    except zlib.error:
        return False
    return not expanding.unconsumed_tail


def _jpeg(file: BinaryIO) -> list[bytes]:
    """All segments but comments and most of those for applications; from the first scan on, or from anything that is
    no segment, everything. An EXIF block is cut down to the turn: Pillow reads a resolution in it too."""
    parts = [file.read(2)]
    while len(head := file.read(4)) == 4 and head[0] == 0xFF and 0xC0 <= head[1] < 0xFF and head[1] != 0xDA:
        body = file.read(max(int.from_bytes(head[2:], "big") - 2, 0))
        if head[1] == 0xE1 and body.startswith(b"Exif\0\0"):
            body = _turn_alone(body)
            parts.append(head[:2] + struct.pack(">H", len(body) + 2) + body)
        elif not (head[1] == 0xFE or 0xE0 <= head[1] <= 0xEF) or _is_heeded(head[1], body):
            parts.append(head + body)
    return [*parts, head, file.read()]


def _turn_alone(block: bytes) -> bytes:
    """An EXIF block that says no more than how the picture is turned, if this one says it."""
    read, made = Image.Exif(), Image.Exif()
    with suppress(Exception):  # whatever Pillow raises where a block makes no sense
        read.load(block)
        if (turn := read[ExifTags.Base.Orientation]) in range(1, 9):
            made[ExifTags.Base.Orientation] = turn
    return made.tobytes()


def _is_heeded(marker: int, body: bytes) -> bool:
    """Whether an application's segment tells the decoder which colours the components are, or may tell the turn. The
    decoder passes over JFIF's and Adobe's where they are shorter than these lengths; Pillow stumbles over them."""
    match marker:
        case 0xE0:
            return body.startswith(b"JFIF\0") and len(body) >= 14
        case 0xE1:
            return body.startswith(b"http://ns.adobe.com/xap/1.0/\0")
        case 0xEE:
            return body.startswith(b"Adobe") and len(body) >= 12
    return False


def _gif(file: BinaryIO) -> list[bytes]:
    """All but the extensions before the first frame that say nothing of its transparency."""
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
    """All of it, with a list of the first picture's fields that leaves out those that describe it."""
    data = file.read()
    order: Literal["little", "big"] = "little" if data[:1] == b"I" else "big"
    is_big = b"+" in data[2:4]
    address, number, size = (8, 8, 20) if is_big else (4, 2, 12)  # bytes of a place, of the count and of an entry

    def integer(at: int, length: int) -> int:
        return int.from_bytes(data[at : at + length], order)

    start = integer(8 if is_big else 4, address)
    first = start + number
    places = range(first, min(first + integer(start, number) * size, len(data)), size)
    fields = [data[at : at + size] for at in places if integer(at, 2) not in DESCRIBING]
    listed = b"".join([len(fields).to_bytes(number, order), *fields, bytes(address)])  # no picture follows it
    return [data[:start], listed, data[start + len(listed) :]]


def _webp(file: BinaryIO) -> list[bytes]:
    """The header, the picture or the first frame, and what is whole of EXIF and XMP."""
    file.seek(12)
    parts: list[bytes] = []
    kept = {b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L", b"EXIF", b"XMP "}
    while len(head := file.read(8)) == 8:
        name, length = head[:4], int.from_bytes(head[4:], "little")
        if name not in kept:
            file.seek(length + length % 2, io.SEEK_CUR)
            continue
        kept -= {name}  # the first of each counts, of frames as well
        body = file.read(length + length % 2)
        if len(body) >= length or name not in (b"EXIF", b"XMP "):
            parts.append(head + body)
    size = sum(map(len, parts)) + 4
    return [b"RIFF", size.to_bytes(4, "little"), b"WEBP", *parts]


def _isobmff(file: BinaryIO) -> list[bytes]:
    """All of it, with the entry of an EXIF block in the list of items given a type that readers pass over. Where a
    picture is turned stands in a property of its own."""
    return [re.sub(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", rb"\1free", file.read(), flags=re.DOTALL)]


RULES: tuple[tuple[re.Pattern[bytes], Callable[[BinaryIO], list[bytes]]], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _png),
    (re.compile(rb"\xff\xd8"), _jpeg),
    (re.compile(rb"GIF8[79]a"), _gif),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), _tiff),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), _webp),
    (re.compile(rb"....ftyp", re.DOTALL), _isobmff),
)
