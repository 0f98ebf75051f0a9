"""Country211 and Rendered SST2: a folder per class below a folder per split."""

import pytest

from contralto.errors import DataError
from contralto.sets.declaration import load_declaration


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.mark.parametrize(("split", "folder"), [("test", "test"), ("val", "valid"), ("train", "train")])
def test_country211_and_sst2_have_a_folder_per_class(split, folder, tmp_path):
    for known in load_declaration("country211").classes:
        touch(tmp_path / f"country211/{folder}/{known.folder}/{known.folder}_1.jpg")
    for sentiment in ("negative", "positive"):
        touch(tmp_path / f"rendered-sst2/{folder}/{sentiment}/0007.png")
    countries = load_declaration("country211").open(tmp_path, split)
    assert {item.picture.parent.name: item.label for item in countries.items} == {
        known.folder: index for index, known in enumerate(countries.classes)
    }
    reviews = load_declaration("sst2").open(tmp_path, split).items
    assert [(item.key, item.label) for item in reviews] == [
        (f"{folder}/negative/0007.png", 0),
        (f"{folder}/positive/0007.png", 1),
    ]


def test_folders_of_another_set_do_not_count_as_this_one(tmp_path):
    touch(tmp_path / "test/cat/1.jpg")
    with pytest.raises(DataError, match=r"no folder rendered-sst2 or sst2 in .*; get Rendered SST2 from"):
        load_declaration("sst2").open(tmp_path)


def test_a_country_too_few_is_an_error_with_both_counts(tmp_path):
    for known in load_declaration("country211").classes[1:]:
        touch(tmp_path / f"country211/test/{known.folder}/1.jpg")
    with pytest.raises(DataError, match="210 classes, 211 are declared: 'AD' is not among the data"):
        load_declaration("country211").open(tmp_path)
