"""The list of training pictures: by content, and absent for most models."""

import hashlib

import numpy as np

import contralto
from contralto.weights import training_pictures


def digests(*names: str) -> list[bytes]:
    return [hashlib.sha256(name.encode()).digest() for name in names]


def test_listed_pictures_are_known_by_their_content_in_any_order(tmp_path):
    training_pictures.write(tmp_path, digests("b", "a", "c", "a"))
    assert training_pictures.are_known(tmp_path, digests("x", "c", "a")).tolist() == [False, True, True]
    assert (tmp_path / training_pictures.TRAINING_PICTURES_FILE).stat().st_size == 3 * 8


def test_a_picture_that_could_not_be_read_is_not_known(tmp_path):
    training_pictures.write(tmp_path, [bytes(32)])
    assert training_pictures.are_known(tmp_path, [None, bytes(32)]).tolist() == [False, True]


def test_without_a_list_no_picture_is_known(tmp_path):
    assert not training_pictures.are_known(tmp_path, digests("a", "b")).any()
    (tmp_path / training_pictures.TRAINING_PICTURES_FILE).write_bytes(b"")
    assert not training_pictures.are_known(tmp_path, digests("a")).any()


def test_a_list_cut_off_in_the_middle_of_an_entry_gives_the_others(tmp_path):
    training_pictures.write(tmp_path, digests("a", "b"))
    path = tmp_path / training_pictures.TRAINING_PICTURES_FILE
    path.write_bytes(path.read_bytes()[:-3])
    assert training_pictures.are_known(tmp_path, digests("a", "b")).sum() == 1


def test_nano_lists_its_13_thousand_pictures():
    folder = contralto.load("nano").checkpoint.folder
    stored = (folder / training_pictures.TRAINING_PICTURES_FILE).read_bytes()
    known = np.frombuffer(stored, ">u8")
    assert len(known) == 12_983
    assert (np.diff(known.astype(np.uint64)) > 0).all()
