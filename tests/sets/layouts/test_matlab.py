"""Flowers 102 and Stanford Cars, their MATLAB files written with the published variables and types."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from contralto.errors import DataError
from contralto.sets.declaration import load_declaration


def lay_flowers(root, labels, **numbers):
    (root / "jpg").mkdir(parents=True)
    savemat(root / "imagelabels.mat", {"labels": np.array([labels], np.uint8)})
    savemat(root / "setid.mat", {name: np.array([held], np.uint16) for name, held in numbers.items()})


def shown(opened):
    return [(item.key, opened.classes[item.label].name) for item in opened.items]


def test_flowers102(tmp_path):
    root = tmp_path / "flowers-102"
    lay_flowers(root, [77, 1, 102, 74], trnid=[2], valid=[3], tstid=[4, 1])
    opened = load_declaration("flowers102").open(tmp_path)
    assert shown(opened) == [("jpg/image_00004.jpg", "rose"), ("jpg/image_00001.jpg", "passion flower")]
    assert opened.items[0].picture == root / "jpg" / "image_00004.jpg"
    assert shown(opened.other("train")) == [("jpg/image_00002.jpg", "pink primrose")]
    assert shown(opened.other("val")) == [("jpg/image_00003.jpg", "blackberry lily")]


def test_flowers_whose_files_do_not_fit(tmp_path):
    lay_flowers(tmp_path / "flowers-102", [1, 2], trnid=[1], valid=[103], tstid=[3])
    with pytest.raises(DataError, match=r"setid\.mat has numbers to 3, imagelabels\.mat 2 labels"):
        load_declaration("flowers102").open(tmp_path)
    lay_flowers(tmp_path / "b" / "flowers-102", [103], trnid=[1], valid=[1], tstid=[1])
    with pytest.raises(DataError, match="'103' is none of the 102 classes declared"):
        load_declaration("flowers102").open(tmp_path / "b")
    (tmp_path / "b" / "flowers-102" / "setid.mat").write_bytes(b"no matlab")
    with pytest.raises(DataError, match=r"setid\.mat is no MATLAB file"):
        load_declaration("flowers102").open(tmp_path / "b")
    savemat(tmp_path / "b" / "flowers-102" / "setid.mat", {"other": 1})
    with pytest.raises(DataError, match=r"setid\.mat has no variable 'tstid'"):
        load_declaration("flowers102").open(tmp_path / "b")


def records(rows, fields):
    """A 1 x N struct array as MATLAB has it: every field a cell of its own."""
    made = np.empty((1, len(rows)), dtype=[(field, object) for field in fields])
    for at, row in enumerate(rows):
        made[0, at] = tuple(np.array([[value]], np.uint16) if isinstance(value, int) else value for value in row)
    return made


BOX = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")


@pytest.mark.parametrize(
    "rows", [[(1, 2, 30, 40, 181, "00001.jpg"), (1, 2, 3, 4, 1, "00002.jpg")], [(1, 2, 3, 4, 196, "00009.jpg")]]
)
@pytest.mark.parametrize("place", ["cars_test_annos_withlabels.mat", "devkit/cars_test_annos_withlabels.mat"])
def test_cars_of_the_devkit(tmp_path, rows, place):
    root = tmp_path / "stanford_cars"
    (root / "cars_test").mkdir(parents=True)
    (root / "devkit").mkdir()
    savemat(root / place, {"annotations": records(rows, (*BOX, "class", "fname"))})
    names = {181: "Suzuki Aerio Sedan 2007", 1: "AM General Hummer SUV 2000", 196: "smart fortwo Convertible 2012"}
    assert shown(load_declaration("cars").open(tmp_path)) == [(f"cars_test/{row[-1]}", names[row[-2]]) for row in rows]


def test_cars_together(tmp_path):
    root = tmp_path / "cars"
    (root / "car_ims").mkdir(parents=True)
    rows = [("car_ims/000001.jpg", 1, 2, 3, 4, 1, 0), ("car_ims/000002.jpg", 1, 2, 3, 4, 2, 1)]
    savemat(root / "cars_annos.mat", {"annotations": records(rows, ("relative_im_path", *BOX, "class", "test"))})
    opened = load_declaration("cars").open(tmp_path)
    assert shown(opened) == [("car_ims/000002.jpg", "Acura RL Sedan 2012")]
    assert opened.items[0].picture == root / "car_ims" / "000002.jpg"
    assert shown(opened.other("train")) == [("car_ims/000001.jpg", "AM General Hummer SUV 2000")]


def test_cars_without_labels_are_refused(tmp_path):
    root = tmp_path / "cars"
    (root / "cars_test").mkdir(parents=True)
    savemat(
        root / "cars_test_annos_withlabels.mat",
        {"annotations": records([(1, 2, 3, 4, "00001.jpg"), (1, 2, 3, 4, "00002.jpg")], (*BOX, "fname"))},
    )
    with pytest.raises(DataError, match="annotations lack a field"):
        load_declaration("cars").open(tmp_path)
