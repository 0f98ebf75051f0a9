"""A folder per class, on the disk and in a tar: splits, names, what is wrong."""

import os
import tarfile

import pytest
from support.user_files import labels, png, tar_of, tree

from contralto.data.class_tree import NO_CLASS, NO_PICTURE, NO_SPLIT, ONLY_OTHERS
from contralto.data.sample import SampleError
from contralto.errors import DataError
from contralto.sets.open import open_set
from contralto.sets.user_set import EMPTY_CLASSES

FILES = {
    "train/cat_fish/1.png": png(1),
    "train/ape/2.png": png(2),
    "validation/ape/3.png": png(3),
    "validation/ape/._3.png": b"junk",
    "train/ape/notes.txt": b"no picture",
}


@pytest.fixture(params=["disk", "tar"])
def made(request, tmp_path):
    """Writes the files as a folder, or as a tar, and gives the path as one types it."""

    def make(files):
        if request.param == "disk":
            return str(tree(tmp_path / "set", files))
        return str(tar_of(tmp_path / "set.tar", [("./" + name, data) for name, data in files.items()]))

    return make


def test_splits_are_found_and_val_goes_before_train(made):
    data_set = open_set(made(FILES))
    assert (data_set.name, data_set.split, data_set.task, data_set.metric) == ("set", "val", "classes", "top1")
    assert sorted(data_set.splits) == ["train", "val"]
    assert labels(data_set) == {3: "ape"}


def test_classes_are_those_of_all_splits_in_the_order_of_their_folders(made):
    path = made(FILES)
    for split, expected in {"train": {1: "cat fish", 2: "ape"}, "valid": {3: "ape"}}.items():
        data_set = open_set(f"{path}:{split}")
        assert labels(data_set) == expected
        assert [(known.name, known.folder) for known in data_set.classes] == [("ape", "ape"), ("cat fish", "cat_fish")]
        assert data_set.other("train").items[0].key.startswith("train/")


def test_test_goes_before_val_and_keys_are_paths_within_the_set(made):
    data_set = open_set(made({**FILES, "test/ape/4.png": png(4)}))
    assert (data_set.split, [item.key for item in data_set.items]) == ("test", ["test/ape/4.png"])


def test_without_splits_all_pictures_are_one(made):
    data_set = open_set(made({"ape/1.png": png(1), "bee/2.png": png(2)}))
    assert (data_set.split, data_set.splits, labels(data_set)) == ("all", ("all",), {1: "ape", 2: "bee"})


def test_a_folder_that_the_whole_tar_lies_in_is_no_class(tmp_path):
    for number, above in enumerate(("set/", "./set/val/")):
        path = tar_of(tmp_path / f"{number}.tar", [(f"{above}ape/1.png", png(1)), (f"{above}bee/2.png", png(2))])
        assert labels(open_set(str(path))) == {1: "ape", 2: "bee"}


def test_what_lies_beside_the_folders_of_splits_is_none(made):
    data_set = open_set(made({**FILES, "extra/9.png": png(9)}))
    assert sorted(data_set.splits) == ["train", "val"]
    assert [known.name for known in data_set.classes] == ["ape", "cat fish"]


def test_a_class_may_be_called_train(made):
    assert labels(open_set(made({"train/1.png": png(1), "tram/2.png": png(2)}))) == {1: "train", 2: "tram"}


def test_the_json_beside_it_states_names_groups_and_templates(made, tmp_path):
    path = made(FILES)
    classes = [
        {"index": 0, "dir": "zebra", "name": "zebra"},
        {"index": 1, "dir": "cat_fish", "name": "catfish", "coarse": "fish"},
        {"index": 2, "dir": "ape", "name": "great ape"},
    ]
    tree(tmp_path, {"set.json": {"classes": classes, "templates": ["see {}"], "side": 8}})
    data_set = open_set(f"{path}:train")
    assert labels(data_set) == {1: "catfish", 2: "great ape"}
    assert [known.group for known in data_set.classes] == ["", "fish", ""]
    assert (data_set.templates, data_set.template_set) == (("see {}",), "set")


def test_names_alone_find_their_folders_with_or_without_spaces(made, tmp_path):
    path = made(FILES)
    tree(tmp_path, {"set.json": {"classes": ["cat fish", "ape"]}})
    assert labels(open_set(f"{path}:train")) == {1: "cat fish", 2: "ape"}


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ({"classes": ["ape"]}, r"2 class folders, set\.json states 1 classes: 'cat_fish' is none"),
        ({"classes": "ape"}, "must be a list"),
        ({"classes": [{"dir": "ape"}]}, "class 0 must be a name"),
        ({"classes": ["cat fish", {"index": 0, "dir": "ape", "name": "x"}]}, "class 1 must be"),
        ({"classes": ["ape", "cat fish", "ape"]}, "same folder"),
        ({"templates": ["no place"]}, "for the class name"),
        (["ape"], "must be an object"),
    ],
)
def test_a_json_that_does_not_fit_is_an_error(made, tmp_path, stated, why):
    path = made(FILES)
    tree(tmp_path, {"set.json": stated})
    with pytest.raises(DataError, match=why):
        open_set(path)


