"""Files written whole: what stays as it was, what is written into, and which file an error names."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

from contralto import files
from contralto.errors import ContraltoError
from contralto.files import error_text, require_file, require_folder, written_whole


def write(path: Path, content: bytes = b"new") -> None:
    with written_whole(path) as file:
        file.write(content)


def names(folder: Path) -> set[str]:
    return set(os.listdir(folder))


def test_a_file_is_made_with_the_usual_permissions_and_replaced_with_its_own(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "a")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    for mode in (0o600, 0o664, 0o755):
        (tmp_path / "a").chmod(mode)
        write(tmp_path / "a", b"newer")
        assert (tmp_path / "a").stat().st_mode & 0o777 == mode
    assert (tmp_path / "a").read_bytes() == b"newer"
    assert names(tmp_path) == {"a"}


@pytest.mark.parametrize("fault", [ValueError("x"), KeyboardInterrupt(), OSError("x")])
def test_nothing_is_left_of_a_block_that_fails(tmp_path: Path, fault: BaseException) -> None:
    (tmp_path / "old").write_bytes(b"old")

    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise fault

    for name in ("old", "new"):
        with pytest.raises(type(fault)), written_whole(tmp_path / name) as file:
            fail(file)
    assert names(tmp_path) == {"old"}
    assert (tmp_path / "old").read_bytes() == b"old"


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("far/file")
    (tmp_path / "second").symlink_to("link")
    (tmp_path / "dangling").symlink_to("far/made")
    for name, target in (("link", "file"), ("second", "file"), ("dangling", "made")):
        write(tmp_path / name, name.encode())
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "far" / target).read_bytes() == name.encode()
    assert names(tmp_path / "far") == {"file", "made"}


def test_a_link_in_a_circle_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="loop") as caught:
        write(tmp_path / "loop")
    assert caught.value.filename == str(tmp_path / "loop")
    assert (tmp_path / "loop").is_symlink()


def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        write(pipe, b"through")
        out, _ = reader.communicate(timeout=30)
    assert out == b"through"
    assert pipe.is_fifo()


def test_a_device_is_written_into_and_stays_one(tmp_path: Path) -> None:
    node = tmp_path / "null.npz"
    try:
        os.mknod(node, 0o020666, os.makedev(1, 3))
    except OSError:
        pytest.skip("no device can be made here")
    require_file(node)
    write(node)
    assert node.is_char_device()
    (tmp_path / "link").symlink_to("/dev/null")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert Path("/dev/null").is_char_device()


def test_what_is_neither_file_nor_pipe_is_refused(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for name, said in (("socket", "is neither a file nor a pipe"), (".", "is a folder")):
            with pytest.raises(OSError, match=said):
                write(tmp_path / name)
            with pytest.raises(ContraltoError, match=said):
                require_file(tmp_path / name)
    assert (tmp_path / "socket").is_socket()


def test_a_name_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    for name in ("n" * 255, "ü" * 127):
        write(tmp_path / name)
        require_file(tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"new"


# Errors of the file system


def savez(file: BinaryIO) -> None:
    np.savez(file, rows=np.zeros(2**18))


def zipped(file: BinaryIO) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", bytes(2**20))


def parquet(file: BinaryIO) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"a": np.random.default_rng(0).random(2**18)})
    with parquet.ParquetWriter(file, table.schema) as writer:
        writer.write_table(table)


def torch_save(file: BinaryIO) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"a": torch.zeros(2**18)}, file)


def image(file: BinaryIO) -> None:
    from PIL import Image

    Image.effect_noise((1024, 1024), 50).save(file, "PNG")


def plain(file: BinaryIO) -> None:
    file.write(bytes(2**21))


def unflushed(file: BinaryIO) -> None:
    file.write(b"a little")


WRITERS = [savez, zipped, parquet, torch_save, image, plain, unflushed]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_disk_that_takes_no_more_is_told_with_the_file_whoever_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: Any, number: int
) -> None:
    class Full(files._MonitoredFile):
        def write(self, data: object, /) -> int:
            self.failed = self.failed or OSError(number, os.strerror(number))
            raise self.failed

    monkeypatch.setattr(files, "_MonitoredFile", Full)
    with (
        pytest.raises(OSError, match=re.escape(os.strerror(number))) as caught,
        written_whole(tmp_path / "out") as file,
    ):
        writer(file)
    assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / "out"))
    assert error_text(caught.value) == f"{tmp_path / 'out'}: {os.strerror(number).lower()}"
    assert names(tmp_path) == set()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("writer", WRITERS[:-1])
def test_a_full_disk(small_disk: Path, writer: Any) -> None:
    path = small_disk / "out"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="No space left") as caught, written_whole(path) as file:
        writer(file)
    assert error_text(caught.value) == f"{path}: no space left on device"
    assert names(small_disk) == {"out"}
    assert path.read_bytes() == b"old"


def test_a_device_that_is_full_is_told() -> None:
    if not Path("/dev/full").is_char_device():
        pytest.skip("there is no /dev/full here")
    with pytest.raises(OSError, match="/dev/full") as caught:
        write(Path("/dev/full"))
    assert error_text(caught.value) == "/dev/full: no space left on device"


def test_a_pipe_whose_reader_leaves_is_told(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    left = threading.Event()

    def leave() -> None:
        os.close(os.open(pipe, os.O_RDONLY))
        left.set()

    threading.Thread(target=leave, daemon=True).start()
    with pytest.raises(BrokenPipeError) as caught:
        write(pipe, bytes(2**22))
    assert left.wait(30)
    assert caught.value.filename == str(pipe)


def test_an_error_names_the_target_and_never_the_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "nowhere" / "out", tmp_path / "file" / "out", tmp_path / ("n" * 256)):
        with pytest.raises(OSError, match=re.escape(str(path))) as caught:
            write(path)
        assert caught.value.filename == str(path)
        assert ".tmp" not in str(caught.value)


def test_an_error_of_what_is_read_meanwhile_keeps_its_own_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, written_whole(tmp_path / "out"):
        open(tmp_path / "source").close()
    assert error_text(caught.value, tmp_path / "out") == f"{tmp_path / 'source'}: no such file or directory"
    assert error_text(OSError(errno.EIO, "Input/output error"), "given") == "given: input/output error"
    assert error_text(OSError("odd")) == "odd"


# Before the work


def test_require_file_leaves_nothing_behind_and_passes_what_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "dangling").symlink_to("made")
    for name in ("old", "new", "dangling"):
        require_file(tmp_path / name)
    assert names(tmp_path) == {"old", "dangling"}
    assert (tmp_path / "old").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nowhere/out", "there is no folder nowhere"),
        ("file/out", "there is no folder file"),
        ("~/out", "'~' is not expanded"),
        ("n" * 256, "file name too long"),
        ("broken/out", "there is no folder broken"),
        ("nowhere-link", "no such file or directory"),
    ],
)
def test_require_file_refuses_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("broken").symlink_to("gone")
    Path("nowhere-link").symlink_to("gone/file")
    with pytest.raises(ContraltoError, match=re.escape(said)) as caught:
        require_file(Path(given))
    assert str(caught.value).startswith(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", ["there", "new", "new/below", "there/new", "v1.2", "link"])
def test_require_folder_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    Path("link").symlink_to("there")
    require_folder(Path(given))
    assert (names(tmp_path), names(tmp_path / "there")) == ({"there", "link"}, set())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("file", "file: is not a folder"),
        ("file/new", "file: is not a folder"),
        ("gone", "gone: is not a folder"),
        ("page.html", "page.html: must be a folder, but .html is the suffix of a file"),
        ("model.SafeTensors", "is the suffix of a file"),
        ("~/out", "'~' is not expanded"),
    ],
)
def test_require_folder_refuses_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("gone").symlink_to("nowhere")
    with pytest.raises(ContraltoError, match=re.escape(said)):
        require_folder(Path(given))
    assert names(tmp_path) == {"file", "gone"}
