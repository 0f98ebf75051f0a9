"""VOC 2007, Birdsnap, FairFace and Hateful Memes."""

from __future__ import annotations

import json

import pytest

from contralto.errors import DataError
from contralto.sets.declaration import load_declaration


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def write_voc(root, split, signs):
    """signs: picture -> {class: sign}; what is not said is -1. Written as in the release: the sign is 2 wide."""
    (root / "JPEGImages").mkdir(parents=True, exist_ok=True)
    (root / "ImageSets/Main").mkdir(parents=True, exist_ok=True)
    for known in load_declaration("voc2007").classes:
        lines = "".join(f"{name} {said.get(known.name, -1):2d}\n" for name, said in signs.items())
        (root / f"ImageSets/Main/{known.name}_{split}.txt").write_text(lines)


@pytest.mark.parametrize("root", ["voc2007/VOCdevkit/VOC2007", "VOCdevkit/VOC2007", "VOC2007", "voc2007"])
def test_voc_has_any_number_of_labels_and_leaves_out_what_is_difficult(root, tmp_path):
    write_voc(tmp_path / root, "test", {"000002": {"train": 1}, "000001": {"dog": 1, "person": 1, "car": 0}})
    data_set = load_declaration("voc2007").open(tmp_path)
    assert (data_set.task, data_set.metric) == ("labels", "map11")
    first, second = data_set.items
    assert first.key.endswith("JPEGImages/000001.jpg")
    assert {data_set.classes[label].name for label in first.labels} == {"dog", "person"}
    assert [data_set.classes[label].name for label in first.ignored] == ["car"]
    assert [data_set.classes[label].name for label in second.labels] == ["train"]
    assert (first.label, second.ignored) == (None, ())


def test_vocs_lists_must_agree(tmp_path):
    main = tmp_path / "VOC2007/ImageSets/Main"
    write_voc(tmp_path / "VOC2007", "test", {"000001": {}, "000002": {}})
    (main / "cat_test.txt").write_text("000001  1\n")
    with pytest.raises(DataError, match="'000002' is not in the lists of all 20 classes"):
        load_declaration("voc2007").open(tmp_path)
    (main / "cat_test.txt").write_text("000001  1\n000002  2\n")
    with pytest.raises(DataError, match="does not end with 1, 0 or -1: '000002"):
        load_declaration("voc2007").open(tmp_path)
    (main / "cat_test.txt").unlink()
    with pytest.raises(DataError, match=r"cat_test\.txt is missing"):
        load_declaration("voc2007").open(tmp_path)


SPELT = {"Allens Hummingbird": "Allen's Hummingbird", "Ash throated Flycatcher": "Ash-throated Flycatcher"}


@pytest.fixture
def birdsnap(tmp_path):
    root = tmp_path / "birdsnap"
    root.mkdir()
    species = [SPELT.get(known.name, known.name) for known in load_declaration("birdsnap").classes]
    rows = [f"{number}\t{name}\tAvis avis\t{name.replace(' ', '_')}\n" for number, name in enumerate(species[::-1], 1)]
    (root / "species.txt").write_text("id\tcommon\tscientific\tdir\n" + "".join(rows))
    number = {name: str(len(species) - at) for at, name in enumerate(species)}
    paths = {
        "Zone_tailed_Hawk/1.jpg": "Zone tailed Hawk",
        "Allens_Hummingbird/2.jpg": "Allen's Hummingbird",
        "Ash/3.jpg": "Ash-throated Flycatcher",
        "Ash/4.jpg": "Ash-throated Flycatcher",
    }
    lines = [
        f'http://x/"{n}.jpg\tmd5\t{path}\t{number[name]}\t1\t2\t\t\n' for n, (path, name) in enumerate(paths.items())
    ]
    (root / "images.txt").write_text("url\tmd5\tpath\tspecies_id\tbb_x1\tbb_y1\tback_x\tback_y\n" + "".join(lines))
    (root / "test_images.txt").write_text("path\nAsh/3.jpg\nAllens_Hummingbird/2.jpg\n")
    return root


