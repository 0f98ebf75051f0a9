"""PatchCamelyon, written in its published format."""

import h5py
import numpy as np
import pytest

from contralto.errors import DataError
from contralto.sets.declaration import load_declaration


def shown(opened):
    return [(item.key, opened.classes[item.label].name) for item in opened.items]


PATCHES = np.random.default_rng(1).integers(0, 256, (3, 96, 96, 3), np.uint8)


def lay_patches(root, split, patches=PATCHES, labels=(0, 1, 1), **storage):
    root.mkdir(exist_ok=True)
    stem = f"camelyonpatch_level_2_split_{split}"
    with h5py.File(root / f"{stem}_x.h5", "w") as file:
        file.create_dataset("x", data=patches, **storage)
    with h5py.File(root / f"{stem}_y.h5", "w") as file:
        file.create_dataset("y", data=np.array(labels, np.uint8).reshape(-1, 1, 1, 1))


@pytest.mark.parametrize("storage", [{}, {"chunks": (2, 96, 96, 3), "compression": "gzip"}])
def test_pcam(tmp_path, storage):
    for split in ("test", "valid"):
        lay_patches(tmp_path / "pcam", split, **storage)
    opened = load_declaration("pcam").open(tmp_path)
    assert shown(opened) == [
        ("test/0", "lymph node"),
        ("test/1", "lymph node containing metastatic tumor tissue"),
        ("test/2", "lymph node containing metastatic tumor tissue"),
    ]
    np.testing.assert_array_equal(opened.items[2].picture, PATCHES[2])
    assert [item.key for item in opened.items[1:]] == ["test/1", "test/2"]
    assert opened.items[-1].key == "test/2"
    with pytest.raises(IndexError):
        opened.items[3]
    assert len(opened.other("val").items) == 3


def test_pcam_that_does_not_fit(tmp_path):
    root = tmp_path / "pcam"
    lay_patches(root, "test", labels=(0, 2, 1))
    with pytest.raises(DataError, match="labels 0 to 2 for the 2 classes"):
        load_declaration("pcam").open(tmp_path)
    lay_patches(root, "test", labels=(0, 1))
    with pytest.raises(DataError, match="for 2 labels"):
        load_declaration("pcam").open(tmp_path)
    (root / "camelyonpatch_level_2_split_test_x.h5").write_bytes(b"no hdf5")
    with pytest.raises(DataError, match="cannot be read as HDF5"):
        load_declaration("pcam").open(tmp_path)
    with h5py.File(root / "camelyonpatch_level_2_split_test_x.h5", "w") as file:
        file.create_group("x")
    with pytest.raises(DataError, match="'x' is no array"):
        load_declaration("pcam").open(tmp_path)
    with h5py.File(root / "camelyonpatch_level_2_split_test_x.h5", "w") as file:
        file.create_dataset("z", data=[1])
    with pytest.raises(DataError, match="no array 'x'"):
        load_declaration("pcam").open(tmp_path)


def test_pcam_still_packed_says_so(tmp_path):
    (tmp_path / "pcam").mkdir()
    (tmp_path / "pcam" / "camelyonpatch_level_2_split_test_x.h5.gz").touch()
    with pytest.raises(DataError, match=r"only camelyonpatch_level_2_split_test_x\.h5\.gz: unpack it with gunzip"):
        load_declaration("pcam").open(tmp_path)