def test_an_unknown_split_is_an_error_that_lists_the_others(made):
    with pytest.raises(DataError, match=r"no split 'test' \(available: .*train"):
        open_set(made(FILES) + ":test")


def test_pictures_outside_of_class_folders_are_no_set(made):
    with pytest.raises(DataError, match="no pictures in folders per class"):
        open_set(made({"1.png": png(1)}))


def test_train_alone_is_measured_but_never_chosen_among_several(made):
    assert open_set(made({"train/ape/1.png": png(1)})).split == "train"


def test_two_names_of_the_same_split_are_an_error(tmp_path):
    tree(tmp_path, {"val/ape/1.png": png(1), "valid/ape/2.png": png(2)})
    with pytest.raises(DataError, match="more than one"):
        open_set(str(tmp_path))


def test_an_empty_split_is_an_error(tmp_path):
    tree(tmp_path, {"test/ape/notes.txt": b"", "train/ape/1.png": png(1)})
    with pytest.raises(DataError, match="'test' is empty"):
        open_set(str(tmp_path))


def test_of_a_member_twice_the_first_is_taken_and_the_other_told(tmp_path):
    data_set = open_set(str(tar_of(tmp_path / "set.tar", [("ape/1.png", png(1)), ("./ape/1.png", png(2))])))
    assert labels(data_set) == {1: "ape"}
    assert data_set.left_out.failed == {"ape/1.png": "is in the tar twice: the first is taken"}


def test_the_order_is_that_of_names_and_in_a_tar_its_own(made):
    files = {f"{name}.png": png(1) for name in ("bee/2", "ape/2", "bee/1", "ape/10")}
    path = made(files)
    keys = [item.key for item in open_set(path).items]
    assert keys == (list(files) if path.endswith(".tar") else ["ape/10.png", "ape/2.png", "bee/1.png", "bee/2.png"])


def test_pictures_of_one_stem_are_several_pictures(made):
    assert labels(open_set(made({"ape/1.png": png(1), "ape/1.jpg": png(2)}))) == {1: "ape", 2: "ape"}


def test_all_that_the_rest_of_the_program_reads_is_measured(made):
    names = ["a.jpg", "b.JPG", "c.ppm", "d.avif", "e.jfif", "f.jp2", "g.tga", "h.qoi", "i.ico", "j.Tiff", "k.pgm"]
    data_set = open_set(made({f"ape/{name}": png(shade) for shade, name in enumerate(names)}))
    assert len(labels(data_set)) == len(names)
    assert not data_set.left_out.counts()


def test_pictures_in_deeper_folders_are_of_their_class(made):
    data_set = open_set(made({"ape/young/1.png": png(1), "ape/old/grey/2.png": png(2), "bee/3.png": png(3)}))
    assert labels(data_set) == {1: "ape", 2: "ape", 3: "bee"}
    assert "ape/old/grey/2.png" in [item.key for item in data_set.items]


@pytest.mark.parametrize(
    "odd", ["__MACOSX/1.png", "@eaDir/1.png", ".hidden/1.png", "ape/@eaDir/1.png", "ape/.ipynb_checkpoints/1.png",
            "ape/._1.png", "__MACOSX/ape/._1.png", "#recycle/ape/1.png", "ape/young/.thumbs/1.png"],
)  # fmt: skip
def test_what_systems_make_is_neither_class_nor_picture(made, odd):
    data_set = open_set(made({"ape/1.png": png(1), "bee/2.png": png(2), odd: png(9)}))
    assert [known.name for known in data_set.classes] == ["ape", "bee"]
    assert sorted(labels(data_set)) == [1, 2]
    assert not data_set.left_out.counts()


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ("ape/img_001", NO_PICTURE), ("ape/film.mp4", NO_PICTURE), ("ape/young/x.jpg_original", NO_PICTURE),
        ("top.png", NO_CLASS), ("notes/x.pdf", ONLY_OTHERS), ("ape/README.md", None), ("ape/Thumbs.db", None),
        ("classes.txt", None),
    ],
)  # fmt: skip
def test_what_is_left_out_is_told_by_kind_with_an_example(made, odd, reason):
    data_set = open_set(made({"ape/1.png": png(1), "bee/2.png": png(2), odd: png(9)}))
    assert [known.name for known in data_set.classes] == ["ape", "bee"]
    example = odd.partition("/")[0] if reason == ONLY_OTHERS else odd
    assert data_set.left_out.ignored == ({reason: (1, example)} if reason else {})


def test_what_lies_at_the_level_of_splits_is_told(made):
    data_set = open_set(made({**FILES, "extra/9.png": png(9), "8.png": png(8), "validation/7.png": png(7)}))
    assert labels(data_set) == {3: "ape"}
    assert data_set.left_out.ignored[NO_CLASS] == (2, "8.png")
    assert data_set.left_out.ignored[NO_SPLIT] == (1, "extra")


