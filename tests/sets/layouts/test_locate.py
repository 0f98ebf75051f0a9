"""Files of a published layout."""

import pytest

from contralto.errors import DataError
from contralto.sets.layouts import locate


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/passwd", "a/../../b.jpg", "a\\..\\b", "", "a\0b"])
def test_a_list_cannot_lead_out_of_its_folder(tmp_path, name):
    with pytest.raises(DataError, match="is outside of it"):
        locate.path_within(tmp_path, name)
    assert locate.path_within(tmp_path, "a/b.jpg") == tmp_path / "a" / "b.jpg"
