"""Flickr30k, Flickr8k and COCO by Karpathy's JSON and by their authors' lists."""

from __future__ import annotations

import json

import pytest

from contralto.errors import DataError
from contralto.sets.declaration import load_declaration
from contralto.sets.layouts import documents


def karpathy(path, data_set, pictures):
    """pictures: (filename, split, captions, filepath or None)."""
    images, number = [], 0
    for at, (name, split, captions, folder) in enumerate(pictures):
        sentences = []
        for caption in captions:
            tokens = str(caption).lower().rstrip(".").split()
            sentences.append({"tokens": tokens, "raw": caption, "imgid": at, "sentid": number})
            number += 1
        image = {"sentids": [s["sentid"] for s in sentences], "imgid": at, "sentences": sentences, "split": split}
        images.append(image | {"filename": name} | ({"filepath": folder, "cocoid": 9 + at} if folder else {}))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "dataset": data_set}))


def five(stem):
    return [f"{stem} {number}." for number in range(5)]


def captioned(items):
    return {item.key: item.captions for item in items}


@pytest.mark.parametrize(
    ("name", "folder"), [("flickr30k", "flickr30k-images"), ("flickr8k", "Flicker8k_Dataset"), ("flickr8k", "Images")]
)
def test_flickr_by_karpathys_json(name, folder, tmp_path):
    (tmp_path / name / folder).mkdir(parents=True)
    pictures = [("2.jpg", "test", five("Two dogs"), None), ("10.jpg", "train", five("A man"), None)]
    karpathy(tmp_path / name / f"dataset_{name}.json", name, [*pictures, ("1.jpg", "test", five("A boat"), None)])
    data_set = load_declaration(name).open(tmp_path)
    assert captioned(data_set.items) == {
        f"{folder}/2.jpg": tuple(five("Two dogs")),
        f"{folder}/1.jpg": tuple(five("A boat")),
    }
    assert (data_set.task, data_set.templates, data_set.classes) == ("retrieval", ("a photo of {}",), ())
    assert list(captioned(data_set.other("train").items)) == [f"{folder}/10.jpg"]


def tokens(path, names):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}#{at}\tA {name[:-4]} , number {at} .\n" for name in names for at in range(5)))


def test_flickr30k_by_its_tokens_and_lists(tmp_path):
    root = tmp_path / "flickr30k"
    (root / "flickr30k_images").mkdir(parents=True)
    tokens(root / "results_20130124.token", ["1000092795.jpg", "10002456.jpg", "1000268201.jpg"])
    (root / "test.txt").write_text("1000268201\n1000092795\n")
    items = load_declaration("flickr30k").open(tmp_path).items
    assert [item.key for item in items] == ["flickr30k_images/1000268201.jpg", "flickr30k_images/1000092795.jpg"]
    assert items[1].captions[0] == "A 1000092795 , number 0 ."
    assert len(items[1].captions) == 5


@pytest.mark.parametrize("texts", ["Flickr8k_text/", ""])
def test_flickr8k_by_its_tokens_and_lists(texts, tmp_path):
    root = tmp_path / "Flickr8k"
    (root / "Flicker8k_Dataset").mkdir(parents=True)
    tokens(root / f"{texts}Flickr8k.token.txt", ["1_a.jpg", "2_b.jpg", "2258277193_586949ec62.jpg.1"])
    (root / f"{texts}Flickr_8k.devImages.txt").write_text("2_b.jpg\n")
    (item,) = load_declaration("flickr8k").open(tmp_path, "val").items
    assert (item.key, item.captions[4]) == ("Flicker8k_Dataset/2_b.jpg", "A 2_b , number 4 .")


def test_a_listed_picture_without_captions_is_left_out(tmp_path):
    root = tmp_path / "flickr8k"
    (root / "Images").mkdir(parents=True)
    tokens(root / "Flickr8k.token.txt", ["1_a.jpg"])
    (root / "Flickr_8k.testImages.txt").write_text("1_a.jpg\n3_c.jpg\n")
    data_set = load_declaration("flickr8k").open(tmp_path)
    assert [item.key for item in data_set.items] == ["Images/1_a.jpg"]
    assert data_set.left_out.failed == {"Images/3_c.jpg": "has no caption"}


