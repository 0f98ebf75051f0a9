import errno
import os
import socket

import pytest

from contralto.errors import ImageError
from contralto.image.decode import decode
from contralto.search.walk import PictureFile, UnusableFile, file_at, walk


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
    files = {given: walk(given)[0][0] for given in (".", "sub", "sub/", "./sub/.", str(tmp_path / "sub"))}
    shown = {".": "./sub/a.jpg", "sub": "sub/a.jpg", "sub/": "sub/a.jpg", "./sub/.": "./sub/./a.jpg"}
    assert {given: file.path for given, file in files.items() if given in shown} == shown
    assert {file.key for file in files.values()} == {os.fsencode(tmp_path / "sub" / "a.jpg")}


def test_odd_names_survive(tmp_path):
    odd = [b"\xff\xfe.jpg", "new\nline.jpg", " spaces .jpg", "-dash.jpg", "図 🐈.png"]
    make(tmp_path, *odd)
    files, _ = walk(str(tmp_path))
    assert {os.path.basename(file.key) for file in files} == {os.fsencode(name) for name in odd}
    for file in files:
        assert os.fsencode(file.path) == file.key
        assert file_at(file.path) == file


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
    assert unusable == [UnusableFile(str(tmp_path / "gone"), "no such file or directory")]


def test_look_takes_any_suffix_but_only_regular_files(tmp_path):
    make(tmp_path, "noextension")
    result = file_at(str(tmp_path / "noextension"))
    assert isinstance(result, PictureFile)
    assert result.size == 1
    assert file_at(str(tmp_path)) == UnusableFile(str(tmp_path), "is not a regular file")
    assert file_at("a\0b") == UnusableFile("a\0b", "embedded null byte")


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
    result = file_at(name)
    assert isinstance(result, UnusableFile)
    assert said in result.reason
    with pytest.raises(ImageError, match=said.replace("no such", "No such")):
        decode(name)
    (tmp_path / "-").write_bytes(b"")
    assert isinstance(file_at("-"), PictureFile), "a file may be called so"


# One odd entry costs itself


def test_odd_entries_cost_themselves(tmp_path):
    make(tmp_path, "good.jpg", "sub/good.png", "future.jpg", "past.jpg", "empty.jpg")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "loop").symlink_to("loop")  # no picture by its name
    (tmp_path / "a.png").symlink_to("b.png")
    (tmp_path / "b.png").symlink_to("a.png")
    (tmp_path / "sub" / "up.jpg").symlink_to("..")
    os.utime(tmp_path / "future.jpg", ns=(0, 13_569_465_600 * 10**9))  # the year 2400
    os.utime(tmp_path / "past.jpg", ns=(0, -2_208_988_800 * 10**9))  # 1900
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.jpg"))
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "null.jpg").symlink_to(os.devnull)
    files, unusable = walk(str(tmp_path))
    good = ["empty.jpg", "future.jpg", "good.jpg", "past.jpg", "sub/good.png"]
    assert [os.path.relpath(file.path, tmp_path) for file in files] == good
    irregular, circular = "is not a regular file", os.strerror(errno.ELOOP).lower()
    assert {os.path.relpath(one.path, tmp_path): one.reason for one in unusable} == {
        **dict.fromkeys(("socket.jpg", "pipe.jpg", "null.jpg"), irregular),
        **dict.fromkeys(("loop.jpg", "a.png", "b.png"), circular),
    }
    for name, reason in (("loop.jpg", circular), ("pipe.jpg", irregular), ("x" * 300, "file name too long")):
        assert file_at(str(tmp_path / name)) == UnusableFile(str(tmp_path / name), reason)


@pytest.mark.parametrize("failing", ["stat", "is_dir"])
@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "gone"), OSError(errno.EIO, "gone"), ValueError("gone")]
)
def test_what_fails_when_it_is_looked_at_costs_itself(tmp_path, monkeypatch, failing, error):
    make(tmp_path, "a.jpg", "bad.jpg", "c.jpg")
    scandir = os.scandir

    class Entry:
        def __init__(self, entry):
            self.entry, self.name = entry, entry.name

        def __getattr__(self, name):
            def fails(**_):
                raise error

            return fails if name == failing and self.name == "bad.jpg" else getattr(self.entry, name)

    class Entries(list):
        def __enter__(self):
            return self

        def __exit__(self, *_): ...

    monkeypatch.setattr(os, "scandir", lambda path: Entries(map(Entry, scandir(path))))
    files, unusable = walk(str(tmp_path))
    assert [os.path.basename(file.path) for file in files] == ["a.jpg", "c.jpg"]
    assert unusable == [UnusableFile(str(tmp_path / "bad.jpg"), "gone")]


def test_a_folder_that_fails_half_way_keeps_what_was_read(tmp_path, monkeypatch):
    make(tmp_path, "a.jpg", "b.jpg")
    scandir = os.scandir

    class Entries:
        def __init__(self, path):
            self.path = path

        def __enter__(self):
            return self

        def __exit__(self, *_): ...

        def __iter__(self):
            yield from scandir(self.path)
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "scandir", Entries)
    files, unusable = walk(str(tmp_path))
    assert len(files) == 2
    assert unusable == [UnusableFile(str(tmp_path), "input/output error")]


