import errno
import os

import pytest

from contralto.errors import ImageError
from contralto.image.decode import decode
from contralto.search.files import File, Unusable, look, walk


def make(folder, *names):
    for name in names:
        path = os.path.join(os.fsencode(folder), name if isinstance(name, bytes) else os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"x")


def names(folder):
    files, unusable = walk(str(folder))
    assert unusable == []
    return [os.path.relpath(file.path, folder) for file in files]


def test_subfolders_in_path_order_hidden_and_other_files_passed_over(tmp_path):
    make(tmp_path, "b.JPG", "a/z.png", "a/deep/er/k.webp", ".hidden.jpg", ".folder/x.jpg", "notes.txt", "noextension")
    assert names(tmp_path) == ["a/deep/er/k.webp", "a/z.png", "b.JPG"]


def test_links_to_folders_are_not_followed_links_to_files_are(tmp_path):
    make(tmp_path, "pictures/a.jpg", "elsewhere/b.jpg")
    inside = tmp_path / "pictures"
    (inside / "loop").symlink_to(inside)
    (inside / "other.jpg").symlink_to(tmp_path / "elsewhere")  # a folder with a picture's suffix
    (inside / "link.jpg").symlink_to(tmp_path / "elsewhere" / "b.jpg")
    assert names(inside) == ["a.jpg", "link.jpg"]
    assert walk(str(inside / "loop"))[0] != []  # but the folder that is named itself may be a link


def test_a_path_is_as_given_and_its_key_absolute(tmp_path, monkeypatch):
    make(tmp_path, "sub/a.jpg")
    monkeypatch.chdir(tmp_path)
    found = {given: walk(given)[0][0] for given in (".", "sub", "sub/", "./sub/.", str(tmp_path / "sub"))}
    shown = {".": "./sub/a.jpg", "sub": "sub/a.jpg", "sub/": "sub/a.jpg", "./sub/.": "./sub/./a.jpg"}
    assert {given: file.path for given, file in found.items() if given in shown} == shown
    assert {file.key for file in found.values()} == {os.fsencode(tmp_path / "sub" / "a.jpg")}


def test_odd_names_survive(tmp_path):
    odd = [b"\xff\xfe.jpg", "new\nline.jpg", " spaces .jpg", "-dash.jpg", "図 🐈.png"]
    make(tmp_path, *odd)
    files, _ = walk(str(tmp_path))
    assert {os.path.basename(file.key) for file in files} == {os.fsencode(name) for name in odd}
    for file in files:
        assert os.fsencode(file.path) == file.key
        assert look(file.path) == file


def test_a_broken_link_and_a_pipe_are_reported_not_opened(tmp_path):
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.png")
    files, unusable = walk(str(tmp_path))
    assert files == []
    reasons = {os.path.basename(one.path): one.reason for one in unusable}
    assert reasons == {"broken.jpg": "no such file or directory", "pipe.png": "is not a regular file"}


def test_an_unreadable_folder_is_reported_and_the_rest_is_found(tmp_path, monkeypatch):
    """The refusal is played, because root may read every folder."""
    make(tmp_path, "a.jpg", "closed/b.jpg")
    scandir = os.scandir

    def guarded(path):
        if os.path.basename(os.fspath(path)) in ("closed", b"closed"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    files, unusable = walk(str(tmp_path))
    assert [os.path.basename(file.path) for file in files] == ["a.jpg"]
    assert [one.reason for one in unusable] == ["permission denied"]


def test_a_folder_that_vanished_is_reported(tmp_path):
    files, unusable = walk(str(tmp_path / "gone"))
    assert files == []
    assert unusable == [Unusable(str(tmp_path / "gone"), "no such file or directory")]


def test_look_takes_any_suffix_but_only_regular_files(tmp_path):
    make(tmp_path, "noextension")
    found = look(str(tmp_path / "noextension"))
    assert isinstance(found, File)
    assert found.size == 1
    assert look(str(tmp_path)) == Unusable(str(tmp_path), "is not a regular file")
    assert look("a\0b") == Unusable("a\0b", "embedded null byte")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("https://example.org/a.jpg", "is a web address"),
        ("-", "standard input is not read"),
        ("*.jpg", "no file matches the pattern"),
        ("~/a.jpg", "is not expanded"),
        ("gone.jpg", "no such file or directory"),
    ],
)
def test_a_name_that_could_be_no_file_gets_its_reason(tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    found = look(name)
    assert isinstance(found, Unusable)
    assert said in found.reason
    with pytest.raises(ImageError, match=said.replace("no such", "No such")):
        decode(name)
    (tmp_path / "-").write_bytes(b"")
    assert isinstance(look("-"), File), "a file may be called so"
