"""Each reader on files written here, whole and broken."""

import io
import json
import tarfile

import pytest
from PIL import Image

from contralto.data.captions import CaptionTable, CsvCaptions
from contralto.data.class_tree import NO_CLASS, NO_PICTURE, NO_SPLIT
from contralto.data.classes import ClassFolders
from contralto.data.parquet import Parquet
from contralto.data.source import SampleError
from contralto.data.tar import members
from contralto.data.webdataset import WebDataset
from contralto.errors import DataError
from contralto.image.decode import decode
from contralto.sets.open import open_set


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(file, "png")
    return file.getvalue()


def shade(sample) -> int:
    return decode(sample.picture).getpixel((0, 0))[0]


def tar_of(path, files, mode="w"):
    with tarfile.open(path, mode) as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            if isinstance(data, bytes):
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
            else:
                info.type, info.linkname = data
                tar.addfile(info)
    return path


class TestCsv:
    def folder(self, tmp_path, text, encoding="utf-8"):
        (tmp_path / "captions.csv").write_bytes(text.encode(encoding))
        for name in ("a.png", "b.png"):
            (tmp_path / name).write_bytes(png(ord(name[0])))
        return tmp_path

    def test_several_rows_make_one_sample(self, tmp_path):
        text = 'path,caption,more\na.png,"a cat, asleep",1\nb.png,Ein Hund läuft,2\na.png,zwei,3\nb.png,  ,4\n'
        source = CsvCaptions(self.folder(tmp_path, text))
        assert [source[i].captions for i in range(len(source))] == [("a cat, asleep", "zwei"), ("Ein Hund läuft",)]
        assert [shade(source[i]) for i in range(2)] == [ord("a"), ord("b")]
        assert source.skipped == {"no caption": 1}

    def test_a_byte_order_mark_and_other_column_order_are_fine(self, tmp_path):
        assert CsvCaptions(self.folder(tmp_path, "caption,path\r\nx,a.png\r\n", "utf-8-sig"))[0].captions == ("x",)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("where,caption\na.png,x\n", "no column of pictures.*its columns: where, caption"),
            ("path,size\na.png,x\n", "no column label, class or caption"),
            ("path,label\na.png,x\n", "line 2: no column of captions"),
            ("", "no captions"),
            ("path,caption\n", "no captions"),
            ("path,caption\n,x\n", "line 2: names no picture"),
            ("path,caption\na.png\n", "line 2: has too few columns"),
            ('path,caption\na.png,"x" y\n', "line 2: is no row of a table"),
            ('path,caption\na.png,"x\n', "not a table in UTF-8"),
        ],
    )
    def test_another_layout_is_an_error_of_one_line(self, tmp_path, text, why):
        with pytest.raises(DataError, match=why) as error:
            CsvCaptions(self.folder(tmp_path, text))
        assert "\n" not in str(error.value)

    def test_latin_1_is_an_error(self, tmp_path):
        with pytest.raises(DataError, match="UTF-8"):
            CsvCaptions(self.folder(tmp_path, "path,caption\na.png,läuft\n", "latin-1"))

    def test_a_missing_table_is_an_error(self, tmp_path):
        with pytest.raises(DataError, match=r"captions\.csv cannot be read"):
            CsvCaptions(tmp_path)

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("t.tsv", "filepath\ttitle\na.png\tone, two\nb.png\tthree\n"),
            ("t.csv", "filepath\ttitle\na.png\tone, two\nb.png\tthree\n"),
            ("t.csv", "File_Name;TEXT;label\na.png;one, two;0\nb.png;three;1\n"),
            ("t.csv", 'image,Caption\n{here}/a.png,"one, two"\n../{folder}/b.png,three\n'),
            (
                "t.jsonl",
                '{{"image": "a.png", "captions": ["one, two", null]}}\n{{"image": "b.png", "captions": "three"}}',
            ),
        ],
    )
    def test_all_tables_that_measuring_reads_are_read(self, tmp_path, name, text):
        self.folder(tmp_path, "")
        (tmp_path / name).write_text(text.format(here=tmp_path, folder=tmp_path.name) if "{" in text else text)
        source = CaptionTable(tmp_path / name)
        assert [source[i].captions for i in range(len(source))] == [("one, two",), ("three",)]
        assert [shade(source[i]) for i in range(2)] == [ord("a"), ord("b")]
        measured = open_set(str(tmp_path / name), classes=["x", "y"] if "label" in text else None)
        assert [item.captions for item in measured.items] == [("one, two",), ("three",)]

    def test_odd_rows_are_counted_by_their_reason(self, tmp_path):
        rows = ["a.png,x", "a.png", "b.png, ", ",y", "a.png,y,z", "b.png,nein"]
        source = CsvCaptions(self.folder(tmp_path, "path,caption\n" + "\n".join(rows)))
        assert [source[i].captions for i in range(len(source))] == [("x",), ("nein",)]
        assert source.skipped == {
            "has too few columns": 1, "no caption": 1, "names no picture": 1, "has too many columns": 1
        }  # fmt: skip


