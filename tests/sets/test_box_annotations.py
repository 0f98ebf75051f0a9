"""COCO's JSON of true boxes."""

import json

import pytest
from support.user_files import png, shade, tree

from contralto.errors import DataError
from contralto.sets.data_set import TrueBox
from contralto.sets.open import open_set


def document(**changed):
    return {
        "info": {"year": 2017, "segmentation": "x"},
        "images": [
            {"id": 9, "file_name": "b.png", "width": 8, "height": 6, "coco_url": "http://x"},
            {"id": 4, "file_name": "a.png"},
        ],
        "annotations": [
            {"id": 1, "image_id": 4, "category_id": 18, "bbox": [1, 2, 3.5, 4], "iscrowd": 0, "area": 14},
            {
                "id": 2,
                "image_id": 4,
                "category_id": 3,
                "bbox": [0, 0, 5, 5],
                "iscrowd": 1,
                "segmentation": {"counts": []},
            },
            {"id": 3, "image_id": 4, "category_id": 3, "bbox": [2, 2, 0, 5]},
        ],
        "categories": [{"id": 18, "name": "dog"}, {"id": 3, "name": "traffic light", "supercategory": "outdoor"}],
        **changed,
    }


@pytest.mark.parametrize("place", ["", "val2017/", "../val2017/"])
def test_pictures_with_their_boxes_in_the_files_order(tmp_path, place):
    files = {
        "annotations/instances.json": document(),
        f"annotations/{place}a.png": png(1),
        f"annotations/{place}b.png": png(2),
    }
    data = open_set(str(tree(tmp_path, files) / "annotations/instances.json"))
    assert (data.name, data.task, data.metric, data.split) == ("instances", "boxes", "ap50", "all")
    assert [one.name for one in data.classes] == ["dog", "traffic light"]
    assert [(item.key, shade(item), item.size) for item in data.items] == [("b.png", 2, (8, 6)), ("a.png", 1, None)]
    assert data.items[0].boxes == ()
    assert data.items[1].boxes == (TrueBox(0, (1, 2, 4.5, 6)), TrueBox(1, (0, 0, 5, 5), True))
    assert data.left_out.ignored["boxes without area"].number == 1


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"annotations": None}, "no list `annotations`"),
        ({"images": {}}, "no list `images`"),
        ({"categories": []}, "category 18, which is not among `categories`"),
        ({"categories": [{"id": 18}]}, "category 18 has no name"),
        ({"categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "dog"}]}, "'dog' is there twice"),
        ({"categories": [7]}, "category 0 has no `id`"),
        ({"annotations": [{"image_id": 4, "category_id": 3}]}, "annotation 0 has the bbox None"),
        ({"annotations": [{"image_id": 4, "category_id": 3, "bbox": [1, 2, 3]}]}, "annotation 0 has the bbox"),
        ({"annotations": [{"image_id": 4, "category_id": 3, "bbox": [1, 2, 3, "4"]}]}, "annotation 0 has the bbox"),
        ({"annotations": [{"image_id": 4, "category_id": 3, "bbox": [1, 2, 3, True]}]}, "annotation 0 has the bbox"),
        ({"annotations": [{"image_id": 4, "category_id": 3, "bbox": [1, 2, 3, float("nan")]}]}, "has the bbox"),
        ({"annotations": [{"image_id": 4, "category_id": 3, "bbox": [1, 2, -3, 4]}]}, "below 0"),
        ({"annotations": [{"image_id": 5, "category_id": 3, "bbox": [1, 2, 3, 4]}]}, "the image 5, which is not among"),
        ({"annotations": [{"image_id": 4, "category_id": 3, "bbox": [1, 2, 3, 4], "iscrowd": 2}]}, "iscrowd 2"),
        ({"annotations": [[]]}, "annotation 0 has no `image_id`"),
        ({"images": [{"id": 4, "file_name": "a.png"}] * 2}, "image 1 has the id 4 of an earlier one"),
        ({"images": [{"id": [4], "file_name": "a.png"}]}, "image 0 has no `id`"),
        ({"images": [{"id": 4, "file_name": "a.png", "width": 0, "height": 3}]}, "image 0 has a side of 0"),
        ({"images": [{"id": 4, "file_name": "c.png"}]}, "'c.png' is not in .* nor in a folder within or next to it"),
        ({"images": [{"id": 4, "file_name": "../a.png"}]}, "is empty: 1 cannot be used.*must lie within"),
        ({"images": [], "annotations": []}, "is empty"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_one_line(tmp_path, changed, why):
    tree(tmp_path, {"x.json": json.dumps(document(**changed)).encode(), "a.png": png(1), "b.png": png(2)})
    with pytest.raises(DataError, match=why) as raised:
        open_set(str(tmp_path / "x.json"))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "text", ['{"images": [', '{"images": [1e999', '{"info": ' + "[" * 5000, "{}", "[]", "", "\x00"]
)
def test_what_is_not_json_is_one_line(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError) as raised:
        open_set(str(tmp_path / "x.json"))
    assert "\n" not in str(raised.value)


def test_a_picture_without_a_usable_name_costs_itself(tmp_path):
    images = [{"id": 1, "file_name": None}, {"id": 9, "file_name": "b.png"}, {"id": 4, "file_name": "a.png"}]
    tree(tmp_path, {"x.json": document(images=images), "a.png": png(1), "b.png": png(2)})
    data = open_set(str(tmp_path / "x.json"))
    assert [item.key for item in data.items] == ["b.png", "a.png"]
    assert list(data.left_out.failed.values()) == ["names no picture"]
