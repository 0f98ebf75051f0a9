"""Files of a published layout: names within its folder, and lists in UTF-8."""

import pytest

from contralto.errors import DataError
from contralto.sets.layouts import locate


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/passwd", "a/../../b.jpg", "a\\..\\b", "", "a\0b"])
def test_a_list_cannot_lead_out_of_its_folder(tmp_path, name):
    with pytest.raises(DataError, match="does not lie below it"):
        locate.inside(tmp_path, name)
    assert locate.inside(tmp_path, "a/b.jpg") == tmp_path / "a" / "b.jpg"


def test_a_list_that_is_too_long_or_no_text_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "test.txt"
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match="not UTF-8"):
        locate.lines(path)
    path.write_text("\ufeffone\r\n\r\n two \n", encoding="utf-8")
    assert locate.lines(path) == ["one", "two"]
    monkeypatch.setattr(locate, "LIST_BYTES", 4)
    with pytest.raises(DataError, match="more than"):
        locate.lines(path)
