"""Parquet files, whole and broken."""

import pytest
from support.user_files import png, sample_shade

from contralto.data.parquet import Parquet
from contralto.data.sample import SampleError
from contralto.errors import DataError


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
            assert (sample_shade(source[i]), source[i].captions) == (i, (f"c{i}",))
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
