"""CLEVR's counts and KITTI's distances."""

from __future__ import annotations

import json

import numpy as np
import pytest

from contralto.errors import DataError
from contralto.sets.declaration import load_declaration


def thing():
    return {
        "color": "brown",
        "size": "large",
        "rotation": 178.9,
        "shape": "cylinder",
        "material": "rubber",
        "3d_coords": [-1.4, -1.1, 0.7],
        "pixel_coords": [119, 131, 10.7],
    }


def write_clevr(root, split, counts):
    (root / f"images/{split}").mkdir(parents=True, exist_ok=True)
    (root / "scenes").mkdir(exist_ok=True)
    scenes = [
        {
            "image_index": at,
            "image_filename": f"CLEVR_{split}_{at:06d}.png",
            "split": split,
            "directions": {"right": [0.6, 0.7, -0.0]},
            "relationships": {"right": [[] for _ in range(count)]},
            "objects": [thing() for _ in range(count)],
        }
        for at, count in enumerate(counts)
    ]
    info = {"split": split, "license": "CC BY 4.0", "version": "1.0", "date": "2/14/2017"}
    (root / f"scenes/CLEVR_{split}_scenes.json").write_text(json.dumps({"info": info, "scenes": scenes[::-1]}))


def test_clevr_counts_objects_and_cuts_the_papers_sizes(tmp_path):
    root = tmp_path / "CLEVR_v1.0"
    counts = [3 + at % 8 for at in range(505)]
    write_clevr(root, "val", counts)
    data_set = load_declaration("clevr").open(tmp_path)
    assert (len(data_set.items), len(data_set.other("val").items)) == (500, 505)
    assert [item.key for item in data_set.items[:2]] == [
        "images/val/CLEVR_val_000000.png",
        "images/val/CLEVR_val_000001.png",
    ]
    assert [data_set.classes[item.label].name for item in data_set.items] == [str(count) for count in counts[:500]]
    write_clevr(root, "train", [10] * 2001)
    train = data_set.other("train").items
    assert (len(train), {item.label for item in train}) == (2000, {0})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"scenes": [{"objects": []}]}', "not laid out as CLEVR"),
        ('{"questions": []}', "not laid out as CLEVR"),
        ('{"scenes": [{"image_filename": "a.png", "objects": [{}]}]}', "'1' is none of the 8 classes"),
        ('{"scenes": [{"image_filename": "../a.png", "objects": [{}, {}, {}]}]}', "is outside of it"),
    ],
)
def test_other_scenes_are_an_error(text, said, tmp_path):
    write_clevr(tmp_path / "clevr", "val", [3])
    (tmp_path / "clevr/scenes/CLEVR_val_scenes.json").write_text(text)
    with pytest.raises(DataError, match=said):
        load_declaration("clevr").open(tmp_path)


DRIVES = [f"2011_09_26_drive_{number:04d}_sync" for number in range(1, 31)]


def write_kitti(root, labels):
    """labels: the lines of each picture's file. Pictures are spread over the 30 drives, shuffled as in the release."""
    count = len(labels)
    for folder in ("training/image_2", "training/label_2", "devkit_object/mapping"):
        (root / folder).mkdir(parents=True)
    for number, lines in enumerate(labels):
        (root / f"training/label_2/{number:06d}.txt").write_text("".join(f"{line}\n" for line in lines))
    of_line = [DRIVES[line * len(DRIVES) // count] for line in range(count)]
    order = np.random.default_rng(5).permutation(count)
    mapping = root / "devkit_object/mapping"
    mapping.joinpath("train_mapping.txt").write_text(
        "".join(f"2011_09_26 {drive} {line:010d}\n" for line, drive in enumerate(of_line))
    )
    mapping.joinpath("train_rand.txt").write_text(",".join(str(line + 1) for line in order))
    return [of_line[line] for line in order]


def thing_at(kind, z):
    return f"{kind} 0.00 0 -1.58 587.01 173.33 614.12 200.12 1.65 1.67 3.64 -0.65 1.71 {z} -1.59"


def test_kitti_takes_the_nearest_vehicle(tmp_path):
    dont_care = "DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10"
    cases = {
        "a photo i took of a car on my left or right side.": [thing_at("Car", "30.0"), thing_at("Van", "8.00")],
        "a photo i took with a car nearby.": [thing_at("Truck", "20.00"), thing_at("Pedestrian", "3.0"), dont_care],
        "a photo i took with a car in the distance.": [thing_at("Car", "20.01")],
        "a photo i took with no car.": [thing_at("Tram", "5.0"), thing_at("Cyclist", "4.0"), dont_care],
    }
    names = list(cases)
    write_kitti(tmp_path / "kitti", [cases[names[number % 4]] for number in range(120)])
    data_set = load_declaration("kitti").open(tmp_path)
    assert len(data_set.items) == 12  # 3 of 30 drives, of 4 pictures each
    for item in data_set.items:
        assert item.key == f"training/image_2/{item.picture.stem}.png"
        assert data_set.classes[item.label].name == names[int(item.picture.stem) % 4]


def test_kittis_splits_hold_out_whole_drives_as_tensorflow_datasets_draws_them(tmp_path):
    drive_of = write_kitti(tmp_path / "kitti", [[]] * 120)
    data_set = load_declaration("kitti").open(tmp_path)
    drives = {
        split: {drive_of[int(item.picture.stem)] for item in data_set.other(split).items}
        for split in ("train", "val", "test")
    }
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(123)  # noqa: NPY002
    test = set(np.random.choice(sorted(DRIVES), 3, replace=False))  # noqa: NPY002
    val = set(np.random.choice(sorted(set(DRIVES) - test), 3, replace=False))  # noqa: NPY002
    np.random.set_state(state)  # noqa: NPY002
    assert drives == {"test": test, "val": val, "train": set(DRIVES) - test - val}
    assert sum(len(data_set.other(split).items) for split in drives) == 120


def test_kitti_without_the_development_kit_says_so(tmp_path):
    (tmp_path / "kitti/training/image_2").mkdir(parents=True)
    (tmp_path / "kitti/training/label_2").mkdir(parents=True)
    with pytest.raises(DataError, match="devkit_object/mapping is missing"):
        load_declaration("kitti").open(tmp_path)


def test_other_labels_and_mappings_are_errors(tmp_path):
    write_kitti(tmp_path / "kitti", [["Car 0.00 0"]] * 120)
    with pytest.raises(DataError, match="not laid out as a KITTI label: 'Car"):
        load_declaration("kitti").open(tmp_path)
    (tmp_path / "kitti/devkit_object/mapping/train_rand.txt").write_text("1,2,121")
    with pytest.raises(DataError, match="does not number the lines"):
        load_declaration("kitti").open(tmp_path)
    (tmp_path / "kitti/devkit_object/mapping/train_rand.txt").write_text("1,2,3")
    with pytest.raises(DataError, match="has 1 drives: too few"):
        load_declaration("kitti").open(tmp_path)
