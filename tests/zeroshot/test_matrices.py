"""Class matrices are cached on disk: the second time they have the same bits, and no text tower is loaded."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

import contralto
from contralto import embedding_cache
from contralto.contract import preset
from contralto.zeroshot import classifier, matrices

NAMES = ["cat", "dog", "red car"]


def untouchable(clip):
    """A Clip whose text tower must not be used: every use is an error."""
    clip.fake.text = None
    return clip


def file_of(cache):
    (file,) = (cache / matrices.MATRIX_FOLDER).iterdir()
    return file


def test_the_second_time_no_text_goes_through_the_tower(make_clip, own_cache):
    first = make_clip()
    rows = first.encode_labels(NAMES, "imagenet-7")
    assert first.fake.texts
    again = untouchable(make_clip())
    np.testing.assert_array_equal(again.encode_labels(NAMES, "imagenet-7"), rows)
    assert again.encode_labels(NAMES, "imagenet-7").dtype == np.float32
    picture = np.zeros((9, 9, 3), np.uint8)
    assert again.classify(picture, NAMES, templates="imagenet-7") == first.classify(
        picture, NAMES, templates="imagenet-7"
    )
    assert file_of(own_cache).stat().st_size == 32 + rows.nbytes


def test_the_command_reads_it_too(folder, monkeypatch, capsys, tmp_path):
    from PIL import Image

    from contralto.cli.main import main
    from contralto.engine.openvino import OpenVINO

    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    command = ["classify", str(tmp_path / "a.png"), "--labels", *NAMES, "--model", str(folder), "--json"]
    assert main(command) == 0
    before = capsys.readouterr().out
    monkeypatch.setattr(OpenVINO, "text", None)
    assert main(command) == 0
    assert capsys.readouterr().out == before


def test_labels_are_called_what_they_are_called_and_rows_are_changed_by_nobody(make_clip):
    rows = make_clip().encode_labels(NAMES)
    clip = untouchable(make_clip())
    made = classifier.build(clip, {f"a {name}": [name] for name in NAMES})
    assert made.labels == ("a cat", "a dog", "a red car")
    made.embeddings[:] = 0  # an array of one's own, not the cache's
    np.testing.assert_array_equal(clip.encode_labels(NAMES), rows)


@pytest.mark.parametrize("names", [["dog", "cat", "red car"], NAMES[:2], [*NAMES, "x"], {"a": NAMES}, ["cat dog", ""]])
def test_other_labels_are_other_matrices(make_clip, own_cache, names):
    make_clip().encode_labels(NAMES)
    clip = make_clip()
    clip.encode_labels(names)
    assert clip.fake.texts
    assert len(list((own_cache / matrices.MATRIX_FOLDER).iterdir())) == 2


def test_whatever_decides_the_numbers_is_in_the_key(make_clip, own_cache, monkeypatch):
    make_clip().encode_labels(NAMES)
    others = [make_clip() for _ in range(5)]
    others[0].fake.precision = "fp16"
    others[1].fake.name = "another"
    others[2] = make_clip(reproducible=True)
    others[3] = make_clip(stated=others[3].contract.replace(name="another"))
    for clip in others[:4]:
        clip.encode_labels(NAMES)
        assert clip.fake.texts
    others[4].encode_labels(NAMES, ["{}"])
    assert others[4].fake.texts
    for place, name, other in [
        (embedding_cache, "__version__", "99"),
        (embedding_cache, "runtime", lambda engine: "openvino 99"),
        (classifier, "AVERAGING_RULE", 99),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(place, name, other)
            clip = make_clip()
            clip.encode_labels(NAMES)
            assert clip.fake.texts
    assert len(list((own_cache / matrices.MATRIX_FOLDER).iterdir())) == 9


def test_a_contract_without_weights_keeps_nothing(make_clip, own_cache):
    make_clip(stated=preset("tiny")).encode_labels(NAMES)
    assert not own_cache.exists()


@pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "empty", "of another key", "NaN"])
def test_what_is_not_whole_is_made_anew(make_clip, own_cache, damage):
    rows = make_clip().encode_labels(NAMES)
    file = file_of(own_cache)
    whole = bytearray(file.read_bytes())
    bad = {
        "flipped": whole[:-1] + bytes([whole[-1] ^ 1]),
        "cut": whole[:-4],
        "longer": whole + b"0",
        "empty": b"",
        "NaN": whole[:-4] + np.float32("nan").tobytes(),
    }
    if damage == "of another key":
        file.unlink()
        make_clip().encode_labels(["x", "y", "z"])
        file_of(own_cache).rename(file)
    else:
        file.write_bytes(bad[damage])
    clip = make_clip()
    np.testing.assert_array_equal(clip.encode_labels(NAMES), rows)
    assert clip.fake.texts
    assert file.read_bytes() == whole  # mended
    assert file_of(own_cache) == file  # and nothing is next to it


def test_a_cache_that_cannot_be_used_costs_only_time(make_clip, own_cache, monkeypatch, tmp_path):
    rows = make_clip().encode_labels(NAMES)
    file = file_of(own_cache)
    file.unlink()
    file.mkdir()  # a folder in its place
    np.testing.assert_array_equal(make_clip().encode_labels(NAMES), rows)
    (tmp_path / "a-file").write_text("not a folder")
    for path in (tmp_path / "a-file" / "cache", tmp_path / "a-file", tmp_path / ("long" * 99)):
        monkeypatch.setenv("CONTRALTO_CACHE", str(path))
        np.testing.assert_array_equal(make_clip().encode_labels(NAMES), rows)


def test_a_full_disk_leaves_nothing_behind_and_is_told(make_clip, own_cache, monkeypatch, caplog):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    make_clip().encode_labels(NAMES)
    assert list((own_cache / matrices.MATRIX_FOLDER).iterdir()) == []
    (told,) = caplog.messages
    assert told.endswith("is not cached: No space left on device")


def test_labels_that_fail_keep_nothing(make_clip, own_cache):
    with pytest.raises(contralto.ContraltoError, match="tokens"):
        make_clip().encode_labels(["every word counts " * 20])
    assert not own_cache.exists()


def test_the_longest_unused_go_first(make_clip, own_cache, monkeypatch):
    monkeypatch.setattr(matrices, "MAX_MATRIX_FILES", 3)
    folder = own_cache / matrices.MATRIX_FOLDER
    clip = make_clip()

    def known(name):
        probe = make_clip()
        probe.encode_labels([name])
        return not probe.fake.texts

    for place, name in enumerate("abc"):
        clip.encode_labels([name])
        newest = max(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        os.utime(newest, ns=(place, place))
    assert known("a")  # and so it is the last that was used
    clip.encode_labels(["d"])
    assert len(list(folder.iterdir())) == 3
    assert known("a")
    assert known("c")
    assert not known("b")


def test_bytes_are_bounded_too(make_clip, own_cache, monkeypatch):
    clip = make_clip()
    size = 32 + 4 * clip.contract.embedding
    monkeypatch.setattr(matrices, "MAX_MATRIX_BYTES", 2 * size + 10)
    for name in "abcd":
        clip.encode_labels([name])
    assert len(list((own_cache / matrices.MATRIX_FOLDER).iterdir())) == 2
    rows = clip.encode_labels(NAMES)  # more than all of it
    assert len(list((own_cache / matrices.MATRIX_FOLDER).iterdir())) == 2
    np.testing.assert_array_equal(clip.encode_labels(NAMES), rows)


def test_many_at_once_read_and_write(make_clip, own_cache):
    rows = make_clip().encode_labels(NAMES)
    file_of(own_cache).unlink()
    answers, clips = [], [make_clip() for _ in range(8)]
    threads = [threading.Thread(target=lambda c=clip: answers.append(c.encode_labels(NAMES))) for clip in clips]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert all((one == rows).all() for one in answers)
    assert file_of(own_cache).stat().st_size == 32 + rows.nbytes


def test_what_auto_has_come_to_changes_no_answer(make_clip, monkeypatch):
    """Another process measured the machine in between: the engine has not settled on anything here."""
    made = make_clip()
    monkeypatch.setattr(type(made), "made_in", lambda clip, tower: "auto")
    rows = made.encode_labels(NAMES)
    again = make_clip()
    again.fake.precision = "int8"
    np.testing.assert_array_equal(untouchable(again).encode_labels(NAMES), rows)


def test_what_is_fitted_anew_is_encoded_anew(make_clip, monkeypatch):
    for fitted in ("int8 01", "int8 02"):
        clip = make_clip()
        monkeypatch.setattr(type(clip), "made_in", lambda clip, tower, fitted=fitted: fitted)
        clip.encode_labels(NAMES)
        assert clip.fake.texts
