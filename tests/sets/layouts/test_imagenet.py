"""ImageNet and its variants, laid out as they are released."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from contralto.errors import DataError, MissingExtraError
from contralto.sets.data_set import Class
from contralto.sets.declaration import load_declaration
from contralto.sets.layouts import imagenet

WNIDS = [known.folder for known in load_declaration("imagenet").classes]


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def per_wnid(folder, wnids, ending="JPEG"):
    for wnid in wnids:
        touch(folder / wnid / f"{wnid}_1.{ending}")


def labels(items):
    return {item.key: item.label for item in items}


def test_a_folder_per_wnid(tmp_path):
    per_wnid(tmp_path / "imagenet/val", WNIDS)
    touch(tmp_path / "imagenet/val/n01440764/ILSVRC2012_val_00000293.JPEG")
    data_set = load_declaration("imagenet").open(tmp_path)
    assert (data_set.split, data_set.template_set, len(data_set.templates)) == ("val", "imagenet", 80)
    assert len(data_set.items) == 1001
    label_by_key = labels(data_set.items)
    assert label_by_key["val/n01440764/ILSVRC2012_val_00000293.JPEG"] == 0
    assert label_by_key["val/n15075141/n15075141_1.JPEG"] == 999
    assert data_set.classes[label_by_key["val/n02007558/n02007558_1.JPEG"]].name == "flamingo"


def test_a_class_without_a_folder_is_an_error_with_both_counts(tmp_path):
    per_wnid(tmp_path / "imagenet/train", WNIDS[:-1])
    with pytest.raises(DataError, match=r"999 classes, 1000 are declared: 'n15075141' is not among"):
        load_declaration("imagenet").open(tmp_path, "train")


def test_flat_validation_pictures_with_kaggles_list(tmp_path):
    root = tmp_path / "imagenet"
    touch(root / "ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG")
    touch(root / "ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000002.JPEG")
    (root / "LOC_val_solution.csv").write_text(
        "ImageId,PredictionString\n"
        "ILSVRC2012_val_00000002,n15075141 85 1 499 272 n15075141 1 2 3 4 \n"
        "ILSVRC2012_val_00000001,n01443537 111 108 441 193 \n"
    )
    label_by_key = labels(load_declaration("imagenet").open(tmp_path).items)
    assert label_by_key == {
        "ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG": 1,
        "ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000002.JPEG": 999,
    }


def kit(root, ids, wnids):
    """The development kit: its ids count from 1 in an order of its own, and it also knows synsets above the classes."""
    data = root / "ILSVRC2012_devkit_t12/data"
    data.mkdir(parents=True)
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text("".join(f"{identity}\n" for identity in ids))
    fields = [(name, object) for name in ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children")]
    synsets = np.empty((len(wnids), 1), fields)
    for at, wnid in enumerate(wnids):
        synsets[at, 0] = (np.float64(at + 1), wnid, "some words", "a gloss", np.float64(0), np.empty((0, 0)))
    savemat(data / "meta.mat", {"synsets": synsets})


def test_flat_validation_pictures_with_the_development_kit(tmp_path):
    root = tmp_path / "ILSVRC2012"
    for number in (1, 2, 3):
        touch(root / f"val/ILSVRC2012_val_{number:08d}.JPEG")
    kit(root, [2, 1, 3], ["n02119789", "n01440764", "n15075141"])
    label_by_key = labels(load_declaration("imagenet").open(tmp_path).items)
    assert [label_by_key[key] for key in sorted(label_by_key)] == [0, WNIDS.index("n02119789"), 999]


@pytest.mark.parametrize(("ids", "said"), [([2], "does not name it"), ([2, 7], "no list of ids")])
def test_a_list_that_does_not_fit_the_pictures_is_an_error(ids, said, tmp_path):
    for number in (1, 2):
        touch(tmp_path / f"val/ILSVRC2012_val_{number:08d}.JPEG")
    kit(tmp_path, ids, ["n02119789", "n01440764"])
    with pytest.raises(DataError, match=said):
        load_declaration("imagenet").open(tmp_path)


def test_a_kit_that_is_damaged_or_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    touch(tmp_path / "imagenet/val/ILSVRC2012_val_00000001.JPEG")
    kit(tmp_path / "imagenet", [1], ["n01440764"])
    (tmp_path / "imagenet/ILSVRC2012_devkit_t12/data/meta.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(DataError, match=r"meta\.mat is not ILSVRC2012's"):
        load_declaration("imagenet").open(tmp_path)
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(MissingExtraError, match=r"meta\.mat needs the extra 'evaluate'"):
        load_declaration("imagenet").open(tmp_path)


def test_flat_pictures_without_a_list_say_which_list(tmp_path):
    touch(tmp_path / "imagenet/val/ILSVRC2012_val_00000001.JPEG")
    with pytest.raises(DataError, match=r"LOC_val_solution\.csv is missing; get ImageNet .* from https://"):
        load_declaration("imagenet").open(tmp_path)


def test_v2s_folders_are_indices_in_the_order_of_numbers(tmp_path):
    folder = tmp_path / "imagenet_v2/imagenetv2-matched-frequency-format-val"
    for index in range(1000):
        touch(folder / f"{index}/0af3f1b55de791c4144e2fb6d7dfe96dfc22d3fc.jpeg")
    label_by_key = labels(load_declaration("imagenet_v2").open(tmp_path).items)
    assert len(label_by_key) == 1000
    assert all(int(key.split("/")[1]) == label for key, label in label_by_key.items())


def test_v2_at_other_thresholds_is_a_split(tmp_path):
    for index in range(1000):
        touch(tmp_path / f"imagenetv2/imagenetv2-top-images-format-val/{index}/a.jpeg")
    assert len(load_declaration("imagenet_v2").open(tmp_path, "top").items) == 1000
    with pytest.raises(DataError, match="imagenetv2-matched-frequency-format-val is missing"):
        load_declaration("imagenet_v2").open(tmp_path, "test")


@pytest.mark.parametrize(
    ("name", "folder", "ending"),
    [("imagenet_a", "imagenet-a", "jpg"), ("imagenet_r", "imagenet-r", "jpg"), ("imagenet_sketch", "sketch", "JPEG")],
)
def test_variants_with_a_folder_per_wnid(name, folder, ending, tmp_path):
    stated = load_declaration(name)
    wnids = [known.folder for known in stated.classes]
    per_wnid(tmp_path / folder, wnids, ending)
    (tmp_path / folder / "README.txt").write_text("The classes.\n")
    items = stated.open(tmp_path).items
    assert [stated.classes[item.label].folder for item in items] == wnids
    assert items[0].key == f"{wnids[0]}/{wnids[0]}_1.{ending}"


def test_a_folder_that_is_no_class_of_the_variant_is_an_error(tmp_path):
    per_wnid(
        tmp_path / "imagenet-a", [*(known.folder for known in load_declaration("imagenet_a").classes), "n01440764"]
    )
    with pytest.raises(DataError, match="201 classes, 200 are declared: 'n01440764' is not declared"):
        load_declaration("imagenet_a").open(tmp_path)


def test_objectnet_is_what_it_shares_with_imagenet_and_any_of_its_classes_is_right(tmp_path):
    root = tmp_path / "objectnet-1.0"
    for folder in {known.folder for known in load_declaration("objectnet").classes} | {"squeegee", "coaster"}:
        touch(root / f"images/{folder}/0a1b2c3d4e5f607.png")
    data_set = load_declaration("objectnet").open(tmp_path)
    assert len(data_set.items) == 113
    right = {item.key.split("/")[1]: [data_set.classes[label].name for label in item.labels] for item in data_set.items}
    assert right["alarm_clock"] == ["analog clock", "digital clock"]
    assert right["banana"] == ["banana"]
    assert all(item.label == item.labels[0] for item in data_set.items)


def test_objectnets_red_border_is_cut_off(tmp_path):
    folder = tmp_path / "images/banana"
    folder.mkdir(parents=True)
    framed = Image.new("RGB", (12, 10), (255, 0, 0))
    framed.paste((0, 200, 0), (2, 2, 10, 8))
    framed.save(folder / "a.png")
    (item,) = imagenet.objectnet(tmp_path, "test", [Class("banana", folder="banana")])
    shown = item.encoder_input()
    assert (shown.size, shown.getcolors()) == ((8, 6), [(48, (0, 200, 0))])
    assert item.content() == (folder / "a.png").read_bytes()
    assert item.change.name == "border of 2 px cut off"


def test_objectnet_without_one_of_its_folders_is_an_error(tmp_path):
    touch(tmp_path / "objectnet/images/banana/a.png")
    with pytest.raises(DataError, match="alarm_clock is missing"):
        load_declaration("objectnet").open(tmp_path)
