"""Lists in text files."""

import pytest

from contralto.errors import DataError
from contralto.sets import list_files


def test_a_list_that_is_too_long_or_no_text_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "test.txt"
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match="not UTF-8"):
        list_files.read_lines(path)
    path.write_text("\ufeffone\r\n\r\n two \n", encoding="utf-8")
    assert list_files.read_lines(path) == ["one", "two"]
    monkeypatch.setattr(list_files, "LIST_BYTES", 4)
    with pytest.raises(DataError, match="more than"):
        list_files.read_lines(path)
