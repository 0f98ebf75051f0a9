"""A picture inside a page: a small JPEG in a data: address, so that the page needs no other file."""

from __future__ import annotations

import base64
import io

from PIL import Image


def data_address(picture: Image.Image, side: int, quality: int) -> str:
    """The picture as a JPEG, at most `side` pixels wide and high. quality: of the JPEG."""
    small = picture.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
