"""FER2013 and GTSRB, written in their published CSV formats."""

from __future__ import annotations

import numpy as np
import pytest

from contralto.errors import DataError
from contralto.sets.declaration import load_declaration


def shown(opened):
    return [(item.key, opened.classes[item.label].name) for item in opened.items]


FACES = np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8)


USAGES = ("Training", "PublicTest", "PrivateTest", "PrivateTest")


@pytest.mark.parametrize("name", ["fer2013.csv", "icml_face_data.csv"])
def test_fer2013(tmp_path, name):
    """icml_face_data.csv has its columns in another order, and a space before two of their names."""
    (tmp_path / "fer2013").mkdir()
    texts = [" ".join(map(str, face.ravel())) for face in FACES]
    rows = zip((0, 6, 3, 5), texts, USAGES, strict=True)
    if name == "fer2013.csv":
        table = ["emotion,pixels,Usage", *(f"{emotion},{text},{usage}" for emotion, text, usage in rows)]
    else:
        table = ["emotion, Usage, pixels", *(f"{emotion},{usage},{text}" for emotion, text, usage in rows)]
    (tmp_path / "fer2013" / name).write_text("\n".join(table) + "\n")
    opened = load_declaration("fer2013").open(tmp_path)
    assert shown(opened) == [("test/0", "happy"), ("test/1", "surprised")]
    assert opened.classes[3].names == ("happy", "smiling")
    np.testing.assert_array_equal(opened.items[1].picture, np.repeat(FACES[3][..., None], 3, -1))
    assert shown(opened.other("train")) == [("train/0", "angry")]
    assert shown(opened.other("val")) == [("val/0", "neutral")]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("emotion,pixels\n", "no column 'Usage'"),
        ("emotion,pixels,Usage\n1,2 3,PrivateTest\n", "48 x 48 pixels"),
        ("emotion,pixels,Usage\n1,2 300,PrivateTest\n", "48 x 48 pixels of 0 to 255"),
        ("emotion,pixels,Usage\n7,2 3,PrivateTest\n", "'7' is none of the 7 classes declared"),
        ("emotion,pixels,Usage\n7,2\n", "line 2 has 2 columns"),
        ("", "no column 'emotion'"),
    ],
)
def test_a_damaged_table(tmp_path, table, message):
    (tmp_path / "fer2013").mkdir()
    (tmp_path / "fer2013" / "fer2013.csv").write_text(table)
    with pytest.raises(DataError, match=message):
        load_declaration("fer2013").open(tmp_path)


GT = (
    "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n00000.ppm;53;54;6;5;48;49;16\n00001.ppm;4;4;0;0;3;3;1\n"
)


@pytest.mark.parametrize(
    ("inner", "table"),
    [("GTSRB", "GT-final_test.csv"), ("", "GT-final_test.csv"), ("", "Final_Test/Images/GT-final_test.csv")],
)
def test_gtsrb_test(tmp_path, inner, table):
    root = tmp_path / "gtsrb"
    (root / inner / "Final_Test" / "Images").mkdir(parents=True)
    (root / table).write_text(GT)
    opened = load_declaration("gtsrb").open(tmp_path)
    assert shown(opened) == [
        ("Final_Test/Images/00000.ppm", "red and white circle no truck entry"),
        ("Final_Test/Images/00001.ppm", "red and white circle 30 kph speed limit"),
    ]
    assert opened.items[0].picture == root / inner / "Final_Test" / "Images" / "00000.ppm"


def test_gtsrb_training_takes_the_papers_folder_first(tmp_path):
    root = tmp_path / "GTSRB"
    for top, count in (("Final_Training/Images", 2), ("Training", 1)):
        for label in range(43):
            folder = root / top / f"{label:05d}"
            folder.mkdir(parents=True)
            (folder / f"GT-{label:05d}.csv").write_text("Filename;Width\n")
            for number in range(count):
                (folder / f"00000_{number:05d}.ppm").touch()
        opened = load_declaration("gtsrb").open(tmp_path, "train")
        assert len(opened.items) == 43 * count
        assert opened.items[14].key.startswith(f"{top}/")
    assert shown(opened)[14] == ("Training/00014/00000_00000.ppm", "stop")
    (root / "Training" / "00043").mkdir()
    with pytest.raises(DataError, match="the data have 44 classes, 43 are declared"):
        load_declaration("gtsrb").open(tmp_path, "train")
