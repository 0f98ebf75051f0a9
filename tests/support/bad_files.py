"""Bad checkpoints. Each function writes a file and returns its path; its docstring is a part of the error message.

bad_pytorch_files.py adds the files of PyTorch to CASES.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CASES: dict[str, Callable[[Path], Path]] = {}
MARKER = "a-pickle-ran"


def case(write: Callable[[Path], Path]) -> Callable[[Path], Path]:
    CASES[write.__name__] = write
    return write


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def safetensors(header: object, body: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


def entry(begin: int, end: int, dtype: str = "I8") -> dict[str, object]:
    return {"dtype": dtype, "shape": [end - begin], "data_offsets": [begin, end]}


def index(folder: Path, weight_map: Any) -> Path:
    put(folder / "one.safetensors", safetensors({"a": entry(0, 1)}, b"1"))
    put(folder / "two.safetensors", safetensors({"b": entry(0, 1)}, b"1"))
    return put(folder / "model.safetensors.index.json", json.dumps({"weight_map": weight_map}).encode())


@case
def header_of_2_to_60_bytes(folder: Path) -> Path:
    """its header does not fit in its 10 bytes"""
    return put(folder / "x.safetensors", safetensors({}, length=2**60))


@case
def header_of_200_megabytes(folder: Path) -> Path:
    """a header of 200000000 bytes is refused"""
    with open(folder / "x.safetensors", "wb") as file:
        file.write(safetensors(b"{", length=200_000_000))
        file.truncate(300_000_000)
    return folder / "x.safetensors"


@case
def overlapping_offsets(folder: Path) -> Path:
    """tensor 'b' overlaps another"""
    return put(folder / "x.safetensors", safetensors({"a": entry(0, 3), "b": entry(2, 5)}, b"12345"))


@case
def safetensors_cut_off(folder: Path) -> Path:
    """is cut off"""
    return put(folder / "x.safetensors", safetensors({"a": entry(0, 8)}, b"1234"))


@case
def duplicate_keys(folder: Path) -> Path:
    """a key occurs twice"""
    text = b'{"a": {"dtype": "I8", "shape": [1], "data_offsets": [0, 1]}, "a": {}}'
    return put(folder / "x.safetensors", safetensors(text, b"1"))


@case
def duplicate_keys_in_an_index(folder: Path) -> Path:
    """a key occurs twice"""
    index(folder, {})
    return put(folder / "x.json", b'{"weight_map": {"a": "one.safetensors", "a": "two.safetensors"}}')


@case
def floats_of_8_bits(folder: Path) -> Path:
    """stored as F8_E4M3: floats below 16 bits are not read"""
    return put(folder / "x.safetensors", safetensors({"a": entry(0, 3, "F8_E4M3")}, b"123"))


@case
def nothing_in_it(folder: Path) -> Path:
    """holds no tensors"""
    return put(folder / "x.safetensors", safetensors({}))


@case
def missing_shard(folder: Path) -> Path:
    """needs three.safetensors, which is not next to it"""
    return index(folder, {"a": "one.safetensors", "b": "three.safetensors"})


@case
def shard_in_the_folder_above(folder: Path) -> Path:
    """its shard '../x' is no plain file name"""
    return index(folder, {"a": "one.safetensors", "b": "../x"})


@case
def shard_at_an_absolute_path(folder: Path) -> Path:
    """its shard '/etc/passwd' is no plain file name"""
    return index(folder, {"a": "/etc/passwd"})


@case
def shard_with_an_endless_name(folder: Path) -> Path:
    """is no plain file name"""
    return index(folder, {"a": "x" * 5000})


@case
def shard_on_a_drive(folder: Path) -> Path:
    """is no plain file name"""
    return index(folder, {"a": "C:x"})


@case
def shard_that_is_a_number(folder: Path) -> Path:
    """its shard '3' is no plain file name"""
    return index(folder, {"a": 3})


@case
def shard_that_is_the_index(folder: Path) -> Path:
    """its shard model.safetensors.index.json is JSON"""
    return index(folder, {"a": "model.safetensors.index.json"})


@case
def shard_in_a_circle_of_links(folder: Path) -> Path:
    """three.safetensors"""
    (folder / "three.safetensors").symlink_to(folder / "four.safetensors")
    (folder / "four.safetensors").symlink_to(folder / "three.safetensors")
    return index(folder, {"a": "one.safetensors", "b": "three.safetensors"})


@case
def tensor_in_another_shard(folder: Path) -> Path:
    """its shard two.safetensors do not agree on a, b"""
    return index(folder, {"a": "two.safetensors", "b": "one.safetensors"})


@case
def tensor_left_over_in_a_shard(folder: Path) -> Path:
    """do not agree on c"""
    put(folder / "three.safetensors", safetensors({"a": entry(0, 1), "c": entry(1, 2)}, b"12"))
    return index(folder, {"a": "three.safetensors", "b": "two.safetensors"})


@case
def index_without_map(folder: Path) -> Path:
    """has no weight_map"""
    return put(folder / "x.index.json", b'{"error": "Repository not found"}')


@case
def index_nested_deeply(folder: Path) -> Path:
    """is not JSON"""
    return put(folder / "x.index.json", b'{"weight_map": ' + b"[" * 1_000_000)


@case
def circle_of_links(folder: Path) -> Path:
    """symbolic links"""
    (folder / "x.pt").symlink_to(folder / "y.pt")
    (folder / "y.pt").symlink_to(folder / "x.pt")
    return folder / "x.pt"


@case
def absent(folder: Path) -> Path:
    """No such file"""
    return folder / "x.pt"


@case
def a_folder(folder: Path) -> Path:
    """is a folder: name the weight file in it"""
    return folder


@case
def empty(folder: Path) -> Path:
    """is empty"""
    return put(folder / "x.pt", b"")


@case
def git_lfs_pointer(folder: Path) -> Path:
    """is a Git LFS pointer, not the file it stands for: run git lfs pull"""
    text = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"
    return put(folder / "x.safetensors", text)


@case
def web_page(folder: Path) -> Path:
    """is a web page, not weights"""
    return put(folder / "x.pt", b"\n  <!DOCTYPE html>\n<html><body>Sign in</body></html>")


def tar(member: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        info = tarfile.TarInfo(member)
        info.size = 4
        file.addfile(info, io.BytesIO(b"1234"))
    return buffer.getvalue()


@case
def tar_with_an_absolute_member(folder: Path) -> Path:
    """is a tar archive"""
    return put(folder / "x.pt", tar(str(folder / MARKER)))


@case
def tar_with_a_member_above(folder: Path) -> Path:
    """is a tar archive"""
    return put(folder / "x.pt", tar("../../" + MARKER))


@case
def compressed(folder: Path) -> Path:
    """is compressed"""
    return put(folder / "x.pt", gzip.compress(safetensors({"a": entry(0, 1)}, b"1")))


@case
def numpy_archive(folder: Path) -> Path:
    """is a NumPy archive"""
    np.savez(folder / "x.npz", a=np.ones(3))
    return folder / "x.npz"


@case
def zip_of_something_else(folder: Path) -> Path:
    """is a zip archive, but not one of PyTorch's"""
    with zipfile.ZipFile(folder / "x.zip", "w") as file:
        file.writestr("readme.txt", b"weights inside")
    return folder / "x.zip"


@case
def random_bytes(folder: Path) -> Path:
    """neither safetensors nor PyTorch's"""
    return put(folder / "x.bin", np.random.default_rng(0).bytes(10_000))
