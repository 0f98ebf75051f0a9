"""JSON and tables of published data sets."""

import pytest

from contralto.errors import DataError
from contralto.sets.layouts.documents import csv_columns


@pytest.mark.parametrize(("content", "said"), [(b'file,age\n"a', "unexpected end"), (b"file,\xff\n", "can't decode")])
def test_a_damaged_table_is_an_error(content, said, tmp_path):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=f"cannot be read as a table: .*{said}"):
        list(csv_columns(tmp_path / "a.csv", "file"))
