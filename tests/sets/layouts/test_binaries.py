"""CIFAR, MNIST and STL-10, written byte for byte in their published formats."""

from __future__ import annotations

import contextlib
import gzip
import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contralto.errors import DataError
from contralto.sets.declaration import load_declaration
from contralto.sets.layouts import pickles

FINE = [known.folder or known.name for known in load_declaration("cifar100").classes]
TEN = [known.name for known in load_declaration("cifar10").classes]


def pictures(count, height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)


def planes(images):
    """(N, H, W, 3) -> (N, 3 * H * W), plane by plane and row by row, as CIFAR stores them."""
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def assert_items(opened, images, names, split):
    assert [item.key for item in opened.items] == [f"{split}/{n}" for n in range(len(images))]
    assert [opened.classes[item.label].name for item in opened.items] == names
    for item, image in zip(opened.items, images, strict=True):
        assert item.picture.dtype == np.uint8
        np.testing.assert_array_equal(item.picture, image)


# CIFAR, binary


def test_cifar10_binary(tmp_path):
    root = tmp_path / "cifar-10-batches-bin"
    root.mkdir()
    (root / "batches.meta.txt").write_text("\n".join(TEN) + "\n\n")
    for n in range(5):
        rows = np.concatenate([np.array([[n], [9]], np.uint8), planes(pictures(2, 32, 32, n))], 1)
        (root / f"data_batch_{n + 1}.bin").write_bytes(rows.tobytes())
    (root / "test_batch.bin").write_bytes(b"\x08" + planes(pictures(1, 32, 32, 7)).tobytes())
    opened = load_declaration("cifar10").open(tmp_path)
    assert_items(opened, pictures(1, 32, 32, 7), ["ship"], "test")
    train = np.concatenate([pictures(2, 32, 32, n) for n in range(5)])
    assert_items(opened.other("train"), train, [name for n in range(5) for name in (TEN[n], "truck")], "train")


def test_cifar100_binary_has_the_coarse_label_before_the_fine_one(tmp_path):
    root = tmp_path / "cifar-100-binary"
    root.mkdir()
    (root / "fine_label_names.txt").write_text("\n".join(FINE) + "\n")
    (root / "test.bin").write_bytes(bytes([11, FINE.index("aquarium_fish")]) + planes(pictures(1, 32, 32)).tobytes())
    opened = load_declaration("cifar100").open(tmp_path)
    assert_items(opened, pictures(1, 32, 32), ["aquarium fish"], "test")
    assert opened.classes[opened.items[0].label].group == "fish"


def test_names_in_the_files_decide_and_not_their_order(tmp_path):
    root = tmp_path / "cifar-10-batches-bin"
    root.mkdir()
    (root / "batches.meta.txt").write_text("\n".join(reversed(TEN)))
    (root / "test_batch.bin").write_bytes(b"\x00" + bytes(3072))
    assert load_declaration("cifar10").open(tmp_path).items[0].label == TEN.index("truck")
    (root / "batches.meta.txt").write_text("\n".join(TEN[:9]))
    with pytest.raises(DataError, match="the data have 9 classes, 10 are declared: 'truck' is not among the data"):
        load_declaration("cifar10").open(tmp_path)


def test_a_binary_file_that_is_cut_off_or_has_other_labels(tmp_path):
    root = tmp_path / "cifar-10-batches-bin"
    root.mkdir()
    (root / "batches.meta.txt").write_text("\n".join(TEN))
    (root / "test_batch.bin").write_bytes(bytes(3072))
    with pytest.raises(DataError, match="has 3072 bytes, which are no whole number of 3073"):
        load_declaration("cifar10").open(tmp_path)
    (root / "test_batch.bin").write_bytes(b"\x0a" + bytes(3072))
    with pytest.raises(DataError, match="labels 10 to 10 for the 10 classes that it has"):
        load_declaration("cifar10").open(tmp_path)


# CIFAR, pickles of Python 2: what its cPickle wrote, protocol 2, opcode by opcode


