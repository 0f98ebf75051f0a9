"""Caption tables: CSV, TSV and JSON Lines, whole and broken."""

import pytest
from support.user_files import png, sample_shade

from contralto.data.captions import CaptionTable, CsvCaptions
from contralto.errors import DataError
from contralto.sets.open import open_set


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
        assert [sample_shade(source[i]) for i in range(2)] == [ord("a"), ord("b")]
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
        assert [sample_shade(source[i]) for i in range(2)] == [ord("a"), ord("b")]
        measured = open_set(str(tmp_path / name), classes=["x", "y"] if "label" in text else None)
        assert [item.captions for item in measured.items] == [("one, two",), ("three",)]

    def test_odd_rows_are_counted_by_their_reason(self, tmp_path):
        rows = ["a.png,x", "a.png", "b.png, ", ",y", "a.png,y,z", "b.png,nein"]
        source = CsvCaptions(self.folder(tmp_path, "path,caption\n" + "\n".join(rows)))
        assert [source[i].captions for i in range(len(source))] == [("x",), ("nein",)]
        assert source.skipped == {
            "has too few columns": 1, "no caption": 1, "names no picture": 1, "has too many columns": 1
        }  # fmt: skip