@pytest.mark.parametrize("odd", [None, " ", 7, float("nan"), ["x"]])
def test_captions_that_are_none_cost_themselves(tmp_path, odd):
    (tmp_path / "coco/val2014").mkdir(parents=True)
    named = "COCO_val2014_{:012d}.jpg".format
    pictures = [(named(1), "test", [odd, "A bus"], "val2014"), (named(2), "test", [odd], "val2014")]
    karpathy(tmp_path / "coco/dataset_coco.json", "coco", pictures)
    data_set = load_declaration("coco").open(tmp_path, "test")
    assert [item.captions for item in data_set.items] == [("A bus",)]
    assert data_set.left_out.failed == {f"val2014/{named(2)}": "has no caption"}


def test_coco_by_karpathys_json(tmp_path):
    (tmp_path / "coco/val2014").mkdir(parents=True)
    more = [*five("A bus"), "A sixth caption, which does not count."]
    pictures = [
        ("COCO_val2014_000000391895.jpg", "test", [f" {more[0]} \n", *more[1:]], "val2014"),
        ("COCO_val2014_000000060623.jpg", "restval", five("A girl"), "val2014"),
        ("COCO_train2014_000000222016.jpg", "train", five("A sign"), "train2014"),
    ]
    karpathy(tmp_path / "coco/dataset_coco.json", "coco", pictures)
    data_set = load_declaration("coco").open(tmp_path)
    assert captioned(data_set.items) == {"val2014/COCO_val2014_000000391895.jpg": tuple(five("A bus"))}
    assert list(captioned(data_set.other("train").items)) == [
        "val2014/COCO_val2014_000000060623.jpg",
        "train2014/COCO_train2014_000000222016.jpg",
    ]


def test_coco_val2017_as_it_is_released(tmp_path):
    root = tmp_path / "coco"
    (root / "val2017").mkdir(parents=True)
    (root / "annotations").mkdir()
    said = [
        (37777, 5, "a"),
        (139, 9, "d"),
        (139, 3, "b "),
        (37777, 1, "c"),
        *((139, 20 + n, f"e{n}") for n in range(5)),
    ]
    document = {
        "info": {},
        "images": [{"id": 37777, "file_name": "000000037777.jpg"}, {"id": 139, "file_name": "000000000139.jpg"}],
        "annotations": [{"image_id": image, "id": number, "caption": text} for image, number, text in said],
    }
    (root / "annotations/captions_val2017.json").write_text(json.dumps(document))
    items = load_declaration("coco").open(tmp_path, "val2017").items
    assert [(item.key, item.captions) for item in items] == [
        ("val2017/000000000139.jpg", ("d", "b", "e0", "e1", "e2")),
        ("val2017/000000037777.jpg", ("a", "c")),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "not laid out as Karpathy"),
        ('{"images": [{"split": "test", "filename": "a.jpg"}]}', "not laid out as Karpathy"),
        ('{"images": [{"split": "test", "filename": "../../a.jpg", "sentences": []}]}', "is outside of it"),
        ('{"images": [{"split": "test", "filename": "/etc/passwd", "sentences": []}]}', "is outside of it"),
    ],
)
def test_damaged_or_hostile_json_is_an_error(text, said, tmp_path):
    (tmp_path / "coco/val2014").mkdir(parents=True)
    (tmp_path / "coco/dataset_coco.json").write_text(text)
    with pytest.raises(DataError, match=said):
        load_declaration("coco").open(tmp_path)


def test_damaged_captions_of_coco_are_an_error(tmp_path):
    (tmp_path / "coco/val2017").mkdir(parents=True)
    (tmp_path / "coco/captions_val2017.json").write_text('{"images": [{"id": 1}], "annotations": []}')
    with pytest.raises(DataError, match=r"not laid out as COCO's captions: KeyError\('file_name'\)"):
        load_declaration("coco").open(tmp_path, "val2017")


def test_json_is_bounded_and_its_absence_a_data_error(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text("[1, 2, 3]")
    assert documents.read_json(tmp_path / "a.json") == [1, 2, 3]
    monkeypatch.setattr(documents, "JSON_BYTES", 8)
    with pytest.raises(DataError, match="not the expected file"):
        documents.read_json(tmp_path / "a.json")
    with pytest.raises(DataError, match="cannot be read: No such file"):
        documents.read_json(tmp_path / "b.json")
