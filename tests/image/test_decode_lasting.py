"""`lasting` of errors: true if the bytes of a picture alone decide the failure, so that it may be cached."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.noise_pictures import encoded, smooth

from contralto.errors import ImageError
from contralto.image import decode as module
from contralto.image.decode import decode


def reason_of(item, **options):
    with pytest.raises(ImageError) as caught:
        decode(item, **options)
    return caught.value.reason


def lasts(item, **options):
    with pytest.raises(ImageError) as caught:
        decode(item, **options)
    return caught.value.lasting


def test_what_the_bytes_decide_lasts():
    data = encoded(smooth(), "PNG")
    for item in (b"", b"no picture", b"%PDF-1.7", data[:-80], data[:20], np.zeros((3, 4, 5), np.uint8)):
        assert lasts(item)
    assert lasts(data, max_pixels=100)
    assert lasts(data, max_bytes=100)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "needs more memory than there is"),
        (OSError("out of memory when reading image file"), "needs more memory than there is"),
        (OSError(errno.EIO, "Input/output error"), "cannot be read: Input/output error"),
        (OSError(errno.ESTALE, "Stale file handle"), "cannot be read: Stale file handle"),
        (OSError("decoder libtiff not available"), "is of a kind that this Pillow cannot read"),
        (UserWarning("odd"), "makes its reader warn: odd"),
    ],
)
def test_what_may_pass_does_not_last(error, reason, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(module, "_eight_bits", fail)
    assert reason in reason_of(smooth())
    assert not lasts(smooth())
    assert not lasts(encoded(smooth(), "PNG"))


def test_paths_do_not_last(tmp_path):
    for item in (tmp_path / "absent.jpg", tmp_path, "a\0b.png", "/dev/zero"):
        assert not lasts(item)


def test_a_disk_that_fails_below_a_decoder_does_not_last(tmp_path, monkeypatch):
    """OpenJPEG and libtiff read files themselves and report a disk error as damage."""
    path = tmp_path / "a.jp2"
    path.write_bytes(encoded(smooth(), "JPEG2000"))

    class Failing(io.BytesIO):
        def fileno(self):
            return os.open(path, os.O_RDONLY)

        def read(self, size=-1):
            if size == 2**20:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    monkeypatch.setattr(module, "_open_file", lambda _: Failing(path.read_bytes()[:200]))
    assert reason_of(path) == "cannot be read: Input/output error"
    assert not lasts(path)


def test_pillows_own_limit_does_not_last(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert not lasts(encoded(smooth(), "TIFF"))


SHORT_OF_MEMORY = """
import io, resource, sys
from contextlib import suppress
import numpy as np
from PIL import Image
from contralto.errors import ImageError
from contralto.image.decode import decode

picture = Image.fromarray(np.arange(3 * 2**20).astype(np.uint8).reshape(1024, 1024, 3))
kinds = {"PNG": {}, "JPEG": {}, "progressive JPEG": {"progressive": True}, "WEBP": {"method": 0}, "JPEG2000": {},
         "TIFF": {"compression": "tiff_lzw"}}

def encoded(image, kind):
    file = io.BytesIO()
    image.save(file, kind.split()[-1], **kinds[kind])
    return file.getvalue()

files = {kind: encoded(picture, kind) for kind in kinds}
for kind in kinds:  # every reader is loaded before memory is short
    decode(encoded(picture.crop((0, 0, 9, 9)), kind))
unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
for kind, data in files.items():
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**20, resource.RLIM_INFINITY))
    taken = []
    with suppress(MemoryError):  # what the allocator has set aside, too
        while True:
            taken.append(bytearray(2**18))
    del taken[:4]
    try:
        outcome = decode(data)
    except ImageError as error:
        outcome = error
    resource.setrlimit(resource.RLIMIT_AS, unlimited)
    print(kind, "whole" if isinstance(outcome, Image.Image) else f"{outcome.lasting} {outcome.reason}", sep=": ")
    del outcome, taken
for data in files.values():
    decode(data)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is told by /proc")
def test_a_process_short_of_memory_judges_nothing_for_good():
    ran = subprocess.run([sys.executable, "-c", SHORT_OF_MEMORY], capture_output=True, text=True, check=True)
    told = dict(line.split(": ", 1) for line in ran.stdout.splitlines())
    assert len(told) == 6
    assert all(outcome == "whole" or outcome.startswith("False ") for outcome in told.values()), told
    assert sum(outcome != "whole" for outcome in told.values()) >= 4, told