def short(text):
    return b"U" + bytes([len(text)]) + text


def whole(number):
    return b"K" + bytes([number]) if number < 256 else b"M" + struct.pack("<H", number)


def python2_list(parts):
    return b"](" + b"".join(parts) + b"e"


def python2_array(array):
    head = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + b"K\x00\x85U\x01b\x87R("
    shape = b"K\x01" + b"".join(map(whole, array.shape)) + b"\x86"
    kind = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    return head + shape + kind + b"\x89T" + struct.pack("<i", array.nbytes) + array.tobytes() + b"tb"


def python2_dict(**parts):
    return b"\x80\x02}(" + b"".join(short(key.encode()) + value for key, value in parts.items()) + b"u."


def lay_python2(tmp_path, batch):
    root = tmp_path / "cifar-10-batches-py"
    root.mkdir(exist_ok=True)
    names = python2_list(short(name.encode()) for name in TEN)
    (root / "batches.meta").write_bytes(python2_dict(num_cases_per_batch=whole(10000), label_names=names))
    (root / "test_batch").write_bytes(batch)


def test_the_test_writes_what_python_reads_as_the_published_pickle():
    """Guards the handwritten opcodes: numpy itself reads them as the dictionary that is meant."""
    array = planes(pictures(2, 32, 32))
    held = pickle.loads(
        python2_dict(labels=python2_list(map(whole, (3, 8))), data=python2_array(array)), encoding="bytes"
    )
    assert held[b"labels"] == [3, 8]
    np.testing.assert_array_equal(held[b"data"], array)


def test_cifar10_python(tmp_path):
    images = pictures(2, 32, 32)
    labels = python2_list(map(whole, (3, 8)))
    lay_python2(
        tmp_path,
        python2_dict(batch_label=short(b"testing batch 1 of 1"), labels=labels, data=python2_array(planes(images))),
    )
    assert_items(load_declaration("cifar10").open(tmp_path), images, ["cat", "ship"], "test")


def test_cifar100_python(tmp_path):
    root = tmp_path / "cifar-100-python"
    root.mkdir()
    images = pictures(2, 32, 32)
    (root / "meta").write_bytes(python2_dict(fine_label_names=python2_list(short(name.encode()) for name in FINE)))
    fine, coarse = python2_list(map(whole, (99, 0))), python2_list(map(whole, (13, 4)))
    (root / "test").write_bytes(
        python2_dict(coarse_labels=coarse, fine_labels=fine, data=python2_array(planes(images)))
    )
    assert_items(load_declaration("cifar100").open(tmp_path), images, ["worm", "apple"], "test")


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({b"data": Evil()}, protocol=2),
        pickle.dumps({b"data": np.zeros(3)}, protocol=4),
        b"\x80\x02}(U\x04datacbuiltins\neval\nU\x0b__import__0\x85Ru.",
        b"\x80\x02cnumpy\nndarray\nK\x05\x85R.",
        b"\x80\x02}U\x01a",
        b"",
        b"hello",
        python2_dict(data=python2_array(np.zeros((1, 4), np.uint8)).replace(b"K\x04\x86", b"K\x05\x86")),
        python2_dict(data=python2_array(np.zeros((1, 8), np.uint8)).replace(b"u1", b"f8")),
        b"\x80\x02}r\xff\xff\xff\x7f.",
    ],
)
def test_a_pickle_is_never_executed(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "test_batch"
    path.write_bytes(content)
    with pytest.raises(DataError, match="no plain pickle of arrays"):
        pickles.load_plain_pickle(path)
    assert not (tmp_path / "executed").exists()


@given(at=st.integers(0, 120), byte=st.integers(0, 255))
def test_a_damaged_pickle_is_a_dictionary_or_an_error(tmp_path_factory, at, byte):
    content = bytearray(python2_dict(labels=python2_list([whole(1)]), data=python2_array(np.zeros((1, 8), np.uint8))))
    content[at % len(content)] = byte
    path = tmp_path_factory.mktemp("damaged") / "test_batch"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        assert isinstance(pickles.load_plain_pickle(path), dict)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (python2_dict(labels=python2_list([])), "no array `data` in rows of 3,072"),
        (python2_dict(data=python2_array(np.zeros((1, 4), np.uint8)), labels=python2_list([])), "no array `data`"),
        (
            python2_dict(data=python2_array(np.zeros((2, 3072), np.uint8)), labels=python2_list([whole(1)])),
            "no 2 numbers",
        ),
        (b"\x80\x02](K\x01e.", "no pickled dictionary"),
    ],
)
def test_a_pickle_that_is_no_batch(tmp_path, batch, message):
    lay_python2(tmp_path, batch)
    with pytest.raises(DataError, match=message):
        load_declaration("cifar10").open(tmp_path)


