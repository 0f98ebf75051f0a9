# ruff: noqa: SIM115  (open files are what is tested)
"""What is taken for a picture: open files of every make, arrays of every shape, and what is refused in one line."""

from __future__ import annotations

import array as arrays
import io
import mmap
import os
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.fake_engine import picture

from contralto.encoder import readable
from contralto.errors import ContraltoError, ImageError
from contralto.inputs import PICTURE

ARRAY = picture(1)


def png(array: np.ndarray = ARRAY) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "png")
    return file.getvalue()


@pytest.fixture
def path(tmp_path) -> Path:
    file = tmp_path / "a.png"
    file.write_bytes(png())
    return file


class Stream:
    """As a connection's raw stream: it can only be read, and gives less than is asked for."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, amount: int) -> bytes:
        return self._file.read(min(amount, 77))


def member(path: Path):
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        archive.write(path, "in/a.png")
    return zipfile.ZipFile(path.with_suffix(".zip")).open("in/a.png")


def in_tar(path: Path):
    with tarfile.open(path.with_suffix(".tar"), "w") as archive:
        archive.add(path, "in/a.png")
    return tarfile.open(fileobj=io.BytesIO(path.with_suffix(".tar").read_bytes())).extractfile("in/a.png")


def temporary(path: Path):
    file = tempfile.TemporaryFile()
    file.write(path.read_bytes())
    file.seek(0)
    return file


def spooled(path: Path):
    file = tempfile.SpooledTemporaryFile()
    file.write(path.read_bytes())
    file.seek(0)
    return file


def by_fsspec(path: Path):
    import fsspec

    return fsspec.filesystem("file").open(str(path), "rb")


def mapped(path: Path):
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


FILES = {
    "BytesIO": lambda path: io.BytesIO(path.read_bytes()),
    "open": lambda path: open(path, "rb"),
    "unbuffered": lambda path: open(path, "rb", buffering=0),
    "zip": member,
    "tar": in_tar,
    "temporary": temporary,
    "spooled": spooled,
    "stream": lambda path: Stream(path.read_bytes()),
    "fsspec": by_fsspec,
    "mmap": mapped,
}


@pytest.mark.parametrize("kind", FILES)
def test_an_open_file_is_a_picture_and_stays_open(clip, path, kind):
    wanted = clip.encode_image(path)
    file = FILES[kind](path)
    assert np.array_equal(clip.encode_image(file), wanted)
    assert file.read(1) == b""
    if hasattr(file, "seek"):
        file.seek(0)
        rows = clip.encode_image([ARRAY, file])
        assert rows.shape == (2, clip.contract.embedding)
        np.testing.assert_allclose(rows[1], wanted, atol=1e-6)
    if hasattr(file, "close"):
        file.close()


def test_an_open_file_goes_wherever_pictures_go(clip):
    def file():
        return io.BytesIO(png())

    wanted = clip.encode_image(ARRAY)
    np.testing.assert_allclose(clip.similarity(file(), ["a"]), clip.similarity(ARRAY, ["a"]), atol=1e-6)
    np.testing.assert_allclose(clip.score(file(), ["a", "b"]), clip.score(ARRAY, ["a", "b"]), atol=1e-6)
    assert clip.classify(file(), ["a", "b"])[0].label == clip.classify(ARRAY, ["a", "b"])[0].label
    assert np.array_equal(clip.preprocess(file()), clip.preprocess(ARRAY))
    [(index, row)] = clip.stream_images([file()])
    np.testing.assert_allclose(row, wanted, atol=1e-6)
    [(index, row)] = clip.stream_images(file())
    assert index == 0
    many = clip.encode_image([file() for _ in range(40)], batch_size=7)
    np.testing.assert_allclose(many, np.tile(wanted, (40, 1)), atol=1e-6)


def test_a_file_is_read_from_where_it_stands(clip):
    file = io.BytesIO(b"header" + png())
    file.seek(6)
    assert clip.encode_image(file).shape == (clip.contract.embedding,)


def test_two_members_of_one_archive_and_one_file_twice(clip, path):
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        for seed in range(12):
            archive.writestr(f"{seed}.png", png(picture(seed)))
    with zipfile.ZipFile(path.with_suffix(".zip")) as archive:
        rows = clip.encode_image(archive.open(f"{seed}.png") for seed in range(12))
    np.testing.assert_allclose(rows, clip.encode_image([picture(seed) for seed in range(12)]), atol=1e-6)
    file = io.BytesIO(png())
    rows, failures = clip.encode_image([file, file], on_error="skip")
    assert (len(rows), [failure.index for failure in failures]) == (1, [1])
    assert "nothing left to read: seek(0)" in failures[0].reason
    assert failures[0].item is file
    assert not failures[0].lasting


class Odd:
    """A file whose read() gives or raises something."""

    def __init__(self, what) -> None:
        self.what = what

    def read(self, amount: int):
        if isinstance(self.what, Exception):
            raise self.what
        return self.what


class Awaited:
    async def read(self, amount: int) -> bytes:
        return b""


def closed() -> io.BytesIO:
    file = io.BytesIO(png())
    file.close()
    return file


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: open(path), 'a.png: is open as text: open it with mode "rb"'),
        (lambda path: open(path, encoding="latin-1"), 'is open as text: open it with mode "rb"'),
        (lambda path: io.StringIO("text"), 'is open as text: open it with mode "rb"'),
        (lambda path: open(path, "ab"), "a.png: cannot be read: "),
        (lambda path: closed(), r"picture 0 \(BytesIO\): cannot be read: I/O operation on closed file"),
        (lambda path: io.BytesIO(), "nothing left to read"),
        (lambda path: io.BytesIO(b"no picture"), r"picture 0 \(BytesIO\): "),
        (lambda path: Odd(None), r"picture 0 \(Odd\): has nothing left to read"),
        (lambda path: Odd(3), r"its read\(\) gives int, not bytes"),
        (lambda path: Odd(OSError("the line is dead")), "cannot be read: the line is dead"),
        (lambda path: Odd(RuntimeError()), "cannot be read: RuntimeError"),
        (lambda path: Awaited(), r"its read\(\) gives coroutine, not bytes"),
    ],
)
def test_a_file_that_gives_no_bytes_is_one_error(clip, path, make, said):
    file = make(path)
    with pytest.raises(ImageError, match=said) as caught:
        clip.encode_image(file)
    assert str(caught.value).isprintable()
    rows, failures = clip.encode_image([ARRAY, make(path)], on_error="skip")
    assert (len(rows), len(failures)) == (1, 1)
    for one in (file, failures[0].item):
        if hasattr(one, "close"):
            one.close()


def test_no_more_than_the_limit_is_read(clip, monkeypatch):
    monkeypatch.setattr(readable, "MAX_BYTES", 1000)
    monkeypatch.setattr(readable, "CHUNK", 300)
    file = io.BytesIO(bytes(5000))
    with pytest.raises(ImageError):
        clip.encode_image(file)
    assert file.tell() == 1001


@pytest.mark.parametrize(
    "item",
    [
        {"bytes": png(), "path": None},
        {"bytes": png(), "path": "absent.png"},
        {"bytes": png()},
        bytearray(png()),
        memoryview(png()),
        Image.fromarray(ARRAY),
        np.array(Image.fromarray(ARRAY)),
        torch.tensor(ARRAY),
    ],
    ids=lambda item: type(item).__name__,
)
def test_other_ways_to_hold_a_picture(clip, item):
    np.testing.assert_allclose(clip.encode_image(item), clip.encode_image(ARRAY), atol=1e-6)
    np.testing.assert_allclose(clip.encode_image([item])[0], clip.encode_image(ARRAY), atol=1e-6)


def test_a_path_stored_beside_no_bytes_is_read(clip, path):
    stored = {"bytes": None, "path": str(path)}
    np.testing.assert_allclose(clip.encode_image(stored), clip.encode_image(path), atol=1e-6)
    with pytest.raises(ImageError, match=r"^absent\.png: "):
        clip.encode_image([{"bytes": None, "path": "absent.png"}])


def test_paths_in_arrays_are_a_list_and_one_in_none_is_one(clip, path):
    row = clip.encode_image(path)
    for several in (np.array([str(path)]), np.array([path], object), np.array([str(path)], np.dtypes.StringDType())):
        assert np.array_equal(clip.encode_image(several), row[None])
    for one in (np.str_(path), np.array(str(path)), np.array(path, object)):
        assert np.array_equal(clip.encode_image(one), row)


def test_grey_with_an_axis_for_it_is_grey(clip):
    grey = ARRAY[:, :, 0]
    assert np.array_equal(clip.encode_image(grey[:, :, None]), clip.encode_image(grey))
    assert clip.encode_image(np.stack([grey[:, :, None]] * 3)).shape == (3, clip.contract.embedding)


def test_rows_may_be_tensors_that_take_part_in_a_gradient(clip):
    rows = np.random.default_rng(0).standard_normal((3, clip.contract.embedding)).astype(np.float32)
    tensor = torch.tensor(rows, requires_grad=True)
    assert np.array_equal(clip.encode_image(tensor), clip.encode_image(rows))
    with pytest.raises(ContraltoError, match=r"cannot be read as an array: .*BFloat16"):
        clip.encode_image(tensor.bfloat16())


FLOATS = ARRAY.astype(np.float32) / 255


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (FLOATS, "prepared pixels go to encode_pixels"),
        (FLOATS.transpose(2, 0, 1), "prepared pixels go to encode_pixels"),
        (torch.tensor(FLOATS).permute(2, 0, 1), "prepared pixels go to encode_pixels"),
        (FLOATS[None], "prepared pixels go to encode_pixels"),
        (FLOATS[:, :, 0], "embeddings of this model"),
        ([FLOATS[0, 0]], "embeddings go together in one array"),
        (ARRAY.transpose(2, 0, 1), "channels first: move them last"),
        (torch.tensor(ARRAY).permute(2, 0, 1)[None], "channels first: move them last"),
        ([np.stack([ARRAY] * 2)], "several pictures"),
        (ARRAY.astype(np.int64), "int64"),
        (ARRAY > 3, "bool"),
        (np.zeros((4, 4, 7), np.uint8), "uint8"),
        (np.zeros((2, 2, 2, 2, 2), np.uint8), "uint8"),
        (np.array([b"a.png"]), "not a path"),
        (np.array([["a.png"]], object), "ndarray, object of shape"),
        ([["a.png"], ["b.png"]], "is list"),
        ([None], r"picture 0 \(NoneType\): is NoneType"),
        ([3], "is int"),
        ([{"image": ARRAY}], "is dict"),
        ([Image.Image], "is the class Image"),
        ([[[1, 2, 3]]], "is list"),
        (arrays.array("f", [0.5]), "is float"),
        (Image.Image, "got the class Image"),
        (np.ndarray, "got the class ndarray"),
        (None, "got NoneType"),
        (3, "got int"),
        (0.5, "got float"),
        ({"image": ARRAY}, "got dict"),
        ({}, "got dict"),
        ({"a.png", "b.png"}, "got a set, which has no order: give a list"),
        (object(), "got object"),
        (len, "got builtin_function_or_method"),
    ],
)
def test_anything_else_is_one_error_that_names_it_and_what_to_pass(clip, item, said):
    with pytest.raises(ContraltoError, match=said) as caught:
        clip.encode_image(item)
    message = str(caught.value)
    assert message.isprintable()
    assert any(
        told in message
        for told in (PICTURE, "not a path", "embeddings of this model", "move them last", "by themselves")
    )


def test_a_folder_and_a_name_in_bytes(clip, path, tmp_path):
    with pytest.raises(ImageError, match="is a folder: name the pictures in it, or use contralto embed"):
        clip.encode_image(tmp_path)
    with pytest.raises(ImageError, match=r"is the name of a file, and bytes are its content: give '.*a\.png'"):
        clip.encode_image(os.fsencode(path))


def test_a_response_is_not_gone_through_in_chunks(clip):
    class Response:
        def iter_content(self):
            return iter([b"x"])

        __iter__ = iter_content

    with pytest.raises(ContraltoError, match=r"give its \.content"):
        clip.encode_image(Response())
