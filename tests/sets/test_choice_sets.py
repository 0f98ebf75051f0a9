"""SugarCrepe's and Winoground's files."""

import pytest
from support.user_files import png, shade, tree

from contralto.errors import DataError
from contralto.sets.open import open_set


def foil(n, true="a cat", false="a dog"):
    return {"filename": f"{n:012d}.jpg", "caption": true, "negative_caption": false}


@pytest.mark.parametrize("place", ["", "val2017/", "../coco/"])
def test_sugarcrepe_with_the_pictures_within_or_beside(tmp_path, place):
    files = {
        "sugar/add_att.json": {"0": foil(1), "7": foil(2, "an owl", "an old owl")},
        "sugar/swap_obj.json": [foil(1, "a on b", "b on a")],
        "sugar/other.json": {"note": "no foils"},
        f"sugar/{place}000000000001.jpg": png(1),
        f"sugar/{place}000000000002.jpg": png(2),
    }
    data_set = open_set(str(tree(tmp_path, files) / "sugar"))
    assert (data_set.name, data_set.split, data_set.task, data_set.metric) == ("sugar", "all", "choice", "top1")
    assert [item.key for item in data_set.items] == ["add_att/0", "add_att/7", "swap_obj/0"]
    assert [shade(item) for item in data_set.items] == [1, 2, 1]
    assert data_set.items[1].captions == ("an owl", "an old owl")
    assert {item.label for item in data_set.items} == {0}
    assert [item.groups["kind"] for item in data_set.items] == ["add_att", "add_att", "swap_obj"]
    assert len(open_set(str(tmp_path / "sugar/swap_obj.json")).items) == 1


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([foil(9)], "not in .* nor in a folder within or next to it"),
        ([{**foil(1), "filename": "../x.jpg"}], "entry 0: path '../x.jpg' must lie within"),
        ([foil(1, false=" ")], "entry 0: must be an object"),
        ('"x"', "must be a list or an object"),
        ([], "is empty"),
    ],
)
def test_other_entries_are_errors(tmp_path, value, why):
    tree(tmp_path / "s", {"add_att.json": value, "000000000001.jpg": png(1)})
    with pytest.raises(DataError, match=why):
        open_set(str(tmp_path / "s/add_att.json"))


@pytest.mark.parametrize(
    "odd", [{**foil(1), "filename": "../x.jpg"}, {"filename": "x", "caption": "y"}, foil(1, false=" "), None, [1]]
)
def test_an_odd_entry_costs_itself(tmp_path, odd):
    tree(tmp_path / "s", {"add_att.json": [odd, foil(1)], "000000000001.jpg": png(1)})
    data_set = open_set(str(tmp_path / "s"))
    assert [item.key for item in data_set.items] == ["add_att/1"]
    assert list(data_set.left_out.failed) == [f"{tmp_path}/s/add_att.json entry 0"]


def test_winoground(tmp_path):
    lines = [
        '{"id": 0, "image_0": "ex_0_img_0", "image_1": "ex_0_img_1", "caption_0": "a b", "caption_1": "b a",'
        ' "tag": "Noun", "collapsed_tag": "Object"}',
        '{"id": 5, "image_0": "ex_5_img_0", "image_1": "ex_5_img_1", "caption_0": "c d", "caption_1": "d c"}',
    ]
    pictures = {f"images/ex_{n}_img_{m}.png": png(10 * n + m) for n in (0, 5) for m in (0, 1)}
    data_set = open_set(str(tree(tmp_path, {"examples.jsonl": "\n".join(lines), **pictures})))
    assert (data_set.task, [item.key for item in data_set.items]) == ("pairs", ["0/0", "0/1", "5/0", "5/1"])
    assert [(shade(item), item.label) for item in data_set.items] == [(0, 0), (1, 1), (50, 0), (51, 1)]
    assert [item.captions for item in data_set.items] == [("a b", "b a")] * 2 + [("c d", "d c")] * 2
    assert data_set.items[0].groups == {"tag": "Object"}


WHOLE = '{"id": 5, "image_0": "x", "image_1": "y", "caption_0": "a", "caption_1": "b"}'


@pytest.mark.parametrize("odd", ['{"id": 0, "image_0": "x", "caption_0": "a", "caption_1": "b"}', "{", "[]", "null"])
def test_a_line_without_its_second_picture_costs_its_pair(tmp_path, odd):
    tree(tmp_path, {"examples.jsonl": odd})
    with pytest.raises(DataError, match=r"examples\.jsonl line 1"):
        open_set(str(tmp_path))
    tree(tmp_path, {"examples.jsonl": f"{odd}\n{WHOLE}\n"})
    data_set = open_set(str(tmp_path))
    assert [item.key for item in data_set.items] == ["5/0", "5/1"]
    assert len(data_set.left_out.failed) == 1