@pytest.mark.parametrize(
    ("folders", "split", "asked"),
    [
        (("Training", "Testing"), "test", "testing"), (("TRAIN", "VAL"), "val", "valid"),
        (("training", "Validation"), "val", "val"), (("Train", "Test"), "test", "Test"),
        (("train", "dev"), "dev", "val"), (("train", "eval"), "eval", "validation"),
    ],
)  # fmt: skip
def test_splits_in_any_spelling(made, folders, split, asked):
    path = made({f"{folder}/{name}/{n}.ppm": png(10 * n + m)
                 for n, folder in enumerate(folders) for m, name in enumerate(("ape", "bee"))})  # fmt: skip
    data_set = open_set(path)
    assert (data_set.split, len(data_set.splits), labels(data_set)) == (split, 2, {10: "ape", 11: "bee"})
    assert [item.key for item in open_set(f"{path}:{asked}").items] == [item.key for item in data_set.items]


def test_an_empty_class_stays_one_and_is_told(tmp_path):
    (tree(tmp_path / "set", {"ape/1.png": png(1)}) / "bee").mkdir()
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.add(tmp_path / "set", ".")
    for path in (tmp_path / "set", tmp_path / "set.tar"):
        data_set = open_set(path)
        assert [known.name for known in data_set.classes] == ["ape", "bee"]
        assert data_set.left_out.ignored == {EMPTY_CLASSES: (1, "bee")}


class TestOddEntries:
    """On the disk, each costs itself and is told by its own path."""

    @pytest.fixture
    def folder(self, tmp_path):
        return tree(tmp_path / "set", {"ape/1.png": png(1), "bee/2.png": png(2)})

    @pytest.mark.parametrize(
        ("name", "target"), [("loop.png", "loop.png"), ("gone.png", "nowhere"), ("up.png", "."), ("fifo.png", None)]
    )
    def test_a_file_that_cannot_be_read_fails_by_itself(self, folder, name, target):
        path = folder / "ape" / name
        os.mkfifo(path) if target is None else path.symlink_to(target)
        data_set = open_set(folder)
        odd = {item.key: item for item in data_set.items if item.key.startswith(f"ape/{name}")}
        for item in odd.values():
            for ask in (item.stamp, item.content):
                with pytest.raises(SampleError, match=name):
                    ask()
        assert [*odd, *data_set.left_out.failed] == [f"ape/{name}"]
        assert len(data_set.items) - len(odd) == 2

    @pytest.mark.parametrize(
        ("name", "target"), [("round", "."), ("ape/round", "."), ("ape/round", ".."), ("ape/up", "../..")]
    )
    def test_links_that_lead_round_end(self, folder, name, target):
        (folder / name).symlink_to(target)
        data_set = open_set(folder)
        assert len(data_set.items) == 2
        assert data_set.left_out.failed == {name: "is a link to a folder that it lies in"}

    def test_links_to_each_other_end(self, folder):
        (folder / "ape/bees").symlink_to("../bee")
        (folder / "bee/apes").symlink_to("../ape")
        assert len(open_set(folder).items) == 4

    def test_a_class_may_be_a_link(self, folder, tmp_path):
        tree(tmp_path, {"elsewhere/3.png": png(3)})
        (folder / "cow").symlink_to("../elsewhere")
        assert labels(open_set(folder))[3] == "cow"

    def test_an_unreadable_folder_costs_itself(self, folder, monkeypatch):
        tree(folder, {"ape/locked/3.png": png(3)})
        real = os.scandir

        def scandir(path):
            if str(path).endswith("locked"):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)
        data_set = open_set(folder)
        assert sorted(labels(data_set)) == [1, 2]
        assert data_set.left_out.failed == {"ape/locked": "cannot be read: Permission denied"}

    def test_a_time_far_off_is_a_time(self, folder):
        os.utime(folder / "ape/1.png", (13_569_465_600, 13_569_465_600))
        assert "13569465600" in open_set(folder).items[0].stamp()

    def test_a_name_that_is_not_utf_8_has_a_stamp_in_utf_8(self, folder):
        (folder / "ape" / os.fsdecode(b"\xff.png")).write_bytes(png(3))
        assert [item.stamp().encode() for item in open_set(folder).items]
        assert sorted(labels(open_set(folder))) == [1, 2, 3]

    @pytest.mark.parametrize(
        "error", [OSError(5, "Input/output error"), ValueError("embedded null byte"), OverflowError("far")]
    )
    def test_whatever_stat_raises_is_the_failure_of_that_item(self, folder, monkeypatch, error):
        def stat(path, **_):
            raise error

        item = open_set(folder).items[0]
        monkeypatch.setattr(os, "stat", stat)
        with pytest.raises(SampleError, match="cannot be read"):
            item.stamp()