# MNIST


def zipped(content: bytes) -> bytes:
    """The same bytes at any time: they are in the names of tests."""
    return gzip.compress(content, mtime=0)


def idx(array):
    return struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize(("mark", "ending"), [("-", ""), ("-", ".gz"), (".", "")])
def test_mnist(tmp_path, mark, ending):
    root = tmp_path / "MNIST" / "raw"
    root.mkdir(parents=True)
    grey = pictures(3, 28, 28)[..., 0]
    for name, array in (("t10k-images{}idx3", grey), ("t10k-labels{}idx1", np.array([7, 0, 9], np.uint8))):
        content = idx(array)
        (root / f"{name.format(mark)}-ubyte{ending}").write_bytes(zipped(content) if ending else content)
    assert_items(load_declaration("mnist").open(tmp_path), np.repeat(grey[..., None], 3, -1), ["7", "0", "9"], "test")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8b\x08\x00rest", "cannot be read"),
        (zipped(b"\x00\x00\x08\x01\x00\x00"), "cannot be read"),
        (zipped(struct.pack(">II", 0x801, 8) + bytes(8)), "does not begin as an IDX file"),
        (zipped(struct.pack(">IIII", 0x803, 2, 28, 28) + bytes(784)), "states 1568 bytes, but has others"),
        (zipped(struct.pack(">IIII", 0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1)), "but has others"),
        (zipped(idx(np.zeros((1, 28, 28), np.uint8)))[:-9], "cannot be read"),
        (zipped(idx(np.zeros((5, 28, 28), np.uint8))), "has 5 pictures, .* 1 labels"),
    ],
)
def test_a_damaged_idx_file(tmp_path, content, message):
    root = tmp_path / "mnist"
    root.mkdir()
    (root / "t10k-images-idx3-ubyte.gz").write_bytes(content)
    (root / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([1], np.uint8)))
    with pytest.raises(DataError, match=message):
        load_declaration("mnist").open(tmp_path)


# STL-10


def test_stl10_is_column_major_and_counts_from_1(tmp_path):
    root = tmp_path / "stl10_binary"
    root.mkdir()
    images = pictures(2, 96, 96)
    (root / "class_names.txt").write_text("airplane\nbird\ncar\ncat\ndeer\ndog\nhorse\nmonkey\nship\ntruck\n")
    stored = np.stack([np.stack([image[:, :, channel].ravel(order="F") for channel in range(3)]) for image in images])
    (root / "test_X.bin").write_bytes(stored.tobytes())
    (root / "test_y.bin").write_bytes(bytes([10, 8]))
    assert_items(load_declaration("stl10").open(tmp_path), images, ["truck", "monkey"], "test")
    (root / "test_y.bin").write_bytes(bytes([10, 0]))
    with pytest.raises(DataError, match="labels -1 to 9 for the 10 classes"):
        load_declaration("stl10").open(tmp_path)
    (root / "test_y.bin").write_bytes(bytes([10]))
    with pytest.raises(DataError, match=r"test_X\.bin has 2 pictures, test_y\.bin 1 labels"):
        load_declaration("stl10").open(tmp_path)
