"""safetensors files, against the safetensors library, and files with false headers."""

from __future__ import annotations

import json
import mmap
import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contralto.errors import WeightsError
from contralto.weights.tensorfile import TensorFile, map_file, release, write_tensors

ARRAYS = {
    "matrix": np.arange(12, dtype=np.float32).reshape(3, 4) / 7,
    "half": np.arange(5, dtype=np.float16),
    "scalar": np.array(3.5, np.float32),
    "none": np.zeros((0, 4), np.float32),
    "bytes": np.arange(-3, 4, dtype=np.int8),
}
KINDS = {"float32": "F32", "float16": "F16", "int8": "I8"}


def container(header: object, body: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


def entry(begin: int, end: int, shape: object = None, dtype: object = "I8") -> dict[str, object]:
    return {"dtype": dtype, "shape": [end - begin] if shape is None else shape, "data_offsets": [begin, end]}


def test_reads_what_the_library_writes(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    safetensors.numpy.save_file(ARRAYS, path, metadata={"format": "pt"})
    file = TensorFile(path)
    assert file.metadata == {"format": "pt"}
    assert set(file.tensors) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert file.raw(name).dtype == array.dtype
        assert file.raw(name).shape == array.shape
        assert file.raw(name).tobytes() == array.tobytes()
        assert not file.raw(name).flags.writeable


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with open(path, "wb") as file:
        write_tensors(file, {name: (KINDS[array.dtype.name], array) for name, array in ARRAYS.items()}, {})
    back = safetensors.numpy.load_file(path)
    assert {name: array.tobytes() for name, array in back.items()} == {n: a.tobytes() for n, a in ARRAYS.items()}
    ours = TensorFile(path)
    assert all(t.begin % np.dtype(ARRAYS[name].dtype).itemsize == 0 for name, t in ours.tensors.items())


def test_bfloat16_is_the_upper_half_of_a_float32(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    bits = np.array([0x3F80, 0xC000, 0x7F80, 0x0001], "<u2")
    path.write_bytes(container({"x": entry(0, 8, [4], "BF16")}, bits.tobytes()))
    values = TensorFile(path).float32("x")
    assert values[:3].tolist() == [1.0, -2.0, np.inf]
    assert values[3] == 2.0**-133


LIES = {
    "empty file": (b"", "is empty"),
    "shorter than its length": (b"\x01\x00", "does not fit"),
    "header longer than the file": (container({}, length=1 << 60), "does not fit"),
    "not JSON": (container(b"{'a': 1}"), "not JSON"),
    "not UTF-8": (container(b'{"\xff": 1}'), "not JSON"),
    "deep JSON": (container(b"[" * 100_000), "not JSON"),
    "not an object": (container([1]), "not a JSON object"),
    "a key twice": (container(b'{"a": 1, "a": 1}'), "twice"),
    "metadata of another kind": (container({"__metadata__": {"a": 1}}), "metadata"),
    "no object": (container({"a": 3}), "needs exactly"),
    "a field too much": (container({"a": entry(0, 1) | {"more": 1}}, b"1"), "needs exactly"),
    "unknown dtype": (container({"a": entry(0, 1, dtype="F4")}, b"1"), "unknown dtype 'F4'"),
    "dtype of another type": (container({"a": entry(0, 1, dtype=["F32"])}, b"1"), "unknown dtype"),
    "negative side": (container({"a": entry(0, 1, [-1])}, b"1"), "malformed"),
    "a fraction": (container({"a": entry(0, 1, [1.0])}, b"1"), "malformed"),
    "a truth value": (container({"a": entry(0, 1, [True])}, b"1"), "malformed"),
    "three offsets": (container({"a": entry(0, 1) | {"data_offsets": [0, 1, 1]}}, b"1"), "malformed"),
    "negative offset": (container({"a": entry(-1, 0)}, b"1"), "malformed"),
    "a number of a thousand digits": (container({"a": entry(0, 1, [10**1000])}, b"1"), "malformed"),
    "a number of ten thousand digits": (container(b'{"a": ' + b"9" * 10_000 + b"}"), "not JSON"),
    "too many sides": (container({"a": entry(0, 1, [1] * 33)}, b"1"), "malformed"),
    "shape too large": (container({"a": entry(0, 4, [1 << 40, 1 << 40])}, b"1234"), "larger than"),
    "no numbers, but a large shape": (container({"a": entry(0, 0, [0, 1 << 40, 1 << 40])}), "larger than"),
    "shape too large for its bytes": (container({"a": entry(0, 4, [1 << 40])}, b"1234"), "do not hold"),
    "8-bit floats": (container({"a": entry(0, 1, dtype="F8_E4M3")}, b"1"), "below 16 bits"),
    "byte order mark": (container(b"\xef\xbb\xbf{}"), "not JSON"),
    "UTF-16": (container("{}".encode("utf-16")), "not JSON"),
    "a key twice in an entry": (container(b'{"a": {"dtype": "I8", "dtype": "U8"}}'), "twice"),
    "metadata twice": (container(b'{"__metadata__": {}, "__metadata__": {}}'), "twice"),
    "a side that is none": (container(b'{"a": {"dtype": "I8", "shape": [NaN], "data_offsets": [0, 0]}}'), "malformed"),
    "an endless side": (container(b'{"a": {"dtype": "I8", "shape": [Infinity], "data_offsets": [0, 0]}}'), "malformed"),
    "the same place twice": (container({"a": entry(0, 2), "b": entry(0, 2)}, b"12"), "overlaps"),
    "backwards": (container({"a": entry(2, 0, [0])}, b"12"), "do not hold"),
    "overlap": (container({"a": entry(0, 3), "b": entry(2, 5)}, b"12345"), "overlaps"),
    "gap": (container({"a": entry(0, 2), "b": entry(3, 5)}, b"12345"), "gap"),
    "cut off": (container({"a": entry(0, 8)}, b"1234"), "cut off"),
    "bytes left over": (container({"a": entry(0, 4)}, b"12345"), "belong to no tensor"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_file_is_refused_in_one_line(tmp_path: Path, lie: str) -> None:
    content, reason = LIES[lie]
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=reason) as caught:
        TensorFile(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_huge_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with open(path, "wb") as file:
        file.write((200_000_000).to_bytes(8, "little"))
        file.truncate(300_000_000)  # sparse: takes no space
    with pytest.raises(WeightsError, match="refused"):
        TensorFile(path)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("absent", "No such file"), ("folder", "is a folder"), ("circle", "symbolic links"), ("pipe", "no regular file"),
     ("a\nb", "No such file"), ("a\0b", "null byte")],
)  # fmt: skip
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str, reason: str) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "circle":
        path.symlink_to(tmp_path / "back")
        (tmp_path / "back").symlink_to(path)
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(WeightsError, match=reason) as caught:
        TensorFile(path)
    assert str(tmp_path) in str(caught.value)
    assert str(caught.value).isprintable()


def test_tensors_need_not_be_aligned_or_hold_anything(tmp_path: Path) -> None:
    values = np.arange(3, dtype=np.float64)
    header = {"a": entry(0, 1), "b": entry(1, 25, [3], "F64"), "c": entry(25, 25), "d": entry(25, 25, [7, 0])}
    (tmp_path / "x").write_bytes(container(header, b"!" + values.tobytes()))
    file = TensorFile(tmp_path / "x")
    assert not file.raw("b").flags.aligned
    assert (file.raw("b") * 2).tolist() == [0, 2, 4]
    assert file.raw("c").shape == (0,)
    assert file.raw("d").shape == (7, 0)
    assert file.float32("d").shape == (7, 0)


def test_a_file_saved_over_is_still_the_one_that_was_opened(tmp_path: Path) -> None:
    path, other = tmp_path / "a.safetensors", tmp_path / "b"
    path.write_bytes(container({"a": entry(0, 1)}, b"1"))
    other.write_bytes(container({"a": entry(0, 1)}, b"2"))
    file = TensorFile(path)
    other.rename(path)
    assert file.raw("a").tobytes() == b"1"
    path.unlink()
    assert file.raw("a").tobytes() == b"1"


@given(content=st.binary(max_size=200), cut=st.integers(0, 200), flip=st.integers(0, 200), value=st.integers(0, 255))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_gives_tensors_or_an_error(tmp_path: Path, content: bytes, cut: int, flip: int, value: int) -> None:
    whole = bytearray(container({"a": entry(0, 4, [2, 2]), "b": entry(4, 8, [2], "F16")}, b"12345678"))
    whole[flip % len(whole)] = value
    path = tmp_path / "a.safetensors"
    for damaged in (content, bytes(whole), bytes(whole[:cut])):
        path.write_bytes(damaged)
        try:
            file = TensorFile(path)
        except WeightsError:
            continue
        assert all(file.raw(name).nbytes == t.end - t.begin for name, t in file.tensors.items())


def resident(path: Path) -> int:
    """Bytes of the file that this process holds in memory."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    places = [number for number, line in enumerate(lines) if line.endswith(str(path))]
    sizes = [next(line for line in lines[number:] if line.startswith("Rss:")) for number in places]
    return sum(1024 * int(line.split()[1]) for line in sizes)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="this system does not tell what is resident")
def test_released_arrays_leave_memory_and_keep_their_values(tmp_path: Path) -> None:
    path, size = tmp_path / "a.safetensors", 2**20
    numbers = np.random.default_rng(0).standard_normal((6, size // 4), np.float32)
    with open(path, "wb") as file:
        write_tensors(file, {str(place): ("F32", one) for place, one in enumerate(numbers)}, {})
    held = TensorFile(path)
    arrays = [held.raw(str(place)) for place in range(6)]
    assert [array.sum() for array in arrays] == pytest.approx([one.sum() for one in numbers])
    whole = resident(path)
    assert whole >= 6 * size
    release([*arrays[1:3], arrays[4].reshape(4, -1).T])
    assert resident(path) <= whole - 3 * size + 2**17
    assert all((array == one).all() for array, one in zip(arrays, numbers, strict=True))
    release([held.raw("0")[:0], *arrays])
    assert resident(path) <= 2**17
    assert all((array == one).all() for array, one in zip(arrays, numbers, strict=True))


def test_arrays_that_no_file_backs_are_left_alone(tmp_path: Path) -> None:
    """If their memory were freed, they would read as zeros."""
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)) * 64)
    writable = np.memmap(path, np.uint8, "c")
    writable[:] = 7
    with mmap.mmap(-1, 2**16) as own:
        own.write(b"8" * 2**16)
        view = np.frombuffer(own, np.uint8)
        copy = np.asarray(map_file(path)).copy()
        release([writable, view, copy, np.ones(2**16), np.zeros(0)])
        assert (writable == 7).all()
        assert (view == ord("8")).all()
        assert copy.tobytes() == path.read_bytes()
        del view
