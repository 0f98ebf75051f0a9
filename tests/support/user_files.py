"""Small files in the formats that people keep their pictures in."""

import io
import json
import tarfile

from PIL import Image


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(file, "png")
    return file.getvalue()


def tree(root, files):
    """Writes name -> bytes, text, or anything else as JSON, below `root`."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(data))
    return root


def tar_of(path, files):
    """A tar of (name, data) in that order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(content(data))
            tar.addfile(info, io.BytesIO(content(data)))
    return path


def content(data) -> bytes:
    if isinstance(data, bytes):
        return data
    return data.encode() if isinstance(data, str) else json.dumps(data).encode()


def shade(item) -> int:
    """The red of an item's picture, which tells the pictures of a test apart."""
    return Image.open(io.BytesIO(item.content())).getpixel((0, 0))[0]


def labels(found) -> dict:
    """Shade of each picture -> the name of its class."""
    return {shade(item): found.classes[item.label].name for item in found.items}
