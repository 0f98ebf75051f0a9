"""Class indices from the names in the data."""

import pytest

from contralto.errors import DataError
from contralto.sets.data_set import Class
from contralto.sets.layouts import class_index


def test_classes_of_folders_and_of_the_declaration_have_to_be_the_same(tmp_path):
    place = class_index.index_by_folder([Class("ball"), Class("toy car", folder="car")])
    class_index.check_classes(["car", "ball"], place, tmp_path)
    with pytest.raises(DataError, match="the data have 3 classes, 2 are declared: 'doll' is not declared"):
        class_index.check_classes(["car", "ball", "doll"], place, tmp_path)
    with pytest.raises(DataError, match="the data have 1 classes, 2 are declared: 'car' is not among the data"):
        class_index.check_classes(["ball"], place, tmp_path)
