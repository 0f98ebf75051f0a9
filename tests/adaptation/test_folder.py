"""A folder that appears whole or not at all."""

from __future__ import annotations

import os

import pytest

from contralto.adaptation.folder import folder_written_whole, require_new
from contralto.errors import ContraltoError
from contralto.weights.adaptation import ADAPTATION_FILE


@pytest.fixture
def former(tmp_path):
    """The folder of an adaptation, as far as its name tells."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / ADAPTATION_FILE).write_text("former")
    return folder


def only(folder):
    """The names beside the folder, itself included: no leftover."""
    return sorted(one.name for one in folder.parent.iterdir())


def write(folder, error=None, **options):
    with folder_written_whole(folder, **options) as made:
        assert made.is_dir()
        assert not list(made.iterdir())
        (made / "new").write_text("new")
        if error is not None:
            raise error


def test_it_appears_with_all_its_files_and_parents(tmp_path):
    write(tmp_path / "a" / "b")
    assert [one.name for one in (tmp_path / "a" / "b").iterdir()] == ["new"]
    assert only(tmp_path / "a" / "b") == ["b"]


def test_an_error_inside_leaves_nothing(tmp_path):
    for error in (ValueError("mine"), KeyboardInterrupt(), ContraltoError("said")):
        with pytest.raises(type(error)):
            write(tmp_path / "x" / "mine", error)
        assert not list((tmp_path / "x").iterdir())


def test_an_error_of_the_disk_is_one_line(tmp_path):
    with pytest.raises(ContraltoError, match="mine cannot be written: no space"):
        write(tmp_path / "mine", OSError(28, "no space"))


def test_an_existing_folder_is_replaced_only_by_force(former):
    with pytest.raises(ContraltoError, match=r"mine exists: .* --force"):
        write(former)
    assert [one.name for one in former.iterdir()] == [ADAPTATION_FILE]
    write(former, force=True)
    assert [one.name for one in former.iterdir()] == ["new"]
    assert only(former) == ["mine"]


def test_an_empty_folder_is_as_good_as_none(tmp_path):
    (tmp_path / "mine").mkdir()
    write(tmp_path / "mine")
    assert [one.name for one in (tmp_path / "mine").iterdir()] == ["new"]


def test_a_folder_of_other_files_is_never_replaced(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"dear")
    with pytest.raises(ContraltoError, match="holds no adaptation, and is not replaced"):
        write(tmp_path, force=True)
    assert (tmp_path / "holiday.jpg").read_bytes() == b"dear"


@pytest.mark.parametrize("error", [OSError(5, "a broken disk"), KeyboardInterrupt()])
def test_where_the_new_one_cannot_take_the_name_the_former_keeps_it(former, monkeypatch, error):
    rename, calls = os.rename, []

    def fails_second(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise error
        rename(source, target)

    monkeypatch.setattr(os, "rename", fails_second)
    with pytest.raises((ContraltoError, KeyboardInterrupt)):
        write(former, force=True)
    assert (former / ADAPTATION_FILE).read_text() == "former"
    assert only(former) == ["mine"]


def test_a_link_stays_a_link(former, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(former)
    write(link, force=True)
    assert link.is_symlink()
    assert [one.name for one in former.iterdir()] == ["new"]
    assert only(link) == ["link", "mine"]


def test_what_cannot_become_a_folder_is_refused_before_the_work(tmp_path, former):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ContraltoError, match="is a file: give the name of a folder"):
        require_new(tmp_path / "file", True)
    require_new(former, True)
    require_new(tmp_path / "no" / "such", False)


def test_a_place_that_takes_no_folder_is_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ContraltoError, match=r"mine cannot be written: .*file is no folder"):
        require_new(tmp_path / "file" / "sub" / "mine", False)
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(ContraltoError, match=r"mine cannot be written: no permission in"):
        require_new(tmp_path / "new" / "mine", False)
