"""A folder per class, on the disk and in a tar."""

import json

import pytest
from support.user_files import png, sample_shade, tar_of

from contralto.data.class_folders import ClassFolders
from contralto.data.class_tree import NO_CLASS, NO_PICTURE, NO_SPLIT
from contralto.errors import DataError


class TestClassFolders:
    FILES = (("train/cat_fish/1.png", 1), ("train/ape/2.png", 2), ("val/ape/3.png", 3), ("train/ape/notes.txt", 0))

    def make(self, tmp_path, packed):
        if packed:
            return tar_of(tmp_path / "set.tar", [("./" + name, png(s)) for name, s in self.FILES])
        for name, s in self.FILES:
            (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "set" / name).write_bytes(png(s))
        return tmp_path / "set"

    @pytest.mark.parametrize("packed", [True, False])
    def test_labels_names_and_templates(self, tmp_path, packed):
        source = ClassFolders(self.make(tmp_path, packed), "train", templates=["a {}.", "one {}"])
        by_shade = {sample_shade(s): (s.label, s.captions) for s in (source[i] for i in range(len(source)))}
        assert by_shade == {1: (1, ("a cat fish.", "one cat fish")), 2: (0, ("a ape.", "one ape"))}
        assert source.names == ["ape", "cat fish"]

    @pytest.mark.parametrize("packed", [True, False])
    def test_the_json_beside_it_states_classes_and_templates(self, tmp_path, packed):
        path = self.make(tmp_path, packed)
        classes = [{"dir": "cat_fish", "name": "catfish", "x": 1}, {"dir": "ape", "name": "an ape"}]
        (tmp_path / "set.json").write_text(json.dumps({"classes": classes, "templates": ["see {}"], "side": 8}))
        source = ClassFolders(path, "val")
        assert (source[0].label, source[0].captions, len(source)) == (1, ("see an ape",), 1)

    @pytest.mark.parametrize("packed", [True, False])
    def test_all_pictures_are_read_and_what_is_left_out_is_counted(self, tmp_path, packed):
        files = {
            "Training/ape/1.ppm": 1, "Training/ape/young/2.AVIF": 2, "Training/bee/3.jfif": 3, "Training/bee/img_4": 4,
            "Training/5.png": 5, "Training/__MACOSX/6.png": 6, "Training/ape/._1.ppm": 7, "Testing/ape/8.png": 8,
            "README.txt": 9, "extra/10.png": 10,
        }  # fmt: skip
        for name, s in files.items():
            (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "set" / name).write_bytes(png(s))
        path = tmp_path / "set"
        if packed:
            path = tar_of(tmp_path / "set.tar", [(name, png(s)) for name, s in files.items()])
        source = ClassFolders(path, "train")
        assert {sample_shade(source[i]): source.names[source[i].label] for i in range(len(source))} == {
            1: "ape", 2: "ape", 3: "bee"
        }  # fmt: skip
        assert source.skipped == {NO_PICTURE: 1, NO_CLASS: 1, NO_SPLIT: 1}
        assert len(ClassFolders(path, "Testing")) == 1
        with pytest.raises(DataError, match="has splits, name one of them: test, train"):
            ClassFolders(path)

    def test_a_folder_of_any_name_may_hold_the_classes(self, tmp_path):
        assert (
            len(ClassFolders(tar_of(tmp_path / "a.tar", [("fold3/ape/1.png", png(1)), ("x/y/z.png", png(2))]), "fold3"))
            == 1
        )

    def test_unknown_folders_bad_templates_and_empty_splits_are_errors(self, tmp_path):
        path = self.make(tmp_path, True)
        with pytest.raises(DataError, match="for the class name"):
            ClassFolders(path, "train", templates=["nothing"])
        with pytest.raises(DataError, match="no pictures under 'test'"):
            ClassFolders(path, "test")
        (tmp_path / "set.json").write_text('{"classes": ["ape"]}')
        with pytest.raises(DataError, match="'cat_fish' is no class"):
            ClassFolders(path, "train")
        (tmp_path / "set.json").write_text("{")
        with pytest.raises(DataError, match=r"set\.json cannot be read"):
            ClassFolders(path, "train")