def test_birdsnap_knows_species_by_their_names(birdsnap):
    for path in ("Zone_tailed_Hawk/1.jpg", "Allens_Hummingbird/2.jpg", "Ash/3.jpg"):
        touch(birdsnap / "images" / path)
    data_set = load_declaration("birdsnap").open(birdsnap.parent)
    assert {item.key: data_set.classes[item.label].name for item in data_set.items} == {
        "images/Allens_Hummingbird/2.jpg": "Allens Hummingbird",
        "images/Ash/3.jpg": "Ash throated Flycatcher",
    }
    (train,) = data_set.other("train").items  # Ash/4.jpg is gone from the web
    assert (train.key, train.label) == ("images/Zone_tailed_Hawk/1.jpg", 499)


def test_birdsnap_without_any_picture_or_with_other_species_is_an_error(birdsnap):
    (birdsnap / "images").mkdir()
    with pytest.raises(DataError, match="none of the pictures"):
        load_declaration("birdsnap").open(birdsnap.parent)
    text = (birdsnap / "species.txt").read_text()
    (birdsnap / "species.txt").write_text(text.replace("Bald Eagle", "Bold Eagle"))
    with pytest.raises(DataError, match="'bold eagle' is not declared"):
        load_declaration("birdsnap").open(birdsnap.parent)


def test_fairface_has_the_race_as_class_and_all_three_as_groups(tmp_path):
    root = tmp_path / "fairface"
    (root / "val").mkdir(parents=True)
    (root / "fairface_label_val.csv").write_text(
        "file,age,gender,race,service_test\nval/1.jpg,3-9,Male,East Asian,False\n"
        "val/2.jpg,more than 70,Female,Latino_Hispanic,True\n"
    )
    data_set = load_declaration("fairface").open(tmp_path)
    assert [(item.key, data_set.classes[item.label].name, dict(item.groups)) for item in data_set.items] == [
        ("val/1.jpg", "East Asian", {"race": "East Asian", "gender": "Male", "age": "3-9"}),
        ("val/2.jpg", "Latino", {"race": "Latino_Hispanic", "gender": "Female", "age": "more than 70"}),
    ]
    (root / "fairface_label_val.csv").write_text("file,age,gender,race\nval/1.jpg,3-9,Male,Martian\n")
    with pytest.raises(DataError, match="'Martian' is none of the 7 classes"):
        load_declaration("fairface").open(tmp_path)


@pytest.mark.parametrize("released", ["dev.jsonl", "dev_seen.jsonl"])
def test_hateful_memes_are_measured_on_the_development_set(released, tmp_path):
    root = tmp_path / "hateful_memes"
    (root / "img").mkdir(parents=True)
    memes = [
        {"id": 8291, "img": "img/08291.png", "label": 1, "text": "white people is this a shooting range"},
        {"id": 46971, "img": "img/46971.png", "label": 0, "text": "bravery at its finest"},
    ]
    (root / released).write_text("".join(json.dumps(meme) + "\n" for meme in memes))
    (root / "train.jsonl").write_text(json.dumps(memes[1]) + "\n")
    data_set = load_declaration("hateful_memes").open(tmp_path)
    assert (data_set.split, data_set.metric) == ("val", "auc")
    assert [(item.key, data_set.classes[item.label].name) for item in data_set.items] == [
        ("img/08291.png", "hatespeech meme"),
        ("img/46971.png", "meme"),
    ]
    assert len(data_set.other("train").items) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": 1, "img": "img/1.png"}', "without img or label"),
        ('{"img": "img/1.png", "label": 2}', "'2' is none of the 2 classes"),
        ('{"img": "../1.png", "label": 1}', "is outside of it"),
        ("[1]", "line 1 is not a JSON object"),
        ("{", "line 1 is not JSON"),
    ],
)
def test_memes_without_labels_are_an_error(line, said, tmp_path):
    (tmp_path / "hateful_memes/img").mkdir(parents=True)
    (tmp_path / "hateful_memes/dev.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match=said):
        load_declaration("hateful_memes").open(tmp_path)