class TestWebDataset:
    def test_pairs_labels_and_both_kinds_of_captions(self, tmp_path):
        files = [
            ("x/one.png", png(1)), ("x/one.json", b'{"captions": ["a", " b "], "split": "train"}'),
            ("x/two.v1.PNG", png(2)), ("x/two.txt", "Bär\n\nzwei\n".encode()),
            ("three.json", b'{"caption": "c"}'), ("three.cls", b"7\n"), ("three.png", png(3)),
            ("four.cls", b"0"), ("four.png", png(4)),
            ("five.png", png(5)), ("six.txt", b"no picture"), ("._one.png", b"junk"), ("._two.png", b"junk"),
        ]  # fmt: skip
        source = WebDataset(tar_of(tmp_path / "a.tar", files))
        samples = [source[i] for i in range(len(source))]
        assert [s.captions for s in samples] == [("a", "b"), ("Bär", "zwei"), ("c",), ()]
        assert [s.label for s in samples] == [None, None, 7, 0]
        assert [shade(s) for s in samples] == [1, 2, 3, 4]
        assert dict(source.skipped) == {"no caption": 1, "no picture": 1}

    def test_several_tars_are_one_source_and_equal_keys_are_different_samples(self, tmp_path):
        tars = [tar_of(tmp_path / f"{n}.tar", [("k.png", png(n)), ("k.txt", b"k")]) for n in (1, 2, 3)]
        source = WebDataset(tars)
        assert [shade(source[i]) for i in (2, 0, 1)] == [3, 1, 2]

    def test_names_that_climb_and_links_touch_nothing(self, tmp_path):
        inside = tmp_path / "in"
        inside.mkdir()
        files = [
            ("../../evil.png", png(1)), ("../../evil.txt", b"x"), ("/abs.png", png(2)), ("/abs.txt", b"y"),
            ("link.png", (tarfile.SYMTYPE, "/etc/passwd")), ("link.txt", b"z"), ("fifo.png", (tarfile.FIFOTYPE, "")),
            ("hard.png", (tarfile.LNKTYPE, "/etc/x")),
        ]  # fmt: skip
        source = WebDataset(tar_of(inside / "a.tar", files))
        assert [shade(source[i]) for i in range(len(source))] == [1, 2]
        assert [p.name for p in tmp_path.rglob("*")] == ["in", "a.tar"]

    @pytest.mark.parametrize(
        ("name", "data", "why"),
        [
            ("k.json", b"{", "is not JSON"), ("k.json", b"[1]", "list of strings"), ("k.txt", b"\xff", "not UTF-8"),
            ("k.json", b'{"captions": [1]}', "no caption"), ("k.json", b'{"captions": []}', "no caption"),
            ("k.cls", b"-1", "class index"), ("k.json", b"[" * 200_000, "is not JSON"),
        ],
    )  # fmt: skip
    def test_a_broken_sample_is_an_error_of_its_own(self, tmp_path, name, data, why):
        source = WebDataset(
            tar_of(tmp_path / "a.tar", [("k.png", png(1)), (name, data), ("l.png", png(2)), ("l.txt", b"l")])
        )
        with pytest.raises(SampleError, match=why):
            source[0]
        assert source[1].captions == ("l",)

    def test_two_pictures_of_one_key_cost_that_sample(self, tmp_path):
        twice = [("k.png", png(1)), ("k.jpg", png(1)), ("k.txt", b"k")]
        with pytest.raises(DataError, match="second picture"):
            WebDataset(tar_of(tmp_path / "a.tar", twice))
        source = WebDataset(tar_of(tmp_path / "a.tar", [*twice, ("l.png", png(2)), ("l.txt", b"l")]))
        assert [shade(sample) for sample in (source[0],)] == [2]
        assert source.skipped == {"has a second picture of the same key": 1}

    @pytest.mark.parametrize(
        "said", [b'{"caption": null}', b'{"captions": [null, " "]}', b'{"caption": NaN}', b"{", b"[]"]
    )
    def test_null_is_no_caption_and_the_text_is_looked_at_next(self, tmp_path, said):
        files = [("k.jpg", png(1)), ("k.json", said), ("k.txt", b"a fox"), ("l.jpg", png(2)), ("l.json", said)]
        source = WebDataset(tar_of(tmp_path / "a.tar", files))
        assert source[0].captions == ("a fox",)
        with pytest.raises(SampleError):
            source[1]

    def test_patterns(self, tmp_path):
        for n in (1, 2, 3):
            tar_of(tmp_path / f"x-{n:03}.tar", [("k.png", png(n)), ("k.txt", b"k")])
        for pattern in ("x-{001..003}.tar", "x-*.tar", f"x-{{001,002}}.tar::{tmp_path}/x-003.tar"):
            source = WebDataset(f"{tmp_path}/{pattern}")
            assert [shade(source[i]) for i in range(len(source))] == [1, 2, 3]

    def test_what_systems_leave_is_no_sample(self, tmp_path):
        junk = [("__MACOSX/k.png", b"x"), ("__MACOSX/k.txt", b"x"), ("@eaDir/l.png", b"x"), (".a/m.png", b"x")]
        source = WebDataset(tar_of(tmp_path / "a.tar", [("k.png", png(1)), ("k.txt", b"k"), *junk]))
        assert (len(source), source.skipped) == (1, {})

    def test_no_pair_at_all_is_an_error(self, tmp_path):
        with pytest.raises(DataError, match="holds no pair"):
            WebDataset(tar_of(tmp_path / "a.tar", [("k.png", png(1))]))