def test_a_path_that_is_too_long_costs_itself(tmp_path):
    make(tmp_path, "good.jpg")
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):  # each step is short, the whole is over 4096 bytes
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("deep.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    files, unusable = walk(str(tmp_path))
    assert [os.path.basename(file.path) for file in files] == ["good.jpg"]
    assert [one.reason for one in unusable] == ["file name too long"]


def test_a_working_folder_that_is_gone_is_reported(tmp_path, monkeypatch):
    make(tmp_path, "gone/a.jpg")
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone" / "a.jpg").unlink()
    (tmp_path / "gone").rmdir()
    assert walk(".") == ([], [UnusableFile(".", "no such file or directory")])
    assert file_at("a.jpg") == UnusableFile("a.jpg", "no such file or directory")


# What systems make for themselves, and what the user excludes


SYSTEMS = [
    "@eaDir/photo.jpg/SYNOPHOTO_THUMB_XL.jpg",
    *("@EADIR/x.jpg", "__MACOSX/._photo.jpg", "__MACOSX/photo.jpg", ".thumbnails/1.png", "sub/.Trash-1000/x.jpg"),
    *("$RECYCLE.BIN/S-1-5/$R1.jpg", "$Recycle.Bin/x.jpg", "System Volume Information/x.jpg", "lost+found/#12.jpg"),
    *("#recycle/x.jpg", "@Recycle/x.jpg", ".@__thumb/x.jpg", "#snapshot/x.jpg", "@Recently-Snapshot/x.jpg"),
    *("RECYCLER/x.jpg", "LOST.DIR/x.jpg", "found.000/x.jpg", "~snapshot/x.jpg", "@tmp/x.jpg", "Temporary Items/x.jpg"),
    *("._photo.jpg", ".DS_Store", "Thumbs.db", "desktop.ini"),
]


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_systems_make_is_passed_over(tmp_path, name):
    make(tmp_path, "photo.jpg", "sub/photo.jpg", name)
    assert names(tmp_path) == ["photo.jpg", "sub/photo.jpg"]


def test_names_that_only_begin_alike_are_the_users(tmp_path):
    own = ["#1/x.jpg", "@home/x.jpg", "$5 lunch/x.jpg", "MACOSX/x.jpg", "lost and found/x.jpg", "recycle.bin/x.jpg"]
    make(tmp_path, *own)
    assert names(tmp_path) == sorted(own)


@pytest.mark.parametrize("name", ["@eaDir", ".thumbnails", "lost+found"])
def test_a_folder_that_is_named_itself_is_walked_whatever_it_is_called(tmp_path, monkeypatch, name):
    make(tmp_path, f"{name}/a.jpg", f"{name}/{name}/b.jpg")
    assert names(tmp_path / name) == ["a.jpg"]
    monkeypatch.chdir(tmp_path)
    assert [file.path for file in walk(name)[0]] == [f"{name}/a.jpg"]


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ([], ["2019/a.jpg", "2019/raw/b.png", "2020/a.jpg", "2020/b-small.jpg", "c[1].jpg"]),
        (["2019"], ["2020/a.jpg", "2020/b-small.jpg", "c[1].jpg"]),
        (["2019/"], ["2020/a.jpg", "2020/b-small.jpg", "c[1].jpg"]),
        (["2019/*"], ["2020/a.jpg", "2020/b-small.jpg", "c[1].jpg"]),
        (["2019/raw"], ["2019/a.jpg", "2020/a.jpg", "2020/b-small.jpg", "c[1].jpg"]),
        (["raw", "*-small.*"], ["2019/a.jpg", "2020/a.jpg", "c[1].jpg"]),
        (["20??/a.jpg", "c[[]1].jpg"], ["2019/raw/b.png", "2020/b-small.jpg"]),
        (
            ["a", "201", "*.gif", "", "/"],
            ["2019/a.jpg", "2019/raw/b.png", "2020/a.jpg", "2020/b-small.jpg", "c[1].jpg"],
        ),
        (["*"], []),
    ],
)
def test_what_the_user_excludes_by_name_or_path(tmp_path, patterns, left):
    make(tmp_path, "2019/a.jpg", "2019/raw/b.png", "2020/a.jpg", "2020/b-small.jpg", "c[1].jpg")
    files, unusable = walk(str(tmp_path), patterns)
    assert [os.path.relpath(file.path, tmp_path) for file in files] == left
    assert unusable == []


def test_patterns_are_of_what_is_below_the_folder(tmp_path):
    make(tmp_path, "photos/photos.txt", "photos/a.jpg", b"photos/\xff.jpg")
    assert len(walk(str(tmp_path / "photos"), ["photos", str(tmp_path)])[0]) == 2
    assert [file.key for file in walk(str(tmp_path / "photos"), ["a.jpg"])[0]] == [
        os.fsencode(tmp_path / "photos") + b"/\xff.jpg"
    ]


def test_what_is_excluded_is_not_looked_at(tmp_path):
    make(tmp_path, "a.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    assert walk(str(tmp_path), ["loop.*"])[1] == []
