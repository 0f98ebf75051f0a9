"""From a file, bytes, a Pillow image or an array to an upright Pillow image, within limits and without global state.

Each mode is handled as follows:

    RGB, CMYK, YCbCr, LAB, HSV   kept; the contract decides if they become RGB before or after the resize
    L                            kept
    P, 1                         kept; Pillow resizes them without interpolation
    RGBA, LA, P and others       alpha "white": composited onto white at full size, then RGB;
      with transparency          alpha "drop": kept; `transform` resizes, then drops alpha as OpenAI's code does
    I;16, I                      16-bit grey: 65535 -> 255, rounded (the reference clips it to white)
    F                            grey in 0..1 -> 0..255; grey in 0..255 is kept

ICC profiles are ignored, as in the reference. A truncated file is refused, never filled with grey. The decoder cannot
detect damage inside a JPEG whose end is intact. Damaged metadata does not affect pixels: see `strip_metadata`.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, JpegImagePlugin

from contralto.errors import ImageError, one_line
from contralto.filenames import explain_missing
from contralto.image.formats import Refusal, open_header
from contralto.image.strip_metadata import strip_metadata

MAX_PIXELS = 178_956_970
MAX_BYTES = 256 * 2**20
AMPLE_MEMORY = 2**31  # about the memory that a decoder needs for MAX_PIXELS
MAX_PICTURE_SIDE = 2**24  # Pillow has a pointer per row: a file that claims 1 x 178,956,970 would take 1.4 GB

NO_MEMORY = "needs more memory than there is"  # the reason wherever a picture is read or changed
OUT_OF_MEMORY = "out of memory"  # Pillow's words for error -9 of a decoder
NO_DECODER = re.compile(r"decoder \w+ not available|[Nn]o codec available")

Path: TypeAlias = "str | os.PathLike[str] | os.PathLike[bytes]"
Item: TypeAlias = "Path | bytes | bytearray | memoryview | Image.Image | NDArray[Any]"


def decode(
    item: Item,
    *,
    alpha: Literal["white", "drop"] = "white",
    scaled_to: int | None = None,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    name: str | None = None,
) -> Image.Image:
    """Decodes a picture: upright (valid EXIF orientation applied), first frame, 8 bits per channel.

    item: a path, the bytes of a file, a Pillow image (at its current frame), or an array uint8 (H, W, 3); also
        (H, W) grey and (H, W, 4) RGBA. It is loaded, never modified; the result may share its memory.
    alpha: how transparency is handled, see the module's table.
    scaled_to: None decodes every pixel. A number n lets the JPEG decoder work at 1/2, 1/4 or 1/8 of the size: the
        smallest whose shorter side is at least 2 n. Other formats and items are not affected.
    max_pixels: limit of width x height, checked on the header before decoding (except for an icon, which Pillow
        decodes on opening, under its own limit). No side may exceed 16,777,216.
    max_bytes: limit of a file or of bytes, checked before reading.
    name: the name of the item in error messages; default: its path or its kind.

    Raises ImageError for any fault of the item. Its `lasting` is true if the bytes alone decide the fault, so that it
    may be cached with `formats.readers()`. This module neither reads nor writes Pillow's global settings, but Pillow's
    readers depend on two of them: MAX_IMAGE_PIXELS in TIFF, ICO and WebP (twice as many pixels are refused, whatever
    max_pixels is), and ImageFile.LOAD_TRUNCATED_IMAGES, which would accept truncated files.
    """
    image, turn = decode_unturned(
        item, alpha=alpha, scaled_to=scaled_to, max_pixels=max_pixels, max_bytes=max_bytes, name=name
    )
    with _reasons(_name(item) if name is None else name):
        return image if turn is None else image.transpose(turn)


def decode_unturned(
    item: Item,
    *,
    alpha: Literal["white", "drop"] = "white",
    scaled_to: int | None = None,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    name: str | None = None,
) -> tuple[Image.Image, Image.Transpose | None]:
    """Like `decode`, but returns the picture before its turn, and the turn: `transform` applies it without a copy."""

    def finished(image: Image.Image) -> tuple[Image.Image, Image.Transpose | None]:
        _check_pixels(image, max_pixels)
        if scaled_to is not None and isinstance(image, JpegImagePlugin.JpegImageFile) and image is not item:
            image.draft(None, (2 * scaled_to, 2 * scaled_to))
        image.load()
        _check_pixels(image, max_pixels)
        return _eight_bits(image, alpha), _turn(image)

    with _reasons(_name(item) if name is None else name):
        if isinstance(item, Image.Image):
            return finished(item)
        if not isinstance(item, str | os.PathLike | bytes | bytearray | memoryview):
            return finished(_from_array(item))
        with _opened(item, max_bytes) as file:
            return _read(file, os.fsdecode(item) if isinstance(item, str | os.PathLike) else "", finished)


T = TypeVar("T")


def _read(file: BinaryIO, name: str, finished: Callable[[Image.Image], T]) -> T:
    """`finished` of the picture in a file. If that fails, it is retried without metadata."""
    try:
        return finished(open_header(file, name))
    except (Refusal, MemoryError, Image.DecompressionBombError):
        raise
    except Exception:
        file.seek(0)
        while file.read(2**20):  # raises OSError if the disk fails; some decoders would report damage instead
            pass
        stripped = strip_metadata(file)
        if stripped is None:
            raise
    return finished(open_header(stripped))


def _name(item: Item) -> str:
    if isinstance(item, str | os.PathLike):
        return os.fsdecode(item)
    if isinstance(item, Image.Image):
        return os.fsdecode(getattr(item, "filename", "")) or "Pillow image"
    return "bytes" if isinstance(item, bytes | bytearray | memoryview) else "array"


@contextmanager
def _reasons(name: str) -> Iterator[None]:
    """Turns any exception for one item into an ImageError that names it. Readers get untrusted bytes, so even an
    IndexError is a fault of the file."""
    try:
        yield
    except Refusal as error:
        raise ImageError(name, str(error), error.lasting) from error.__cause__
    except Exception as error:
        raise ImageError(name, *_reason_of(error)) from error


def _reason_of(error: Exception) -> tuple[str, bool]:
    """(reason, whether the bytes alone decide it). If in doubt, False: a retry is cheap."""
    detail = one_line(str(error) or type(error).__name__, 150)
    if isinstance(error, MemoryError) or detail.startswith(OUT_OF_MEMORY):
        return NO_MEMORY, False
    if isinstance(error, Image.DecompressionBombError):
        return f"is over Pillow's own limit: {detail}", False
    if isinstance(error, OSError) and error.errno is not None:
        return f"cannot be read: {one_line(error.strerror or detail, 150)}", False
    if isinstance(error, Warning):  # the program has turned warnings into errors
        return f"makes its reader warn: {detail}", False
    if NO_DECODER.search(detail):
        return f"is of a kind that this Pillow cannot read: {detail}", False
    if isinstance(error, SyntaxError) and isinstance(error.__cause__, struct.error | IndexError | EOFError):
        detail = "its header is incomplete"  # clearer than "unpack requires 4 bytes"
    if _is_memory_short():
        return f"is damaged, or memory is too short: {detail}", False
    return f"is damaged or truncated: {detail}", True


def _is_memory_short() -> bool:
    """Whether memory is too short for large pictures. Most libraries below Pillow report that wrongly: libjpeg as a
    "broken data stream", libwebp as a decoder that it could not create."""
    try:
        np.empty(AMPLE_MEMORY, np.uint8)  # allocated, never touched
    except MemoryError:
        return True
    return False


@contextmanager
def _opened(item: Path | bytes | bytearray | memoryview, max_bytes: int) -> Iterator[BinaryIO]:
    """The item as an open file, within the limit."""
    if isinstance(item, bytes | bytearray | memoryview):
        _check_bytes(memoryview(item).nbytes, max_bytes)
        yield io.BytesIO(item)
        return
    with _open_file(item) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Refusal("is not a regular file", lasting=False)
        _check_bytes(status.st_size, max_bytes)
        yield file


def _open_file(path: Path) -> BinaryIO:
    """Opens a file without waiting: a FIFO without a writer must not block."""
    try:
        return open(path, "rb", opener=lambda p, flags: os.open(p, flags | getattr(os, "O_NONBLOCK", 0)))
    except OSError as error:
        reason = explain_missing(os.fsdecode(path)) or f"cannot be opened: {error.strerror or error}"
        raise Refusal(reason, lasting=False) from error
    except ValueError as error:  # a NUL, or characters outside the file system's encoding
        raise Refusal(f"cannot be a file name: {error}", lasting=False) from error


def _check_bytes(size: int, limit: int) -> None:
    if size == 0:
        raise Refusal("is empty (0 bytes)")
    if size > limit:
        raise Refusal(f"has {size:,} bytes, over the limit of {limit:,}")


def _check_pixels(image: Image.Image, limit: int) -> None:
    width, height = image.size
    if width * height > limit:
        raise Refusal(f"has {width:,} x {height:,} pixels, over the limit of {limit:,}")
    if max(width, height) > MAX_PICTURE_SIDE:
        raise Refusal(f"has {width:,} x {height:,} pixels, over the limit of {MAX_PICTURE_SIDE:,} a side")
    if width * height == 0:
        raise Refusal("has no pixels")


def _from_array(item: object) -> Image.Image:
    array = np.asarray(item)
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and channels not in (3, 4)):
        what = f"{type(item).__name__}, {array.dtype} of shape {array.shape}"
        raise Refusal(f"is {what}: not a path, bytes, a Pillow image or an array uint8 (H, W, 3)")
    if array.size == 0:
        raise Refusal("has no pixels")
    return Image.fromarray(array)


_TURN_BY_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _turn(image: Image.Image) -> Image.Transpose | None:
    """The turn by EXIF, else by XMP. The image must be loaded, as EXIF may follow the pixels in a PNG."""
    try:
        return _TURN_BY_ORIENTATION.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a malformed EXIF block does not affect the pixels
        return None


def _eight_bits(image: Image.Image, alpha: Literal["white", "drop"]) -> Image.Image:
    """The picture in a mode of 8 bits per channel, without transparency if alpha is "white"."""
    if image.mode == "F" or image.mode.startswith("I"):
        return _grey(image, alpha)
    if image.mode in ("RGBa", "La", "PA"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if alpha == "drop" or not image.has_transparency_data:
        return image
    if image.mode == "P":
        image = image.copy()  # Pillow's conversion writes alpha into the palette of its input
    colours = image if image.mode == "RGBA" else image.convert("RGBA")
    onto = Image.new("RGB", image.size, "white")
    onto.paste(colours, mask=colours)
    return onto


def _grey(image: Image.Image, alpha: Literal["white", "drop"]) -> Image.Image:
    """16-bit, 32-bit or float grey as L. A file does not state its range, so values outside the usual ranges are
    refused, not clipped."""
    values = np.asarray(image)
    low, high = values.min(), values.max()
    if image.mode == "F":
        if not (low >= 0 and high <= 255):  # NaN too
            raise Refusal(f"is float grey of {low:g}..{high:g}: neither 0..1 nor 0..255")
        grey = np.rint(values * 255 if high <= 1 else values).astype(np.uint8)
    else:
        if low < 0 or high > 65535:
            raise Refusal(f"is 32-bit grey of {low}..{high}: only 0..65535 is understood")
        wide = values.astype(np.uint16)
        grey = (wide // 257).astype(np.uint8)
        grey += wide % 257 > 128
    key = image.info.get("transparency")
    if alpha == "white" and isinstance(key, int):
        grey[values == key] = 255
    return Image.fromarray(grey)
