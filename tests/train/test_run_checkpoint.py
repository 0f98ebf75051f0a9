"""The disk takes no more: one line names the file, the former checkpoint is whole, and the run goes on from it."""

import contextlib
import errno
import io
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from support.small_training import phase, recipe

from contralto.errors import DataError, WeightsError
from contralto.train import run_checkpoint
from contralto.train.log import Log
from contralto.train.loop import run

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def small_disk(tmp_path):
    """A folder that takes one MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "none", folder], check=False).returncode:
        pytest.skip("mounting a small disk needs Linux and root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder):
    """Takes all that is left, and returns the file to delete."""
    taken = folder / "taken"
    with contextlib.suppress(OSError), open(taken, "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return taken


class FullDisk(io.BytesIO):
    """Takes `room` bytes."""

    def __init__(self, room):
        super().__init__()
        self.room = room

    def write(self, data):
        if self.tell() + len(data) > self.room:
            raise FULL
        return super().write(data)


def test_a_full_disk_is_named_and_the_run_goes_on_from_the_former_checkpoint(small_disk):
    run(recipe(), small_disk, progress=False, steps=5)
    former = (small_disk / "checkpoint.pt").read_bytes()
    taken = fill(small_disk)
    plan = recipe(checkpoint_every=1)
    with pytest.raises((WeightsError, DataError), match=r"/disk/\S+ cannot be written: no space left on device"):
        run(plan, small_disk, progress=False)
    assert (small_disk / "checkpoint.pt").read_bytes() == former
    assert not list(small_disk.glob(".*"))
    taken.unlink()
    run(plan, small_disk, progress=False)
    assert (small_disk / "model.safetensors").exists()


@pytest.mark.parametrize("room", [0, 100, 20_000])  # the header, the first tensor, in the midst of them
def test_what_torch_makes_of_a_full_disk_is_told_as_what_it_is(tmp_path, monkeypatch, room):
    @contextlib.contextmanager
    def full(path):
        yield FullDisk(room)

    monkeypatch.setattr(run_checkpoint, "written_whole", full)
    state = run_checkpoint.RunCheckpoint(1, {str(n): torch.zeros(3000) for n in range(9)}, None, None)
    with pytest.raises(WeightsError, match=r"checkpoint\.pt cannot be written: no space left on device"):
        run_checkpoint.save(tmp_path / "checkpoint.pt", state, {})


def test_errors_of_torch_that_are_not_the_disk_s_stay_what_they_are(tmp_path, monkeypatch):
    def broken(content, file):
        raise RuntimeError("of another kind")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(RuntimeError, match="of another kind"):
        run_checkpoint.save(tmp_path / "checkpoint.pt", run_checkpoint.RunCheckpoint(1, {}, None, None), {})


def test_a_log_line_that_the_disk_does_not_take_names_the_log_and_a_checkpoint_is_kept(tmp_path, monkeypatch, capsys):
    write = Log.write

    def full(self, figures):
        if figures["step"] == 8:
            self._file.close()
            self._file = open("/dev/full", "w")  # noqa: SIM115
        write(self, figures)

    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    monkeypatch.setattr(Log, "write", full)
    with pytest.raises(DataError, match=r"log\.jsonl cannot be written: no space left on device"):
        run(recipe(phase()), tmp_path, progress=False)
    assert "saved after step 8 of 12" in capsys.readouterr().err
    monkeypatch.undo()
    run(recipe(phase()), tmp_path, progress=False)
    assert (tmp_path / "model.safetensors").exists()