class TestTar:
    def test_reads_what_tarfile_reads(self, tmp_path):
        files = [("a" * 150 + "/läng.bin", b"x" * 700), ("empty", b""), ("b", bytes(range(256)) * 5)]
        path = tar_of(tmp_path / "a.tar", files)
        assert [(m.name, m.read()) for m in members(path)] == files

    @pytest.mark.parametrize("cut", [100, 700, 1500])
    def test_a_cut_tar_is_an_error_that_names_it(self, tmp_path, cut):
        path = tar_of(tmp_path / "a.tar", [("a", b"x" * 600), ("b", b"y" * 600)])
        path.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(DataError, match=r"a\.tar"):
            members(path)

    def test_compressed_is_an_error_that_says_so(self, tmp_path):
        with pytest.raises(DataError, match="decompress"):
            members(tar_of(tmp_path / "a.tar.gz", [("a", b"x")], "w:gz"))

    def test_a_tar_that_shrinks_afterwards_is_an_error(self, tmp_path):
        path = tar_of(tmp_path / "a.tar", [("a", b"x" * 600)])
        member = members(path)[0]
        path.write_bytes(path.read_bytes()[:800])
        with pytest.raises(SampleError, match="cut off"):
            member.read()


class TestParquet:
    def write(self, path, columns, **options):
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.table(columns), path, **options)
        return path

    def test_rows_of_several_groups_and_files(self, tmp_path):
        captions = [f"c{i}" for i in range(10)]
        pictures = [png(i) for i in range(10)]
        self.write(tmp_path / "a.parquet", {"jpg": pictures[:7], "txt": captions[:7]}, row_group_size=3)
        self.write(tmp_path / "b.parquet", {"jpg": pictures[7:], "txt": captions[7:]})
        source = Parquet([tmp_path / "a.parquet", tmp_path / "b.parquet"], "jpg", "txt", cache_bytes=1)
        for i in (9, 0, 3, 6, 7, 2, 8, 5, 1, 4):
            assert (shade(source[i]), source[i].captions) == (i, (f"c{i}",))
        assert len(source) == 10
        with pytest.raises(IndexError):
            source[10]

    def test_hub_layout_with_structures_and_lists(self, tmp_path):
        columns = {"image": [{"bytes": png(5), "path": None}], "caption": [["a", " ", "b"]]}
        assert Parquet(self.write(tmp_path / "a.parquet", columns))[0].captions == ("a", "b")

    def test_missing_values_are_errors_of_their_row(self, tmp_path):
        source = Parquet(self.write(tmp_path / "a.parquet", {"image": [None, png(1)], "caption": ["a", None]}))
        with pytest.raises(SampleError, match="row 0: has no bytes"):
            source[0]
        with pytest.raises(SampleError, match="row 1: has no caption"):
            source[1]

    def test_another_layout_and_damage_are_errors(self, tmp_path):
        path = self.write(tmp_path / "a.parquet", {"jpg": [b"x"], "caption": ["a"]})
        with pytest.raises(DataError, match="no column image"):
            Parquet(path)
        path.write_bytes(path.read_bytes()[:-10])
        with pytest.raises(DataError, match="not a readable Parquet"):
            Parquet(path)
        with pytest.raises(DataError, match="not a readable Parquet"):
            Parquet(tmp_path / "none.parquet")


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
        found = {shade(s): (s.label, s.captions) for s in (source[i] for i in range(len(source)))}
        assert found == {1: (1, ("a cat fish.", "one cat fish")), 2: (0, ("a ape.", "one ape"))}
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
        assert {shade(source[i]): source.names[source[i].label] for i in range(len(source))} == {
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
