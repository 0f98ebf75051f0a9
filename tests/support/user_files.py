"""Small files in the formats in which users store pictures."""

import io
import json
import tarfile

from PIL import Image

from contralto.image.decode import decode


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


def tar_of(path, files, mode="w"):
    """A tar of (name, data) in that order; data may be (type, target) of a link or a device."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            if isinstance(data, tuple):
                info.type, info.linkname = data
                tar.addfile(info)
            else:
                info.size = len(content(data))
                tar.addfile(info, io.BytesIO(content(data)))
    return path


def content(data) -> bytes:
    if isinstance(data, bytes):
        return data
    return data.encode() if isinstance(data, str) else json.dumps(data).encode()


def shade(item) -> int:
    """The red of an item's picture, by which a test identifies it."""
    return Image.open(io.BytesIO(item.content())).getpixel((0, 0))[0]


def sample_shade(sample) -> int:
    """The red of a training sample's picture."""
    return decode(sample.picture).getpixel((0, 0))[0]


def labels(data_set) -> dict:
    """Shade of each picture -> the name of its class."""
    return {shade(item): data_set.classes[item.label].name for item in data_set.items}
